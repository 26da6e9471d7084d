"""The pages of authoring."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.models import AuthoredQuestion, AuthoringState, ReviewComment, User
from portal.settings import Settings
from tests.factories import authoring
from tests.fixtures import questions
from tests.fixtures.portal import Client, check_page, signed_in

ROOT = "/authoring/questions"


@pytest.fixture
def drafted(db: Session, ann: User) -> AuthoredQuestion:
    made = authoring.draft(db, ann)
    db.commit()
    return made


def base_of(client: Client, question_id: str) -> str:
    page = client.get(f"{ROOT}/{question_id}/edit").text
    found = re.search(r'name="base" value="([0-9a-f]{64})"', page)
    assert found
    return found[1]


def step(client: Client, question_id: str, name: str, **more: str):
    return client.post(
        f"{ROOT}/{question_id}/step", {"step": name, "base": base_of(client, question_id), **more}
    )


def test_the_whole_way_of_a_question(
    as_ann: Client, as_bob: Client, learner: Client, db: Session, bank_dir: Path
) -> None:
    begun = as_ann.post("/authoring/new", {"kind": "single", "topic": "acid", "question_id": "write-skew"})
    assert begun.headers["Location"].endswith("/write-skew/edit")
    assert "Fill in" in as_ann.get(f"{ROOT}/write-skew/edit").text
    base = base_of(as_ann, "write-skew")
    saved = as_ann.post(f"{ROOT}/write-skew/edit", {"base": base, "text": authoring.TEXT, "send": "1"})
    assert saved.headers["Location"].endswith("/write-skew")
    assert "waits for the review" in as_ann.get(f"{ROOT}/write-skew").text

    assert "1 question waits for your review" in as_bob.get("/authoring/").text
    assert "waits for your review" not in as_ann.get("/authoring/").text
    answered = as_bob.post(
        f"{ROOT}/write-skew/comments",
        {"base": base_of(as_bob, "write-skew"), "line": "13", "text": "Say who they are."},
    )
    assert answered.headers["Location"].endswith("#line-13")
    assert "Say who they are." in as_ann.get(f"{ROOT}/write-skew").text
    assert "Say who they are." in as_ann.get(f"{ROOT}/write-skew/edit").text
    assert step(as_bob, "write-skew", "return", note="Not yet.").status_code == 302
    assert step(as_ann, "write-skew", "send").status_code == 302
    step(as_ann, "write-skew", "publish")
    assert "Another instructor has to review it" in as_ann.get(f"{ROOT}/write-skew").text
    assert not (bank_dir / "questions").exists()

    step(as_bob, "write-skew", "publish")
    assert "Learners meet it from now on" in as_bob.get(f"{ROOT}/write-skew").text
    assert (bank_dir / "questions" / "acid" / "write-skew.md").read_text() == authoring.TEXT
    assert "Transactions" in learner.get("/quizzes/").text
    start = learner.post("/quizzes/start/transactions-and-isolation")
    assert "Which anomaly is" in learner.get(start.headers["Location"]).text
    history = as_bob.get(f"{ROOT}/write-skew/history").text
    for word in ("Begun", "Changed", "Sent for review", "Returned to the author", "Not yet.", "Published"):
        assert word in history
    assert "<del>" in history or "diff-removed" in history


def test_the_second_of_two_editors_sees_both_texts_and_decides(
    as_ann: Client, as_bob: Client, drafted: AuthoredQuestion, db: Session
) -> None:
    hers = authoring.text(prompt="Her prompt, is it?")
    his = authoring.text(prompt="His prompt, is it?")
    base = base_of(as_bob, "write-skew")
    assert as_ann.post(f"{ROOT}/write-skew/edit", {"base": base, "text": hers}).status_code == 302
    answer = as_bob.post(f"{ROOT}/write-skew/edit", {"base": base, "text": his})
    assert answer.status_code == 409
    check_page(answer.text)
    assert "Somebody else changed this question" in answer.text
    assert "His prompt" in answer.text
    assert re.search(r"Removed: </span><del>Her</del> prompt", answer.text)
    assert re.search(r"Added: </span><ins>His</ins> prompt", answer.text)
    db.expire_all()
    assert drafted.text == hers
    new_base = re.search(r'name="base" value="([0-9a-f]{64})"', answer.text)[1]  # type: ignore[index]
    assert as_bob.post(f"{ROOT}/write-skew/edit", {"base": new_base, "text": his}).status_code == 302
    db.expire_all()
    assert (drafted.text, drafted.version) == (his, 3)


def test_checking_stores_nothing_and_shows_remarks_and_the_question(
    as_ann: Client, drafted: AuthoredQuestion, db: Session
) -> None:
    text = authoring.text(prompt="Is this shown as `code`?").replace("level: senior\n", "")
    answer = as_ann.post(f"{ROOT}/write-skew/check", {"text": text, "variants": "2", "answered": "1"})
    check_page(answer.text)
    assert "<h1" not in answer.text
    assert 'data-line="2"' in answer.text
    assert "level" in answer.text
    assert answer.text.count("Is this shown as <code>code</code>?") == 4
    assert "Both transactions read the same rows" in answer.text
    db.expire_all()
    assert drafted.version == 1


@pytest.mark.parametrize("kind", [*questions._PARTS])
@pytest.mark.parametrize("answered", ["", "1"])
def test_a_question_of_every_kind_can_be_looked_at(as_ann: Client, kind: str, answered: str) -> None:
    page = as_ann.get(f"{ROOT}/a-{kind}?variants=3&answered={answered}")
    assert page.status_code == 200
    assert page.text.count("As a learner sees it") == 1
    assert page.text.count('class="seed"') == 3
    assert as_ann.get(f"{ROOT}/a-{kind}/edit").status_code == 200
    if kind == "variants":
        assert "Variant 2 of 20" in page.text
        assert page.text.count("rate = ") == 3


def test_the_preview_acts_on_nothing_and_sends_nothing(as_ann: Client) -> None:
    page = as_ann.get(f"{ROOT}/a-open/edit?answered=1").text
    inside = page[page.index('id="editor-form"') : page.index('id="checker"')]
    assert "<form" not in inside
    assert inside.count('<fieldset class="as-learner" disabled>') == 1


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("q=ANOMALY", ["write-skew"]),
        ("q=which+ones", ["a-multiple"]),
        ("q=nowhere-to-be-found", []),
        ("show=draft", ["write-skew"]),
        ("show=mine", ["write-skew"]),
        ("show=commented", ["write-skew"]),
        ("show=review", []),
        ("show=retired", []),
        ("kind=numeric", ["a-numeric", "a-variants"]),
        ("kind=single&module=schema-design", ["a-single"]),
        ("origin=own", ["write-skew"]),
        ("show=published&kind=true-false", ["a-true-false"]),
        ("page=999&kind=open", ["a-open"]),
        ("show=nonsense", []),
    ],
)
def test_the_list_is_searched_and_filtered(
    as_ann: Client, db: Session, drafted: AuthoredQuestion, ann: User, query: str, names: list[str]
) -> None:
    authoring.comment(db, drafted, ann)
    db.commit()
    page = as_ann.get(f"/authoring/?{query}").text
    assert re.findall(r'<th scope="row".*?<a href="/authoring/questions/([a-z-]+)"', page, re.DOTALL) == names


def test_an_author_s_markup_is_harmless(as_ann: Client, drafted: AuthoredQuestion) -> None:
    evil = authoring.text(prompt="<script>alert(1)</script><img src=x alt=x onerror=alert(1)> Which?")
    base = base_of(as_ann, "write-skew")
    as_ann.post(f"{ROOT}/write-skew/edit", {"base": base, "text": evil, "note": "<b>bold</b>"})
    for path in ("", "/edit", "/history"):
        page = as_ann.get(f"{ROOT}/write-skew{path}").text  # the client checks for scripts and handlers
        assert "<b>bold</b>" not in page


@pytest.mark.parametrize(
    ("path", "form", "status"),
    [
        ("/write-skew/edit", {"text": "x" * 70_000}, 422),
        ("/write-skew/edit", {"text": ""}, 422),
        ("/write-skew/step", {"step": "explode"}, 422),
        ("/write-skew/comments", {"line": "1", "text": ""}, 422),
        ("/write-skew/comments", {"line": "1", "text": "So.", "base": "0" * 64}, 409),
        ("/write-skew/comments/999", {}, 404),
        ("/never-written/edit", {"text": "x"}, 404),
        ("/never-written/step", {"step": "send"}, 404),
        ("/write-skew/restore", {"version": "99"}, 404),
        ("/write-skew/duplicate", {"question_id": "Not A Slug"}, 422),
        ("/write-skew/duplicate", {"question_id": "a-single"}, 422),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_sentence(
    as_ann: Client, drafted: AuthoredQuestion, path: str, form: dict[str, str], status: int
) -> None:
    answer = as_ann.post(f"{ROOT}{path}", {"base": authoring.TEXT_HASH, **form})
    assert answer.status_code == status
    check_page(answer.text)


@pytest.mark.parametrize(
    ("field", "value"),
    [("kind", "essay"), ("topic", "no-such"), ("question_id", "X"), ("question_id", "a-single")],
)
def test_a_new_question_needs_a_kind_a_topic_and_an_id(as_ann: Client, field: str, value: str) -> None:
    form = {"kind": "single", "topic": "acid", "question_id": "fresh", field: value}
    answer = as_ann.post("/authoring/new", form)
    assert answer.status_code == 422
    check_page(answer.text)


def test_a_comment_that_came_too_late_is_not_lost(
    as_ann: Client, drafted: AuthoredQuestion, db: Session
) -> None:
    answer = as_ann.post(f"{ROOT}/write-skew/comments", {"base": "0" * 64, "line": "3", "text": "Is it so?"})
    assert "Is it so?" in answer.text
    assert db.scalars(select(ReviewComment)).all() == []


def test_a_draft_is_discarded_and_a_copy_begun(as_ann: Client, drafted: AuthoredQuestion, db: Session) -> None:
    made = as_ann.post(f"{ROOT}/write-skew/duplicate", {"question_id": "write-skew-2"})
    assert made.headers["Location"].endswith("/write-skew-2/edit")
    gone = as_ann.post(f"{ROOT}/write-skew/discard", {"base": authoring.TEXT_HASH})
    assert gone.headers["Location"].endswith("/authoring/")
    assert as_ann.get(f"{ROOT}/write-skew").status_code == 404
    assert db.scalars(select(AuthoredQuestion.question_id)).all() == ["write-skew-2"]


def test_an_unwritten_file_is_said_and_can_be_tried_again(
    as_ann: Client, as_bob: Client, db: Session, ann: User, bank_dir: Path
) -> None:
    authoring.draft(db, ann, state=AuthoringState.REVIEW)
    db.commit()
    bank_dir.write_text("a file where the folder should be")
    step(as_bob, "write-skew", "publish")
    assert "not in the bank’s folder yet" in as_bob.get(f"{ROOT}/write-skew").text
    assert "Some files are not written yet" in as_bob.get("/authoring/").text
    as_bob.post("/authoring/write-out")
    assert "still can&#39;t be written" in as_bob.get("/authoring/").text
    bank_dir.unlink()
    as_bob.post("/authoring/write-out")
    assert "Some files are not written yet" not in as_bob.get("/authoring/").text
    assert (bank_dir / "questions" / "acid" / "write-skew.md").exists()


def test_another_process_serves_what_was_published(
    app: Flask, settings: Settings, small, jobs, as_bob: Client, learner_user: User, db: Session, ann: User
) -> None:
    from portal.app import create_app

    other = create_app(settings, content=small, jobs=jobs)
    there = signed_in(other, settings, learner_user)
    before = there.get("/quizzes/").text
    authoring.draft(db, ann, state=AuthoringState.REVIEW)
    db.commit()
    step(as_bob, "write-skew", "publish")
    after = there.get("/quizzes/").text
    assert "transactions-and-isolation" not in before
    assert "transactions-and-isolation" in after
    other.extensions["portal"].database.close()
