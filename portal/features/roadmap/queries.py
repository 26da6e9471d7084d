"""The evidence of one learner: four statements, however much they did."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Self

from sqlalchemy import cast, func, null, select, union_all
from sqlalchemy.orm import Session

from portal.features.roadmap.progress import Standing
from portal.models import (
    ActivityWork,
    LessonRead,
    QuizAnswer,
    QuizAttempt,
    ReviewCard,
    Submission,
    SubmissionKind,
    SubmissionState,
    TaskResult,
    WorkState,
)


@dataclass(frozen=True)
class PassedTask:
    """A lab task that was passed, in a check or in a submission."""

    lab_id: str
    task_id: str
    kind: SubmissionKind
    first_at: datetime


@dataclass(frozen=True)
class Right:
    """A question that was answered right."""

    question_id: str
    at: datetime
    """The first time."""
    again: datetime | None = None
    """A time on a later day (UTC), if there was one."""

    def before(self, moment: datetime) -> Right:
        """What was known of it before that moment, which comes after the first time."""
        return self if self.again is None or self.again < moment else replace(self, again=None)

    @classmethod
    def joined(cls, question_id: str, parts: Sequence[Right]) -> Self:
        """What is known under several ids of one question."""
        first = min(part.at for part in parts)
        times = [time for part in parts for time in (part.at, part.again) if time is not None]
        return cls(question_id, first, min((t for t in times if t.date() > first.date()), default=None))


@dataclass(frozen=True)
class Evidence:
    """What one learner has done, by the ids that were current then."""

    lessons: dict[str, datetime]
    """Lesson id → when it was marked as read."""
    questions: tuple[Right, ...]
    tasks: tuple[PassedTask, ...]
    activities: tuple[tuple[str, Standing], ...]
    """Activity id → where the learner is with it."""

    def before(self, moment: datetime) -> Evidence:
        """What there was of it before that moment."""
        return Evidence(
            lessons={name: at for name, at in self.lessons.items() if at < moment},
            questions=tuple(one.before(moment) for one in self.questions if one.at < moment),
            tasks=tuple(one for one in self.tasks if one.first_at < moment),
            activities=tuple(
                (name, one.before(moment)) for name, one in self.activities if one.started_at < moment
            ),
        )

    @property
    def is_empty(self) -> bool:
        """Whether nothing has been done yet."""
        return not (self.lessons or self.questions or self.tasks or self.activities)

    def read_at(self, lesson_ids: Iterable[str]) -> datetime | None:
        """When a lesson was marked as read, under any of its ids; None when it never was."""
        return min((self.lessons[name] for name in lesson_ids if name in self.lessons), default=None)

    def right_answers(self) -> list[datetime]:
        """When questions were answered right for the first time."""
        return [one.at for one in self.questions]


def evidence(db: Session, user_id: int) -> Evidence:
    """Everything that counts as progress of this learner."""
    lessons = db.execute(
        select(LessonRead.lesson_id, LessonRead.created_at).where(LessonRead.user_id == user_id)
    )
    # Quizzes that were handed in before there were cards have none.
    moment = QuizAttempt.finished_at.type
    right = union_all(
        select(
            ReviewCard.question_id,
            ReviewCard.first_right_at.label("at"),
            ReviewCard.right_again_at.label("again"),
        ).where(ReviewCard.user_id == user_id, ReviewCard.first_right_at.is_not(None)),
        select(QuizAnswer.question_id, QuizAttempt.finished_at, cast(null(), moment))
        .join(QuizAttempt, QuizAttempt.id == QuizAnswer.attempt_id)
        .where(
            QuizAttempt.user_id == user_id, QuizAttempt.finished_at.is_not(None), QuizAnswer.correct.is_(True)
        ),
    ).subquery()
    questions = db.execute(
        select(
            right.c.question_id,
            func.min(right.c.at, type_=moment),
            func.max(right.c.at, type_=moment),
            func.min(right.c.again, type_=moment),
        ).group_by(right.c.question_id)
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
    works = db.execute(
        select(
            ActivityWork.activity_id,
            ActivityWork.state,
            ActivityWork.started_at,
            ActivityWork.done_at,
            ActivityWork.approved_at,
        ).where(ActivityWork.user_id == user_id)
    )
    return Evidence(
        lessons={lesson_id: at for lesson_id, at in lessons},
        questions=tuple(
            Right.joined(question_id, [Right(question_id, first, again), Right(question_id, last)])
            for question_id, first, last, again in questions
        ),
        tasks=tuple(
            PassedTask(lab, task, SubmissionKind(kind), at) for lab, task, kind, at in tasks if at is not None
        ),
        activities=tuple(
            (activity_id, Standing(WorkState(state), started, done, approved))
            for activity_id, state, started, done, approved in works
        ),
    )


def lesson_is_read(db: Session, user_id: int, lesson_ids: tuple[str, ...]) -> datetime | None:
    """When this learner marked the lesson (under any of its ids) as read, else None."""
    return db.scalar(
        select(func.min(LessonRead.created_at, type_=LessonRead.created_at.type)).where(
            LessonRead.user_id == user_id, LessonRead.lesson_id.in_(lesson_ids)
        )
    )
