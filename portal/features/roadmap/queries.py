"""The evidence of one learner: four statements, however much they did."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from functools import cached_property
from typing import Any, Self, TypeVar

from sqlalchemy import cast, func, null, select, union_all
from sqlalchemy.orm import Session

from portal.days import day_in
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

Made = TypeVar("Made")


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
    """A time on a later day of the learner's, if there was one."""

    def before(self, moment: datetime) -> Right:
        """What was known of it before that moment, which comes after the first time."""
        return self if self.again is None or self.again < moment else replace(self, again=None)

    @classmethod
    def between(
        cls, question_id: str, first: datetime, last: datetime, again: datetime | None, zone: tzinfo
    ) -> Self:
        """What the first and the last right answer tell, and one of which it is known that it came on a later day.

        Days are those of the zone; a later day that was told before stays one, also when the learner's zone has changed since.
        """
        later = [] if again is None else [again]
        if day_in(zone, last) > day_in(zone, first):
            later.append(last)
        return cls(question_id, first, min(later, default=None))

    @classmethod
    def joined(cls, question_id: str, parts: Sequence[Right], zone: tzinfo) -> Self:
        """What is known under several ids of one question, by the days of that zone."""
        first = min(part.at for part in parts)
        later = [part.at for part in parts if day_in(zone, part.at) > day_in(zone, first)]
        later += [part.again for part in parts if part.again is not None]
        return cls(question_id, first, min(later, default=None))


@dataclass(frozen=True)
class Evidence:
    """What one learner has done, by the ids that were current then."""

    lessons: dict[str, datetime]
    """Lesson id → when it was marked as read."""
    questions: tuple[Right, ...]
    tasks: tuple[PassedTask, ...]
    activities: tuple[tuple[str, Standing], ...]
    """Activity id → where the learner is with it."""
    zone: tzinfo = UTC
    """Whose days count."""

    def once(self, name: Hashable, make: Callable[[], Made]) -> Made:
        """What follows from this evidence, made at the first call and kept as long as the evidence. Callers must ask for
        few different names.
        """
        found: Made | None = self._made.get(name)
        if found is None:
            found = self._made[name] = make()
        return found

    @cached_property
    def _made(self) -> dict[Hashable, Any]:
        return {}

    def before(self, moment: datetime) -> Evidence:
        """What there was of it before that moment. The last one is kept."""
        known: tuple[datetime, Evidence] | None = self._made.get("before")
        if known is None or known[0] != moment:
            known = self._made["before"] = (moment, self._before(moment))
        return known[1]

    def _before(self, moment: datetime) -> Evidence:
        return Evidence(
            lessons={name: at for name, at in self.lessons.items() if at < moment},
            questions=tuple(one.before(moment) for one in self.questions if one.at < moment),
            tasks=tuple(one for one in self.tasks if one.first_at < moment),
            activities=tuple(
                (name, one.before(moment)) for name, one in self.activities if one.started_at < moment
            ),
            zone=self.zone,
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


def evidence(db: Session, user_id: int, zone: tzinfo) -> Evidence:
    """Everything that counts as progress of this learner, whose days are those of the zone."""
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
            Right.between(question_id, first, last, again, zone)
            for question_id, first, last, again in questions
        ),
        tasks=tuple(
            PassedTask(lab, task, SubmissionKind(kind), at) for lab, task, kind, at in tasks if at is not None
        ),
        activities=tuple(
            (activity_id, Standing(WorkState(state), started, done, approved))
            for activity_id, state, started, done, approved in works
        ),
        zone=zone,
    )


def lesson_is_read(db: Session, user_id: int, lesson_ids: tuple[str, ...]) -> datetime | None:
    """When this learner marked the lesson (under any of its ids) as read, else None."""
    return db.scalar(
        select(func.min(LessonRead.created_at, type_=LessonRead.created_at.type)).where(
            LessonRead.user_id == user_id, LessonRead.lesson_id.in_(lesson_ids)
        )
    )
