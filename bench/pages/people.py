"""The accounts that look at the pages, and one of each thing that a page's address can name, all theirs."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from portal.content import Content
from portal.features.accounts import AccountService
from portal.features.authoring.checking import digest, gist
from portal.features.plan import PlanService, Wishes
from portal.models import (
    ActivityWork,
    AuthoredQuestion,
    CodeRun,
    HandIn,
    LessonMark,
    LessonRead,
    PracticeAnswer,
    PracticeSession,
    PracticeSource,
    QuestionImport,
    QuestionNote,
    QuestionReport,
    QuestionRevision,
    QuizAnswer,
    QuizAttempt,
    ReportReason,
    Role,
    RunPurpose,
    RunState,
    Submission,
    SubmissionKind,
    SubmissionState,
    TaskResult,
    User,
    WorkerStatus,
    WorkState,
    utcnow,
)
from question_bank import Question
from question_bank.starting import starting_text

PASSWORD = "a-passphrase-of-the-benchmark"  # noqa: S105 - of accounts that live as long as the benchmark
TYPICAL, HEAVY, ADMIN = "typical", "heavy", "admin"


@dataclass(frozen=True)
class Person:
    """Somebody who looks at pages."""

    name: str
    user_id: int
    email: str
    things: dict[str, dict[str, object]]
    """Endpoint → the values of its address; `""` holds what is the same for all endpoints."""


def people(db: Session, content: Content) -> list[Person]:
    """A learner who will have done as much as most, one with a long history, and an administrator."""
    draft = _draft(db)
    db.merge(WorkerStatus(id=1, driver="docker", isolated=True, reason="", heartbeat_at=utcnow()))
    found = []
    for name, role in ((TYPICAL, Role.LEARNER), (HEAVY, Role.LEARNER), (ADMIN, Role.ADMIN)):
        email = f"{name}@bench.example"
        user = AccountService(db).create(email=email, display_name=name.title(), password=PASSWORD, role=role)
        db.flush()
        found.append(Person(name, user.id, email, _things(db, user, content, draft)))
    return found


def _things(db: Session, user: User, content: Content, draft: AuthoredQuestion) -> dict[str, dict[str, object]]:
    questions = list(content.bank.questions.values())
    asked = [one for one in questions if one.kind in ("single", "multiple", "true-false")][:10]
    program = [one for one in questions if one.kind == "code"][:1]
    lab = next(iter(content.labs.labs.values()))
    lesson = next(iter(content.roadmap.lessons.values()))
    now = utcnow()
    running, finished = (_practice(db, user, asked, done=done) for done in (False, True))
    programs = _practice(db, user, program, done=False) if program else running
    if program:
        _run(db, user, programs, program[0])
    open_quiz, quiz = (_quiz(db, user, asked, done=done) for done in (False, True))
    submission = _submission(db, user, content)
    uploaded = QuestionImport(
        user_id=user.id, file_name="questions.zip", format="archive",
        found={"items": [{"question_id": "from-a-file", "text": draft.text, "faults": [], "losses": [], "like": "",
                          "likeness": 0}], "same": [], "faults": [], "losses": [], "further": 0},
    )  # fmt: skip
    report = QuestionReport(
        user_id=user.id, question_id=asked[0].id, content_hash=asked[0].content_hash, seed=1,
        reason=ReportReason.UNCLEAR,
    )  # fmt: skip
    db.add_all([uploaded, report, QuestionNote(user_id=user.id, question_id=asked[0].id, bookmarked=True)])
    db.add(LessonRead(user_id=user.id, lesson_id="a-lesson-of-former-days", content_hash="", created_at=now))
    db.add(LessonMark(user_id=user.id, lesson_id=lesson.id, percent=40))
    activity = next(iter(content.roadmap.activities))
    work = ActivityWork(user_id=user.id, activity_id=activity, state=WorkState.HANDED_IN, done_at=now)
    db.add(work)
    db.flush()
    handed_in = HandIn(work_id=work.id, text="What came of it.", link="", notes=[])
    db.add(handed_in)
    track = max(content.roadmap.tracks.values(), key=lambda track: len(track.modules))
    PlanService(db, content, user.id).make(Wishes(track, 6, now.date()))
    db.flush()
    return {
        "": {
            "activity_id": activity,
            "hand_in_id": handed_in.id,
            "plan_id": next(iter(content.roadmap.plans)),
            "track_id": track.id,
            "module_id": max(content.roadmap.modules.values(), key=lambda module: len(module.topics)).id,
            "lesson_id": lesson.id,
            "lab_id": lab.id,
            "slug": lab.id,
            "submission_id": submission.id,
            "session_id": running.id,
            "position": 1,
            "attempt_id": open_quiz.id,
            "question_id": asked[0].id,
            "report_id": report.id,
            "import_id": uploaded.id,
            "path": "reference_impl/services/inventory/service.py",
            "q": "isolation",
        },
        "practice.result": {"attempt_id": quiz.id},
        "reviews.result": {"session_id": finished.id},
        "reviews.program": {"session_id": programs.id},
        "authoring": {"question_id": draft.question_id},
    }


def _draft(db: Session) -> AuthoredQuestion:
    text = starting_text("single", "a-draft-of-the-benchmark", "schema-design", "normalization")
    found = gist(text)
    made = AuthoredQuestion(
        question_id="a-draft-of-the-benchmark", text=text, text_hash=digest(text), kind=found.kind,
        module=found.module, excerpt=found.excerpt,
    )  # fmt: skip
    db.add(made)
    db.flush()
    db.add(QuestionRevision(authored_id=made.id, number=1, text=text, text_hash=made.text_hash))
    db.flush()
    return made


def _practice(db: Session, user: User, questions: list[Question], *, done: bool) -> PracticeSession:
    """A session in which nothing is answered, so that nothing has to be recorded."""
    now = utcnow()
    made = PracticeSession(
        user_id=user.id, source=PracticeSource.DUE, created_at=now, finished_at=now if done else None
    )
    made.answers = [
        PracticeAnswer(position=n, question_id=one.id, content_hash=one.content_hash, seed=n, shown_at=now)
        for n, one in enumerate(questions, 1)
    ]
    db.add(made)
    db.flush()
    return made


def _run(db: Session, user: User, session: PracticeSession, question: Question) -> None:
    db.add(
        CodeRun(
            user_id=user.id, session_id=session.id, position=1, content_hash=question.content_hash,
            purpose=RunPurpose.TRY, state=RunState.FAILED, program="print(1)", cases=1, error="No runner answered.",
            finished_at=utcnow(),
        )
    )  # fmt: skip
    db.flush()


def _quiz(db: Session, user: User, questions: list[Question], *, done: bool) -> QuizAttempt:
    """A quiz whose answers were all left out."""
    attempt = QuizAttempt(
        user_id=user.id, module_id=questions[0].module, seed=1, finished_at=utcnow() if done else None,
        score=0.0 if done else None,
    )  # fmt: skip
    attempt.answers = [
        QuizAnswer(question_id=one.id, position=n, content_hash=one.content_hash)
        for n, one in enumerate(questions, 1)
    ]
    db.add(attempt)
    db.flush()
    return attempt


def _submission(db: Session, user: User, content: Content) -> Submission:
    """With every task of the lab passed, so that its solution may be seen."""
    lab = next(iter(content.labs.labs.values()))
    made = Submission(
        user_id=user.id, lab_id=lab.id, kind=SubmissionKind.SUBMIT, state=SubmissionState.GRADED, seed=7,
        content_hash=lab.content_hash, score=lab.max_score, max_score=lab.max_score, finished_at=utcnow(),
    )  # fmt: skip
    made.results = [
        TaskResult(task_id=task.id, position=n, points=task.points, earned=task.points, status="passed")
        for n, task in enumerate(lab.tasks, 1)
    ]
    db.add(made)
    db.flush()
    return made
