"""Texts of questions: found, begun, changed, and never lost."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.content import ContentSource
from portal.database import Database
from portal.errors import Conflict, Invalid, NotFound
from portal.features.authoring import queries
from portal.features.authoring.service import AuthoringService
from portal.features.authoring.working import Origin, Stale
from portal.models import AuthoredQuestion, AuthoringState, QuestionAction, QuestionRevision, User
from portal.own_bank import OwnBank
from question_bank import KINDS
from question_bank.loader import parse
from tests.factories import authoring

Texts = Callable[[], AuthoringService]
TOPIC, MODULE = "normalization", "schema-design"


def text_of(texts: Texts, question_id: str) -> str:
    return texts().working(question_id).text


def test_a_question_of_the_bank_is_worked_on_from_its_own_text(texts: Texts, db: Session) -> None:
    working = texts().working("a-single")
    assert working.row is None
    assert (working.state, working.origin) == (AuthoringState.PUBLISHED, Origin.BUILT_IN)
    assert working.fixed
    again = parse(working.text, "normalization/a-single.md", [])
    assert again == working.live
    assert not db.new


def test_what_there_is_not_is_not_found(texts: Texts) -> None:
    with pytest.raises(NotFound):
        texts().working("never-written")


def test_a_built_in_question_is_changed_as_a_draft_while_learners_see_the_old_text(
    texts: Texts, source: ContentSource, ann: User
) -> None:
    before = texts().working("a-single")
    changed = before.text.replace("Which one holds?", "Which of these holds?")
    assert texts().save(ann.id, "a-single", before.text_hash, changed, "Clearer.") == "a-single"
    after = texts().working("a-single")
    assert (after.state, after.origin, after.version) == (AuthoringState.DRAFT, Origin.CHANGED, 2)
    assert after.text == changed
    assert source.current().bank.questions["a-single"].prompt == "Which one holds?"
    first, second = queries.events(texts().db, after.row.id)[::-1]  # type: ignore[union-attr]
    assert (first.event.action, first.event.version) == (QuestionAction.TAKEN, 1)
    assert (second.event.action, second.event.version, second.event.note) == ("saved", 2, "Clearer.")


def test_the_same_text_is_no_new_version(texts: Texts, ann: User) -> None:
    working = texts().working("a-single")
    texts().save(ann.id, "a-single", working.text_hash, working.text.replace("\n", "\r\n"))
    assert texts().working("a-single").row is None


def test_two_who_edit_at_once_don_t_lose_each_other_s_work(texts: Texts, ann: User, bob: User) -> None:
    base = texts().working("a-single")
    hers = base.text.replace("Which one", "Which of them")
    his = base.text.replace("first reason", "best reason")
    texts().save(ann.id, "a-single", base.text_hash, hers)
    with pytest.raises(Stale) as caught:
        texts().save(bob.id, "a-single", base.text_hash, his)
    assert caught.value.newest.text == hers
    assert text_of(texts, "a-single") == hers
    # He has seen hers now, and decides.
    texts().save(bob.id, "a-single", caught.value.newest.text_hash, his)
    row = texts().working("a-single").row
    assert row is not None
    kept = [queries.revision(texts().db, row.id, number).text for number in (1, 2, 3)]  # type: ignore[union-attr]
    assert kept == [base.text, hers, his]


def test_a_change_between_the_look_and_the_write_is_noticed(
    texts: Texts, db: Session, database: Database, ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    authoring.draft(db, ann)
    db.commit()
    service = texts()
    advance = service.advance

    def somebody_is_faster(row: AuthoredQuestion, user_id: int | None, text: str) -> None:
        with database.transaction() as other:
            other.execute(AuthoredQuestion.__table__.update().values(version=2))
        advance(row, user_id, text)

    monkeypatch.setattr(service, "advance", somebody_is_faster)
    with pytest.raises(Stale):
        service.save(ann.id, "write-skew", authoring.TEXT_HASH, authoring.text(prompt="Another?"))


def test_two_first_changes_at_once_are_told_apart(
    texts: Texts, db: Session, database: Database, ann: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = texts()
    base = service.working("a-single")
    row_of = service.row_of

    def somebody_is_faster(working: object) -> AuthoredQuestion:
        with database.transaction() as other:
            authoring.draft(other, other.get_one(User, bob.id), question_id="a-single", content="---\nhis\n")
        return row_of(working)  # type: ignore[arg-type]

    monkeypatch.setattr(service, "row_of", somebody_is_faster)
    with pytest.raises(Stale) as caught:
        service.save(ann.id, "a-single", base.text_hash, base.text.replace("first", "1st"))
    assert caught.value.newest.text == "---\nhis\n"


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_begins_with_a_file_that_only_wants_filling_in(texts: Texts, ann: User, kind: str) -> None:
    made = texts().create(ann.id, kind, "brand-new", MODULE, TOPIC)
    checked = texts().check(texts().working("brand-new"))
    assert made.kind == kind
    assert {remark.rule for remark in checked.remarks if remark.stops} <= {"schema"}
    assert any(remark.rule == "placeholder" for remark in checked.remarks) or checked.question is None


@pytest.mark.parametrize("taken", ["a-single", "write-skew"])
def test_an_id_that_is_taken_begins_nothing(texts: Texts, db: Session, ann: User, taken: str) -> None:
    authoring.draft(db, ann)
    with pytest.raises(Conflict, match=taken):
        texts().create(ann.id, "single", taken, MODULE, TOPIC)


@pytest.mark.parametrize("bad", ["", "x", "Not A Slug", "../../etc/passwd", "a" * 81, "a--b"])
def test_an_id_that_is_none_begins_nothing(texts: Texts, ann: User, bad: str) -> None:
    with pytest.raises(Invalid):
        texts().create(ann.id, "single", bad, MODULE, TOPIC)
    with pytest.raises(Invalid):
        texts().duplicate(ann.id, "a-single", bad)


def test_a_draft_follows_the_id_in_its_text_until_it_was_live(texts: Texts, db: Session, ann: User) -> None:
    authoring.draft(db, ann)
    saved_as = texts().save(ann.id, "write-skew", authoring.TEXT_HASH, authoring.text("write-skew-on-call"))
    assert saved_as == "write-skew-on-call"
    with pytest.raises(NotFound):
        texts().working("write-skew")
    # An id that is taken is not followed; the lint says so.
    working = texts().working(saved_as)
    assert texts().save(ann.id, saved_as, working.text_hash, authoring.text("a-single")) == saved_as
    checked = texts().check(texts().working(saved_as))
    assert [remark.rule for remark in checked.remarks if remark.stops] == ["ids"]
    assert not checked.usable


def test_the_id_of_a_published_question_stays(texts: Texts, ann: User) -> None:
    working = texts().working("a-single")
    changed = working.text.replace("id: a-single", "id: another")
    assert texts().save(ann.id, "a-single", working.text_hash, changed) == "a-single"
    checked = texts().check(texts().working("a-single"))
    assert any("The id must stay `a-single`" in remark.message for remark in checked.remarks)
    assert not checked.usable


def test_a_copy_has_an_id_of_its_own_and_replaces_nothing(texts: Texts, db: Session, ann: User) -> None:
    authoring.draft(
        db, ann, content=authoring.text(extra="replaces:\n  - old-one\n  - older-one\nscenario: true\n")
    )
    made = texts().duplicate(ann.id, "write-skew", "write-skew-2")
    assert "id: write-skew-2\n" in made.text
    assert "old" not in made.text
    assert "scenario: true\n---" in made.text
    question = parse(made.text, "acid/write-skew-2.md", [])
    assert question is not None
    assert [option.text for option in question.options] == ["Write skew", "Dirty read", "Lost update"]


def test_an_earlier_text_is_taken_up_as_a_new_version(texts: Texts, db: Session, ann: User) -> None:
    authoring.draft(db, ann)
    texts().save(ann.id, "write-skew", authoring.TEXT_HASH, authoring.text(prompt="Another?"))
    now = texts().working("write-skew")
    texts().restore(ann.id, "write-skew", now.text_hash, 1)
    after = texts().working("write-skew")
    assert (after.text, after.version) == (authoring.TEXT, 3)
    with pytest.raises(NotFound):
        texts().restore(ann.id, "write-skew", after.text_hash, 17)


def test_a_draft_that_was_never_live_is_discarded_with_its_history(
    texts: Texts, db: Session, ann: User
) -> None:
    authoring.comment(db, authoring.draft(db, ann), ann)
    assert texts().discard(ann.id, "write-skew", authoring.TEXT_HASH)
    assert db.scalars(select(AuthoredQuestion)).all() == []
    assert db.scalars(select(QuestionRevision)).all() == []


def test_a_discarded_change_leaves_what_learners_see(texts: Texts, ann: User) -> None:
    before = texts().working("a-single")
    texts().save(ann.id, "a-single", before.text_hash, before.text.replace("first", "1st"))
    drafted = texts().working("a-single")
    with pytest.raises(Stale):
        texts().discard(ann.id, "a-single", before.text_hash)
    assert not texts().discard(ann.id, "a-single", drafted.text_hash)
    after = texts().working("a-single")
    assert (after.text, after.state) == (before.text, AuthoringState.PUBLISHED)
    with pytest.raises(Conflict):
        texts().discard(ann.id, "a-single", after.text_hash)


def test_a_file_that_was_changed_by_hand_is_what_is_edited_and_kept_as_a_version(
    texts: Texts, source: ContentSource, own: OwnBank, ann: User
) -> None:
    working = texts().working("a-single")
    texts().save(ann.id, "a-single", working.text_hash, working.text.replace("first", "1st"))
    texts().discard(ann.id, "a-single", texts().working("a-single").text_hash)
    by_hand = working.text.replace("Which one holds?", "Which, then?")
    own.publish("a-single", TOPIC, by_hand)
    working = texts().working("a-single")
    assert working.outside
    assert working.text == by_hand
    texts().save(ann.id, "a-single", working.text_hash, by_hand.replace("third", "3rd"))
    after = texts().working("a-single")
    assert after.row is not None
    kept = queries.revision(texts().db, after.row.id, after.version - 1)
    assert kept is not None
    assert kept.text == by_hand


@pytest.mark.parametrize(
    ("text", "says"), [("", "no text"), (" \n\r\n ", "no text"), ("x" * 70_000, "at most 64 KiB")]
)
def test_a_text_that_no_file_can_hold_is_refused(
    texts: Texts, db: Session, ann: User, text: str, says: str
) -> None:
    authoring.draft(db, ann)
    with pytest.raises(Invalid, match=says):
        texts().save(ann.id, "write-skew", authoring.TEXT_HASH, text)


def test_any_text_can_be_saved_as_a_draft(texts: Texts, db: Session, ann: User) -> None:
    authoring.draft(db, ann)
    texts().save(ann.id, "write-skew", authoring.TEXT_HASH, "half a thought \x00 \ud800")
    working = texts().working("write-skew")
    assert working.text == "half a thought  ?\n"
    assert not texts().check(working).usable
