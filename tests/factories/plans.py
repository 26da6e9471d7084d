"""Plans with a calendar address."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

from sqlalchemy.orm import Session

from portal.content import Content
from portal.features.plan.service import PlanService, Wishes
from portal.models import StudyPlan, User, utcnow


@dataclass(frozen=True)
class Planned:
    """A plan, and the secret of its calendar's address."""

    plan: StudyPlan
    token: str


def wishes(content: Content, track: str = "solution-architect", **changes: object) -> Wishes:
    """Six hours a week from today on."""
    return replace(Wishes(content.roadmap.tracks[track], 6, utcnow().date()), **changes)  # type: ignore[arg-type]


def ready_wishes(content: Content, plan: str, starts_on: date | None = None) -> Wishes:
    """A ready-made plan from today on."""
    found = content.roadmap.plans[plan]
    track = content.roadmap.tracks[found.track]
    return Wishes(track, found.hours_per_week, starts_on or utcnow().date(), ready=found)


def plan(db: Session, user: User, content: Content, asked: Wishes | None = None) -> Planned:
    """The current plan of this learner."""
    service = PlanService(db, content, user.id)
    outlook = service.make(asked or wishes(content))
    token = service.new_address()
    db.flush()
    return Planned(outlook.plan, token)
