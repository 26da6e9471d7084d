"""Questions that come from other systems, and go to them."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.errors import Invalid, NotFound
from portal.features.authoring.exporting import export
from portal.features.authoring.importing import Found, ImportService
from portal.features.authoring.service import AuthoringService
from portal.models import AuthoredQuestion, AuthoringState, QuestionEvent, QuestionImport, User
from portal.settings import Settings
from question_bank.formats import FORMATS
from tests.factories import authoring
from tests.fixtures.portal import Client, check_page

Texts = Callable[[], AuthoringService]

GIFT = """::Isolation levels:: Which level does PostgreSQL give when none is asked for? {
  =Read committed#It is the default there.
  ~Serializable#It has to be asked for.
  ~Repeatable read#MySQL's InnoDB has this default.
}

::Broken:: What is this? {
  =no end

::Port:: Which port does PostgreSQL listen on? {#5432:0}
"""


def archive(*texts: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        for number, text in enumerate(texts):
            made.writestr(f"questions/acid/q{number}.md", text)
    return out.getvalue()


def upload(
    texts: Texts, user: User, data: bytes, name: str = "quiz.zip", form: str = "auto", **more: str
) -> QuestionImport:
    return ImportService(texts().db, texts()).upload(user.id, data, name, form, **more)


def test_a_file_is_looked_at_before_anything_is_taken_in(texts: Texts, db: Session, ann: User) -> None:
    row = upload(
        texts, ann, GIFT.encode(), "quiz.gift", "gift", module="transactions-and-isolation", topic="acid"
    )
    found = Found.of(row.found)
    assert db.scalars(select(AuthoredQuestion)).all() == []
    assert found.faults
    item = next(item for item in found.items if "isolation" in item.question_id)
    assert item.losses
    assert any("level" in fault for fault in item.faults)  # the lint asks what the file doesn't say
    assert item.question is not None
    assert item.question.topics == ("acid",)


def test_what_is_chosen_becomes_a_draft(texts: Texts, db: Session, ann: User, bob: User) -> None:
    row = upload(
        texts, ann, archive(authoring.text("one"), authoring.text("two", "Something else: what is it?"))
    )
    service = ImportService(db, texts())
    with pytest.raises(NotFound):
        service.take_in(bob.id, row.id, {"one"})
    with pytest.raises(Invalid, match="Choose"):
        service.take_in(ann.id, row.id, {"three"})
    assert service.take_in(ann.id, row.id, {"one"}) == (["one"], [])
    made = db.scalars(select(AuthoredQuestion)).one()
    assert (made.question_id, made.state) == ("one", AuthoringState.DRAFT)
    event = db.scalars(select(QuestionEvent)).one()
    assert (event.action, event.note, event.user_id) == ("imported", "From quiz.zip (Archive)", ann.id)
    with pytest.raises(NotFound):
        service.take_in(ann.id, row.id, {"two"})


def test_importing_twice_adds_nothing(texts: Texts, db: Session, ann: User) -> None:
    data = archive(authoring.text("one"))
    row = upload(texts, ann, data)
    ImportService(db, texts()).take_in(ann.id, row.id, {"one"})
    found = Found.of(upload(texts, ann, data).found)
    assert (found.items, found.same) == ((), (("one", "one"),))


def test_what_is_nearly_there_waits_for_a_decision(texts: Texts, db: Session, ann: User) -> None:
    authoring.draft(db, ann)
    near = authoring.text(
        "another", "Two doctors go off duty at once and nobody is left. Which anomaly do you see?"
    )
    found = Found.of(upload(texts, ann, archive(near)).found)
    assert [(item.question_id, item.like) for item in found.items] == [("another", "write-skew")]
    assert 0.5 <= found.items[0].likeness < 1


def test_an_id_that_somebody_took_meanwhile_is_left_out(
    texts: Texts, db: Session, ann: User, bob: User
) -> None:
    row = upload(texts, ann, archive(authoring.text("one")))
    authoring.draft(db, bob, question_id="one")
    assert ImportService(db, texts()).take_in(ann.id, row.id, {"one"}) == ([], ["one"])


def test_a_second_upload_takes_the_place_of_the_first(texts: Texts, db: Session, ann: User, bob: User) -> None:
    upload(texts, bob, archive(authoring.text("his")))
    upload(texts, ann, archive(authoring.text("one")))
    upload(texts, ann, archive(authoring.text("two")))
    names = [
        row.found["items"][0]["question_id"]
        for row in db.scalars(select(QuestionImport).order_by(QuestionImport.id))
    ]
    assert names == ["his", "two"]


@pytest.mark.parametrize(
    ("data", "form", "says"),
    [
        (b"", "auto", "looks like none"),
        (b"\x00\xff\xfe", "auto", "looks like none"),
        (b"PK\x03\x04rest", "archive", "zip"),
        (b"x", "no-such", "no such format"),
        (b"", "gift", "empty"),
    ],
)
def test_what_can_t_be_read_is_refused_with_a_sentence(
    texts: Texts, ann: User, data: bytes, form: str, says: str
) -> None:
    with pytest.raises(Invalid, match=says):
        upload(texts, ann, data, "file", form)


def test_more_than_a_page_can_show_is_left_for_a_second_import(
    texts: Texts, ann: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("portal.features.authoring.importing.ITEMS_MOST", 2)
    prompts = ["How does a lock wait?", "Where is a row kept?", "When is an index of no use at all?"]
    found = Found.of(
        upload(texts, ann, archive(*(authoring.text(f"q{n}", p) for n, p in enumerate(prompts)))).found
    )
    assert (len(found.items), found.further) == (2, 1)


def test_the_wizard(as_ann: Client, db: Session, ann: User) -> None:
    authoring.draft(db, ann)
    db.commit()
    near = authoring.text(
        "another", "Two doctors go off duty at once and nobody is left. Which anomaly do you see?"
    )
    data = archive(
        near, authoring.text("fresh", "What else, <b>if</b> anything, can be `said`?"), "not a question"
    )
    answer = as_ann.post(
        "/authoring/import", {"format": "auto", "topic": "", "file": (io.BytesIO(data), "quiz.zip")}
    )
    assert answer.status_code == 302, answer.text
    page = as_ann.get(answer.headers["Location"]).text
    assert "1 new, 1 nearly the same as others, 0 already there, 1 that could not be read" in page
    assert re.search(r'value="fresh" checked', page)
    assert not re.search(r'value="another" checked', page)
    assert page.index("In the file") < page.index("In the bank: write-skew")
    nothing = as_ann.post(answer.headers["Location"], {})
    assert nothing.status_code == 422
    check_page(nothing.text)
    done = as_ann.post(answer.headers["Location"], {"take": ["fresh", "another"]})
    assert done.headers["Location"].endswith("show=mine")
    assert "2 questions are taken in as drafts" in as_ann.get(done.headers["Location"]).text
    assert "Imported" in as_ann.get("/authoring/questions/fresh/history").text


def test_a_large_file_is_taken_from_instructors_only(
    app: Flask, as_ann: Client, learner: Client, anonymous: Client, settings: Settings
) -> None:
    form = {"format": "gift", "topic": ""}
    large = b"// nothing\n" * 300_000  # over MAX_REQUEST_BYTES, under IMPORT_MB
    assert settings.max_request_bytes < len(large) < settings.import_mb * 1024 * 1024
    assert as_ann.post("/authoring/import", {**form, "file": (io.BytesIO(large), "a.gift")}).status_code == 422
    for client in (learner, anonymous):
        assert (
            client.post("/authoring/import", {**form, "file": (io.BytesIO(large), "a.gift")}).status_code == 413
        )
    too_large = large * 3
    assert (
        as_ann.post("/authoring/import", {**form, "file": (io.BytesIO(too_large), "a.gift")}).status_code == 413
    )
    assert as_ann.post("/authoring/new", {"question_id": "x" * 2_000_000}).status_code == 413


@pytest.mark.parametrize("name", [each.name for each in FORMATS.values() if each.can_export])
def test_a_selection_is_exported_in_each_format(as_ann: Client, name: str) -> None:
    answer = as_ann.post("/authoring/export", {"question": ["a-single", "a-multiple"], "format": name})
    if answer.mimetype == "text/html":
        check_page(answer.text)
        assert "What stays behind" in answer.text
        answer = as_ann.post(
            "/authoring/export", {"question": ["a-single", "a-multiple"], "format": name, "anyway": "1"}
        )
    assert answer.mimetype == FORMATS[name].media_type
    assert answer.headers["Content-Disposition"].endswith(f'"questions{FORMATS[name].extensions[0]}"')
    if FORMATS[name].can_import:
        assert len(FORMATS[name].read(answer.data).questions) >= 1


def test_all_that_a_filter_finds_is_exported(as_ann: Client, db: Session, ann: User) -> None:
    authoring.draft(db, ann)
    db.commit()
    answer = as_ann.post("/authoring/export", {"which": "all", "kind": "single", "format": "archive"})
    names = zipfile.ZipFile(io.BytesIO(answer.data)).namelist()
    assert sorted(names) == ["bank.json", "questions/acid/write-skew.md", "questions/normalization/a-single.md"]


def test_what_a_format_can_t_carry_is_said_before(as_ann: Client, texts: Texts, db: Session, ann: User) -> None:
    authoring.draft(db, ann, question_id="half", content="half a thought")
    db.commit()
    page = as_ann.post("/authoring/export", {"question": ["a-single", "a-open", "half"], "format": "aiken"})
    assert page.mimetype == "text/html"
    assert "a-open" in page.text
    assert "half" in page.text
    result = export(texts(), ["a-single", "half", "never-written"], "archive")
    assert result.unusable == ("half", "never-written")
    assert result.made.written == ("a-single",)
    with pytest.raises(Invalid):
        export(texts(), ["half"], "archive")
    with pytest.raises(Invalid):
        export(texts(), ["a-single"], "no-such")
    nothing = as_ann.post("/authoring/export", {"format": "archive"})
    assert nothing.status_code == 302


def test_what_could_not_be_read_is_said_file_by_file(texts: Texts, ann: User) -> None:
    found = Found.of(
        upload(texts, ann, archive("---\nid: [\n---\nx\n", "---\nid: no-kind\n---\n\nWhat?\n")).found
    )
    assert [unread.name for unread in found.faults] == ["questions/acid/q0.md", "questions/acid/q1.md"]
    assert len(found.faults[0].messages) == 1
    assert len(found.faults[1].messages) > 3
    assert len(set(found.faults[1].messages)) == len(found.faults[1].messages)


def test_a_file_of_no_format_is_refused_in_the_words_of_the_page(texts: Texts, ann: User) -> None:
    with pytest.raises(Invalid, match=r"^x\.bin looks like none of the formats: choose its format below\.$"):
        upload(texts, ann, b"\x00\x01nothing", "x.bin")


def test_an_export_of_nothing_keeps_the_filters(as_ann: Client) -> None:
    answer = as_ann.post("/authoring/export", {"format": "archive", "kind": "single", "q": "a"})
    assert answer.headers["Location"].endswith("/authoring/?q=a&kind=single")


def test_a_file_says_to_the_page_that_it_came(as_ann: Client) -> None:
    form = {"question": ["a-single"], "format": "archive", "anyway": "1"}
    cookies = as_ann.post("/authoring/export", {**form, "mark": "12-34"}).headers.getlist("Set-Cookie")
    assert any(cookie.startswith("pg-file=12-34;") and "Path=/authoring/" in cookie for cookie in cookies)
    for mark in ("", "x; Path=/", "1-" + "2" * 99):
        cookies = as_ann.post("/authoring/export", {**form, "mark": mark}).headers.getlist("Set-Cookie")
        assert not any("pg-file" in cookie for cookie in cookies)
