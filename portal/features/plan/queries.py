"""Plans of one learner, as they are stored."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.models import CalendarFeed, PlanTick, StudyPlan, User

HISTORY_MOST = 10


@dataclass(frozen=True)
class Stored:
    """The current plan, and what was ticked off by hand in any plan."""

    plan: StudyPlan
    ticked: frozenset[str]


def current(db: Session, user_id: int) -> Stored | None:
    """The current plan of this learner: one statement, with what they ticked off."""
    rows = db.execute(
        select(StudyPlan, PlanTick.aim_id)
        .outerjoin(PlanTick, (PlanTick.user_id == StudyPlan.user_id) & (StudyPlan.ready_id != ""))
        .where(StudyPlan.user_id == user_id, StudyPlan.ended_at.is_(None))
    ).all()
    if not rows:
        return None
    return Stored(rows[0][0], frozenset(aim_id for _plan, aim_id in rows if aim_id is not None))


def ticked(db: Session, user_id: int) -> frozenset[str]:
    """Aims that this learner ticked off by hand."""
    return frozenset(db.scalars(select(PlanTick.aim_id).where(PlanTick.user_id == user_id)))


def history(db: Session, user_id: int) -> list[StudyPlan]:
    """Plans that this learner had, newest first."""
    return list(
        db.scalars(
            select(StudyPlan)
            .where(StudyPlan.user_id == user_id, StudyPlan.ended_at.is_not(None))
            .order_by(StudyPlan.id.desc())
            .limit(HISTORY_MOST)
        )
    )


def feed(db: Session, user_id: int) -> CalendarFeed | None:
    """The learner's private calendar address, if there is one."""
    return db.get(CalendarFeed, user_id)


def owner_of_feed(db: Session, token_sha256: str) -> User | None:
    """Whose calendar it is; nobody's when the account may not sign in."""
    return db.scalar(
        select(User)
        .join(CalendarFeed, CalendarFeed.user_id == User.id)
        .where(CalendarFeed.token_sha256 == token_sha256, User.active.is_(True))
    )
