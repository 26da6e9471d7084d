"""The way from a draft to learners, and back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.content import ContentSource
from portal.database import Database
from portal.errors import Conflict, Forbidden, Invalid, NotFound, Unavailable
from portal.features.authoring import try_to_write_out, write_out
from portal.features.authoring.reviewing import ReviewService, Step, placed
from portal.features.authoring.service import AuthoringService
from portal.features.authoring.working import Stale
from portal.features.practice import Encounter, QuizService, Recorder, seed_of
from portal.models import AuthoredQuestion, AuthoringState, ItemTally, QuizAttempt, User, utcnow
from portal.own_bank import OwnBank
from tests.factories import authoring, users
from tests.fixtures import questions

Texts = Callable[[], AuthoringService]
Reviews = Callable[[], ReviewService]
Written = Callable[[], int]
HASH = authoring.TEXT_HASH


@pytest.fixture
def drafted(db: Session, ann: User) -> AuthoredQuestion:
    made = authoring.draft(db, ann)
    db.commit()
    return made


def publish(reviews: Reviews, ann: User, bob: User, name: str, base: str) -> None:
    reviews().take(Step.SEND, ann.id, name, base)
    reviews().take(Step.PUBLISH, bob.id, name, base)


def test_what_another_instructor_publishes_is_asked(
    drafted: AuthoredQuestion, reviews: Reviews, written: Written, source: ContentSource, ann: User, bob: User
) -> None:
    publish(reviews, ann, bob, "write-skew", HASH)
    assert drafted.due == "published"
    assert "write-skew" not in source.current().bank.questions
    assert written() == 1
    found = source.current().bank.questions["write-skew"]
    assert found.path == "acid/write-skew.md"
    assert found.content_hash == HASH
    assert (drafted.state, drafted.live_version) == (AuthoringState.PUBLISHED, 1)
    assert written() == 0


def test_nobody_publishes_what_they_wrote(
    drafted: AuthoredQuestion, texts: Texts, reviews: Reviews, written: Written, ann: User, bob: User
) -> None:
    reviews().take(Step.SEND, ann.id, "write-skew", HASH)
    with pytest.raises(Forbidden, match="Another instructor"):
        reviews().take(Step.PUBLISH, ann.id, "write-skew", HASH)
    # A reviewer who changes the text is an author of it, and it is a draft again.
    texts().save(
        bob.id, "write-skew", HASH, authoring.text(prompt="Which anomaly is *this*, do you think, doctor?")
    )
    assert texts().working("write-skew").state == AuthoringState.DRAFT
    base = texts().working("write-skew").text_hash
    reviews().take(Step.SEND, bob.id, "write-skew", base)
    for user in (ann, bob):
        with pytest.raises(Forbidden):
            reviews().take(Step.PUBLISH, user.id, "write-skew", base)
    carol = users.user(texts().db)
    reviews().take(Step.PUBLISH, carol.id, "write-skew", base)
    assert written() == 1


def test_authors_of_what_is_live_may_review_the_next_change(
    drafted: AuthoredQuestion,
    texts: Texts,
    reviews: Reviews,
    written: Written,
    source: ContentSource,
    ann: User,
    bob: User,
) -> None:
    publish(reviews, ann, bob, "write-skew", HASH)
    written()
    texts().save(bob.id, "write-skew", HASH, authoring.text(prompt="Two doctors leave. Which anomaly?"))
    base = texts().working("write-skew").text_hash
    publish(reviews, bob, ann, "write-skew", base)
    written()
    assert source.current().bank.questions["write-skew"].prompt == "Two doctors leave. Which anomaly?"


def test_where_no_review_is_asked_for_an_author_publishes_the_draft(
    drafted: AuthoredQuestion, db: Session, texts: Texts, ann: User
) -> None:
    ReviewService(db, texts(), review_required=False).take(Step.PUBLISH, ann.id, "write-skew", HASH)
    assert drafted.state == AuthoringState.PUBLISHED


def test_what_is_published_is_what_the_reviewer_saw(
    drafted: AuthoredQuestion, texts: Texts, reviews: Reviews, ann: User, bob: User
) -> None:
    texts().save(ann.id, "write-skew", HASH, authoring.text(prompt="Another text than you saw?"))
    reviews().take(Step.SEND, ann.id, "write-skew", texts().working("write-skew").text_hash)
    with pytest.raises(Stale):
        reviews().take(Step.PUBLISH, bob.id, "write-skew", HASH)


def test_a_text_that_can_t_be_used_is_not_sent(
    drafted: AuthoredQuestion, texts: Texts, reviews: Reviews, ann: User
) -> None:
    texts().save(ann.id, "write-skew", HASH, authoring.TEXT.replace("- [x]", "- [ ]"))
    with pytest.raises(Invalid, match="Line "):
        reviews().take(Step.SEND, ann.id, "write-skew", texts().working("write-skew").text_hash)


def test_what_the_lint_objects_to_is_published_only_when_it_is_meant_so(
    drafted: AuthoredQuestion, texts: Texts, reviews: Reviews, ann: User, bob: User
) -> None:
    texts().save(ann.id, "write-skew", HASH, authoring.TEXT.replace("level: senior\n", ""))
    base = texts().working("write-skew").text_hash
    reviews().take(Step.SEND, ann.id, "write-skew", base)
    with pytest.raises(Invalid, match="The lint objects"):
        reviews().take(Step.PUBLISH, bob.id, "write-skew", base)
    reviews().take(Step.PUBLISH, bob.id, "write-skew", base, although_remarks=True)
    assert drafted.state == AuthoringState.PUBLISHED


@pytest.mark.parametrize(
    ("state", "allowed"),
    [
        (AuthoringState.DRAFT, {Step.SEND}),
        (AuthoringState.REVIEW, {Step.WITHDRAW, Step.RETURN, Step.PUBLISH}),
        (AuthoringState.PUBLISHED, {Step.RETIRE}),
        (AuthoringState.RETIRED, {Step.BRING_BACK}),
    ],
)
def test_each_state_has_its_steps(
    db: Session, reviews: Reviews, ann: User, bob: User, state: AuthoringState, allowed: set[Step]
) -> None:
    for number, step in enumerate(Step):
        name = f"question-{number}"
        draft = authoring.draft(
            db, ann, question_id=name, state=state, content=authoring.text(name, f"{number * 'word '} what?")
        )
        if step in allowed:
            reviews().take(step, bob.id, name, draft.text_hash, although_remarks=True)
        else:
            with pytest.raises(Conflict, match="now"):
                reviews().take(step, bob.id, name, draft.text_hash)


def test_a_retired_question_is_asked_no_more_and_its_answers_stay(
    db: Session,
    reviews: Reviews,
    texts: Texts,
    written: Written,
    source: ContentSource,
    ann: User,
    learner_user: User,
) -> None:
    single = source.current().bank.questions["a-single"]
    quiz = QuizService(db, source.current().bank).start(learner_user.id, questions.MODULE)
    graded = single.grade(questions.right_answer(single, 0))
    Recorder(db).record(learner_user.id, [Encounter(single, graded, utcnow())])
    reviews().take(Step.RETIRE, ann.id, "a-single", texts().working("a-single").text_hash, "Out of date.")
    assert written() == 1
    bank = source.current().bank
    assert "a-single" not in bank.questions
    assert bank.find("a-single") == single
    # A quiz that was begun before is answered and scored in full.
    drawn = [found for one in quiz.answers if (found := bank.find(one.question_id)) is not None]
    answers = {one.id: questions.right_answer(one, seed_of(one, quiz.seed)) for one in drawn}
    assert "a-single" in answers
    assert QuizService(db, bank).hand_in(quiz, answers) is None
    assert db.get_one(QuizAttempt, quiz.id).score == 1.0
    assert db.scalars(select(ItemTally).where(ItemTally.question_id == "a-single")).first() is not None

    reviews().take(Step.BRING_BACK, ann.id, "a-single", texts().working("a-single").text_hash)
    assert written() == 1
    assert source.current().bank.questions["a-single"].content_hash == single.content_hash


def test_a_file_that_could_not_be_written_is_written_later(
    drafted: AuthoredQuestion,
    db: Session,
    database: Database,
    reviews: Reviews,
    source: ContentSource,
    own: OwnBank,
    tmp_path: Path,
    ann: User,
    bob: User,
) -> None:
    (tmp_path / "file").write_text("")
    broken = OwnBank(tmp_path / "file" / "bank")
    publish(reviews, ann, bob, "write-skew", HASH)
    db.commit()
    assert not try_to_write_out(database, broken)
    with pytest.raises(Unavailable):
        write_out(database, broken)
    db.refresh(drafted)
    assert drafted.due == "published"
    assert try_to_write_out(database, own)
    assert "write-skew" in source.current().bank.questions


def test_what_was_changed_again_before_its_file_was_written_is_published_as_reviewed(
    drafted: AuthoredQuestion,
    texts: Texts,
    reviews: Reviews,
    written: Written,
    source: ContentSource,
    ann: User,
    bob: User,
) -> None:
    publish(reviews, ann, bob, "write-skew", HASH)
    texts().save(ann.id, "write-skew", HASH, authoring.text(prompt="Not reviewed yet?"))
    assert written() == 1
    assert source.current().bank.questions["write-skew"].content_hash == HASH


def test_a_comment_follows_its_line(
    drafted: AuthoredQuestion, texts: Texts, reviews: Reviews, db: Session, ann: User, bob: User
) -> None:
    line = authoring.TEXT.splitlines().index("- [ ] Dirty read") + 1
    made = reviews().comment(bob.id, "write-skew", HASH, line, "Why would one think so?")
    assert (made.quote, made.version) == ("- [ ] Dirty read", 1)
    longer = authoring.text(prompt="A first line.\n\nAnd another line?")
    texts().save(ann.id, "write-skew", HASH, longer)
    working = texts().working("write-skew")
    assert placed(made, working.version, working.text.splitlines()) == line + 2
    texts().save(ann.id, "write-skew", working.text_hash, longer.replace("Dirty read", "Phantom"))
    working = texts().working("write-skew")
    assert placed(made, working.version, working.text.splitlines()) == 0


@pytest.mark.parametrize(
    ("line", "text", "says"),
    [(1, " ", "empty"), (1, "x" * 2_001, "at most 2,000"), (-1, "So.", "no line"), (999, "So.", "no line")],
)
def test_comments_are_bounded(
    drafted: AuthoredQuestion, reviews: Reviews, bob: User, line: int, text: str, says: str
) -> None:
    with pytest.raises(Invalid, match=says):
        reviews().comment(bob.id, "write-skew", HASH, line, text)


def test_a_comment_is_resolved_and_opened_again(
    drafted: AuthoredQuestion, db: Session, reviews: Reviews, ann: User
) -> None:
    comment = authoring.comment(db, drafted, ann)
    other = authoring.draft(db, ann, question_id="other")
    assert reviews().resolve(ann.id, "write-skew", comment.id).resolved_by == ann.id
    assert reviews().resolve(ann.id, "write-skew", comment.id).resolved_at is None
    with pytest.raises(NotFound):
        reviews().resolve(ann.id, other.question_id, comment.id)
