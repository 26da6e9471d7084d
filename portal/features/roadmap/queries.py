"""The evidence of one learner: three statements, however much they did."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select, union_all
from sqlalchemy.orm import Session

from portal.models import (
    LessonRead,
    QuizAnswer,
    QuizAttempt,
    ReviewCard,
    Submission,
    SubmissionKind,
    SubmissionState,
    TaskResult,
)


@dataclass(frozen=True)
class PassedTask:
    """A lab task that was passed, in a check or in a submission."""

    lab_id: str
    task_id: str
    kind: SubmissionKind
    first_at: datetime


@dataclass(frozen=True)
class Evidence:
    """What one learner has done, by the ids that were current then."""

    lessons: dict[str, datetime]
    """Lesson id → when it was marked as read."""
    questions: dict[str, datetime]
    """Question id → when it was first answered right."""
    tasks: tuple[PassedTask, ...]

    def before(self, moment: datetime) -> Evidence:
        """What there was of it before that moment."""
        return Evidence(
            lessons={name: at for name, at in self.lessons.items() if at < moment},
            questions={name: at for name, at in self.questions.items() if at < moment},
            tasks=tuple(one for one in self.tasks if one.first_at < moment),
        )

    @property
    def is_empty(self) -> bool:
        """Whether nothing has been done yet."""
        return not (self.lessons or self.questions or self.tasks)

    def right_answers(self) -> list[datetime]:
        """When questions were answered right for the first time."""
        return list(self.questions.values())


def evidence(db: Session, user_id: int) -> Evidence:
    """Everything that counts as progress of this learner."""
    lessons = db.execute(
        select(LessonRead.lesson_id, LessonRead.created_at).where(LessonRead.user_id == user_id)
    )
    # Quizzes that were handed in before there were cards have none.
    first_right = union_all(
        select(QuizAnswer.question_id, QuizAttempt.finished_at.label("at"))
        .join(QuizAttempt, QuizAttempt.id == QuizAnswer.attempt_id)
        .where(
            QuizAttempt.user_id == user_id, QuizAttempt.finished_at.is_not(None), QuizAnswer.correct.is_(True)
        ),
        select(ReviewCard.question_id, ReviewCard.first_right_at.label("at")).where(
            ReviewCard.user_id == user_id, ReviewCard.first_right_at.is_not(None)
        ),
    ).subquery()
    questions = db.execute(
        select(
            first_right.c.question_id, func.min(first_right.c.at, type_=QuizAttempt.finished_at.type)
        ).group_by(first_right.c.question_id)
    )
    tasks = db.execute(
        select(
            Submission.lab_id,
            TaskResult.task_id,
            Submission.kind,
            func.min(Submission.finished_at, type_=Submission.finished_at.type),
        )
        .join(TaskResult, TaskResult.submission_id == Submission.id)
        .where(
            Submission.user_id == user_id,
            Submission.state == SubmissionState.GRADED,
            Submission.finished_at.is_not(None),
            TaskResult.status == "passed",
        )
        .group_by(Submission.lab_id, TaskResult.task_id, Submission.kind)
    )
    return Evidence(
        lessons={lesson_id: at for lesson_id, at in lessons},
        questions={question_id: at for question_id, at in questions if at is not None},
        tasks=tuple(
            PassedTask(lab, task, SubmissionKind(kind), at) for lab, task, kind, at in tasks if at is not None
        ),
    )


def lesson_is_read(db: Session, user_id: int, lesson_ids: tuple[str, ...]) -> datetime | None:
    """When this learner marked the lesson (under any of its ids) as read, else None."""
    return db.scalar(
        select(func.min(LessonRead.created_at, type_=LessonRead.created_at.type)).where(
            LessonRead.user_id == user_id, LessonRead.lesson_id.in_(lesson_ids)
        )
    )
