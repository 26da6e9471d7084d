"""The page of a lesson, and the preview for authors."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.content import Content
from portal.models import LessonMark, PracticeAnswer, User
from roadmap import CONTENT_ROOT
from tests.fixtures.portal import Client

LESSON = "sagas-and-compensation"


def test_a_position_leads_back_to_its_section(learner: Client, learner_user: User, db: Session) -> None:
    page = learner.get(f"/lessons/{LESSON}").text
    heading = re.findall(r'<h2 id="([^"]+)">([^<]+)</h2>', page)[2]
    assert "Go on where you were" not in page

    assert (
        learner.post(f"/lessons/{LESSON}/position", {"heading": heading[0], "percent": "45"}).status_code == 204
    )

    assert f'<a href="#{heading[0]}">' in learner.get(f"/lessons/{LESSON}").text
    assert "Go on where you were" in learner.get(f"/lessons/{LESSON}").text
    learner.post(f"/lessons/{LESSON}/position", {"heading": "a-section-that-is-gone", "percent": "nonsense"})
    assert "Go on where you were" not in learner.get(f"/lessons/{LESSON}").text
    assert db.get(LessonMark, (learner_user.id, LESSON)) is not None


def test_a_note_comes_back_escaped_and_a_long_one_is_not_lost(learner: Client) -> None:
    learner.post(f"/lessons/{LESSON}/note", {"text": "<b>pivot</b>"})
    assert "&lt;b&gt;pivot&lt;/b&gt;</textarea>" in learner.get(f"/lessons/{LESSON}").text

    refused = learner.post(f"/lessons/{LESSON}/note", {"text": "long " * 2_001})

    assert refused.status_code == 422
    assert "at most 10,000 characters" in refused.text
    assert "long long" in refused.text


def test_the_quick_questions_are_a_session_of_their_own(learner: Client, content: Content, db: Session) -> None:
    lesson = next((one for one in content.roadmap.lessons.values() if len(one.quick) == 3), None)
    assert lesson is not None
    assert "Three quick questions" in learner.get(f"/lessons/{lesson.id}").text

    started = learner.post("/practice/start", {"source": "lesson", "id": lesson.id})

    assert started.status_code == 302
    asked = db.scalars(select(PracticeAnswer.question_id)).all()
    assert set(asked) == set(lesson.quick)
    asked_first = learner.get(learner.get(started.location).location).text
    assert f"After reading: {lesson.title}" in asked_first


@pytest.fixture
def text() -> str:
    return (Path(CONTENT_ROOT) / "lessons" / f"{LESSON}.md").read_text(encoding="utf-8")


def test_an_instructor_sees_a_lesson_as_learners_would(instructor: Client, text: str) -> None:
    shown = instructor.post("/roadmap/preview", {"text": text}).text

    assert "Sagas and compensation</h2>" in shown
    assert 'class="mermaid"' in shown


def test_faults_are_told_with_their_lines(instructor: Client, text: str) -> None:
    shown = instructor.post("/roadmap/preview", {"text": text.replace("saga-state", "saga-states")}).text

    assert "Line 6" in shown
    assert "did you mean &#39;saga-state&#39;?" in shown


@pytest.mark.parametrize("bad", ["", "---", "<script>alert(1)</script>", "---\nid: [\n---\n"])
def test_what_is_no_lesson_says_what_one_is(instructor: Client, bad: str) -> None:
    shown = instructor.post("/roadmap/preview", {"text": bad})

    assert shown.status_code == 200
    assert "to mend" in shown.text
    assert "<script>alert" not in shown.text


def test_a_text_that_is_too_long_is_refused_and_stays(instructor: Client) -> None:
    refused = instructor.post("/roadmap/preview", {"text": "word " * 20_001})

    assert refused.status_code == 422
    assert "at most 100,000 characters" in refused.text
    assert "word word" in refused.text
