"""Progress: only evidence moves it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy.orm import Session

from portal.content import Content
from portal.features.roadmap import ProgressService, TopicState
from portal.models import QuizAnswer, QuizAttempt, SubmissionKind, SubmissionState, User, utcnow
from tests.factories import submissions, users
from tests.fixtures import questions

WHEN = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)


@pytest.fixture
def user(db: Session) -> User:
    return users.user(db)


@pytest.fixture
def service(db: Session, content: Content) -> ProgressService:
    return ProgressService(db, content)


@pytest.fixture
def task(content: Content) -> tuple[str, str]:
    """A task of never-oversell and a topic that it proves."""
    first = content.labs.labs["never-oversell"].tasks[0]
    return first.id, first.proves[0]


def test_nothing_done_is_unseen(service: ProgressService, user: User) -> None:
    progress = service.of(user.id)
    assert {t.state for t in progress.topics.values()} == {TopicState.UNSEEN}
    assert all(t.why == "" for t in progress.topics.values())


def test_reading_a_lesson_makes_its_topics_read(
    service: ProgressService, user: User, content: Content, db: Session
) -> None:
    lesson = next(iter(content.roadmap.lessons.values()))
    service.mark_read(user.id, lesson)
    service.mark_read(user.id, lesson)
    db.flush()
    progress = service.of(user.id)
    assert {progress.topics[t].state for t in lesson.topics} == {TopicState.READ}
    assert lesson.title in progress.topics[lesson.topics[0]].why
    assert progress.lessons_read == {lesson.id}
    untouched = set(progress.topics) - set(lesson.topics)
    assert {progress.topics[t].state for t in untouched} == {TopicState.UNSEEN}


def test_answers_of_an_unfinished_quiz_count_for_nothing(
    service: ProgressService, user: User, content: Content, db: Session
) -> None:
    topic, questions_of_it = next(
        (topic, found) for topic, found in content.questions_by_topic.items() if len(found) > 1
    )
    attempt = QuizAttempt(user_id=user.id, module_id=questions_of_it[0].module, seed=1)
    attempt.answers = [
        QuizAnswer(question_id=question.id, position=n, content_hash="", correct=True, fraction=1.0)
        for n, question in enumerate(questions_of_it[:2], 1)
    ]
    db.add(attempt)
    db.flush()
    assert service.of(user.id).topics[topic].state == TopicState.UNSEEN
    attempt.finished_at = WHEN
    db.flush()
    assert service.of(user.id).topics[topic].state == TopicState.PRACTISED


def test_a_check_practises_and_a_submission_proves(
    service: ProgressService, user: User, db: Session, task: tuple[str, str], content: Content
) -> None:
    task_id, topic = task
    submissions.submission(db, user, kind=SubmissionKind.CHECK, results={task_id: "passed"})
    assert service.of(user.id).topics[topic].state == TopicState.PRACTISED
    submissions.submission(db, user, results={task_id: "passed"}, finished_at=WHEN)
    proven = service.of(user.id).topics[topic]
    assert proven.state == TopicState.PROVEN
    assert content.labs.labs["never-oversell"].tasks[0].title in proven.why
    assert "4 May 2026" in proven.why


@pytest.mark.parametrize("status", ["failed", "error"])
def test_a_failed_task_proves_nothing(
    service: ProgressService, user: User, db: Session, task: tuple[str, str], status: str
) -> None:
    submissions.submission(db, user, results={task[0]: status})
    assert service.of(user.id).topics[task[1]].state == TopicState.UNSEEN


def test_what_is_still_being_graded_proves_nothing(
    service: ProgressService, user: User, db: Session, task: tuple[str, str]
) -> None:
    submissions.submission(db, user, state=SubmissionState.RUNNING, results={task[0]: "passed"})
    assert service.of(user.id).topics[task[1]].state == TopicState.UNSEEN


def test_a_later_reading_takes_nothing_away(
    service: ProgressService, user: User, db: Session, task: tuple[str, str], content: Content
) -> None:
    submissions.submission(db, user, results={task[0]: "passed"})
    for lesson in content.roadmap.lessons.values():
        service.mark_read(user.id, lesson)
    db.flush()
    assert service.of(user.id).topics[task[1]].state == TopicState.PROVEN


def test_other_people_s_evidence_is_theirs(
    service: ProgressService, user: User, db: Session, task: tuple[str, str]
) -> None:
    submissions.submission(db, users.user(db), results={task[0]: "passed"})
    assert service.of(user.id).topics[task[1]].state == TopicState.UNSEEN


def test_progress_takes_four_statements_however_much_was_done(
    service: ProgressService, user: User, db: Session, task: tuple[str, str], content: Content
) -> None:
    from sqlalchemy import event

    for _ in range(5):
        submissions.submission(db, user, results={task[0]: "passed"}, finished_at=utcnow())
    for lesson in content.roadmap.lessons.values():
        service.mark_read(user.id, lesson)
    db.flush()
    seen: list[str] = []
    engine = db.get_bind()
    event.listen(engine, "before_cursor_execute", lambda *arguments: seen.append(arguments[2]))
    service.of(user.id)
    assert len(seen) == 4


def test_a_topic_with_code_questions_alone_can_be_practised(db: Session, user: User, content: Content) -> None:
    for kind in ("code", "single"):
        bank = questions.content_of(content, questions.question(kind))
        assert ProgressService(db, bank).of(user.id).topics[questions.TOPIC].best == TopicState.PRACTISED
