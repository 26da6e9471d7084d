"""What is read of activities that learners work on."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import CursorResult, Select, Update, func, select, update
from sqlalchemy.orm import Session, aliased, defer

from portal.models import ActivityWork, HandIn, User, Verdict

QUEUE_MOST = 100
DECIDED_MOST = 20
_claimer, _decider, _revoker = aliased(User), aliased(User), aliased(User)


@dataclass(frozen=True)
class Version:
    """One thing that was handed in, without its text, and who decided on it."""

    hand_in: HandIn
    number: int
    """From 1, in the order in which they came."""
    decider: str
    revoker: str


@dataclass(frozen=True)
class QueueLine:
    """One thing that was handed in, as instructors see it in their list."""

    hand_in: HandIn
    activity_id: str
    user_id: int
    learner: str
    claimer: str
    decider: str
    revoker: str
    """Who took the approval back."""

    @property
    def moved_at(self) -> datetime:
        """When an instructor did something about it last; when it came, before that."""
        return self.hand_in.revoked_at or self.hand_in.decided_at or self.hand_in.created_at


def works(db: Session, user_id: int, activity_ids: Collection[str]) -> list[ActivityWork]:
    """A learner's work on an activity, which may go by several ids."""
    return list(
        db.scalars(
            select(ActivityWork).where(
                ActivityWork.user_id == user_id, ActivityWork.activity_id.in_(activity_ids)
            )
        )
    )


def locked(db: Session, work_id: int) -> ActivityWork:
    """The row as it is now, held until the transaction ends."""
    return db.scalars(
        select(ActivityWork)
        .where(ActivityWork.id == work_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()


def versions(db: Session, user_id: int, activity_ids: Collection[str]) -> list[Version]:
    """Everything that a learner handed in for an activity, oldest first."""
    rows = db.execute(
        select(HandIn, User.display_name, _revoker.display_name)
        .join(ActivityWork, ActivityWork.id == HandIn.work_id)
        .outerjoin(User, User.id == HandIn.decided_by)
        .outerjoin(_revoker, _revoker.id == HandIn.revoked_by)
        .where(ActivityWork.user_id == user_id, ActivityWork.activity_id.in_(activity_ids))
        .order_by(HandIn.created_at, HandIn.id)
        .options(defer(HandIn.text))
        .execution_options(populate_existing=True)
    )
    return [
        Version(hand_in, number, decider or "", revoker or "")
        for number, (hand_in, decider, revoker) in enumerate(rows, 1)
    ]


def text_of(db: Session, hand_in_id: int) -> str:
    """The text of one version."""
    return db.scalar(select(HandIn.text).where(HandIn.id == hand_in_id)) or ""


def withdraw(db: Session, hand_in_id: int, at: datetime) -> bool:
    """Take back what waits, unless an instructor has it by now; whether it was taken back."""
    return changed(
        db,
        update(HandIn)
        .where(HandIn.id == hand_in_id, HandIn.verdict.is_(None), HandIn.claimed_by.is_(None))
        .values(verdict=Verdict.WITHDRAWN, decided_at=at),
    )


def changed(db: Session, statement: Update) -> bool:
    """Change one row if it is as the statement asks for; of two who try at once one succeeds."""
    result = db.execute(statement, execution_options={"synchronize_session": False})
    assert isinstance(result, CursorResult)
    return result.rowcount == 1


def handed_in_since(db: Session, user_id: int, since: datetime) -> int:
    """How much a learner handed in since then, over all activities."""
    return (
        db.scalar(
            select(func.count())
            .select_from(HandIn)
            .join(ActivityWork, ActivityWork.id == HandIn.work_id)
            .where(ActivityWork.user_id == user_id, HandIn.created_at >= since)
        )
        or 0
    )


def hand_in(db: Session, hand_in_id: int) -> QueueLine | None:
    """One thing that was handed in, by anybody."""
    return next(iter(_lines(db, _queue().where(HandIn.id == hand_in_id))), None)


def waiting(db: Session) -> list[QueueLine]:
    """What waits for an instructor, oldest first, at most QUEUE_MOST."""
    wanted = _queue().where(HandIn.verdict.is_(None)).order_by(HandIn.created_at, HandIn.id)
    return _lines(db, wanted.limit(QUEUE_MOST))


def decided(db: Session) -> list[QueueLine]:
    """What was approved or returned lately, and approvals that were taken back; the newest first. Two statements."""
    judged = _queue().where(HandIn.decided_at.is_not(None), HandIn.decided_by.is_not(None))
    revoked = _queue().where(HandIn.revoked_at.is_not(None))
    found = _lines(db, judged.order_by(HandIn.decided_at.desc(), HandIn.id.desc()).limit(DECIDED_MOST))
    found += _lines(db, revoked.order_by(HandIn.revoked_at.desc(), HandIn.id.desc()).limit(DECIDED_MOST))
    lines = {line.hand_in.id: line for line in found}
    return sorted(lines.values(), key=lambda line: line.moved_at, reverse=True)[:DECIDED_MOST]


def _queue() -> Select[HandIn, str, int, str, str, str, str]:
    return (
        select(
            HandIn,
            ActivityWork.activity_id,
            ActivityWork.user_id,
            User.display_name,
            _claimer.display_name,
            _decider.display_name,
            _revoker.display_name,
        )
        .join(ActivityWork, ActivityWork.id == HandIn.work_id)
        .join(User, User.id == ActivityWork.user_id)
        .outerjoin(_claimer, _claimer.id == HandIn.claimed_by)
        .outerjoin(_decider, _decider.id == HandIn.decided_by)
        .outerjoin(_revoker, _revoker.id == HandIn.revoked_by)
        .options(defer(HandIn.text))
        .execution_options(populate_existing=True)
    )


def _lines(db: Session, wanted: Select[HandIn, str, int, str, str, str, str]) -> list[QueueLine]:
    return [
        QueueLine(one, activity_id, user_id, learner, claimer or "", decider or "", revoker or "")
        for one, activity_id, user_id, learner, claimer, decider, revoker in db.execute(wanted)
    ]
