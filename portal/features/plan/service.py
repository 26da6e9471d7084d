"""Making, changing and ending plans, ticking off aims, and the private calendar address."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import date, time, timedelta

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from portal.content import Content
from portal.days import day_in, monday_of
from portal.errors import Conflict, Invalid, NotFound
from portal.features.plan import queries
from portal.features.plan.layout import HOURS_MAX, HOURS_MIN
from portal.features.plan.outlook import Outlook, Reckoner
from portal.features.plan.queries import Stored
from portal.features.plan.ready import FULL_WEEK
from portal.features.roadmap import Evidence, ProgressService
from portal.models import CalendarFeed, PlanTick, StudyPlan, utcnow, zone_for
from roadmap import Kind, Plan, Track

AHEAD_MOST = timedelta(days=366)
"""How far ahead a plan may start."""
TARGET_MOST = timedelta(days=3 * 366)
HOLIDAYS_MOST = 30
EVENING = time(18, 0)


@dataclass(frozen=True)
class Wishes:
    """What a learner asks of a plan."""

    track: Track
    hours: int
    starts_on: date
    target_on: date | None = None
    days_off: tuple[int, ...] = ()
    holidays: tuple[date, ...] = ()
    """Any day of each week off."""
    begins_at: time = EVENING
    left_out: tuple[str, ...] = ()
    ready: Plan | None = None


class PlanService:
    """The plans of one learner in one database session."""

    def __init__(self, db: Session, content: Content, user_id: int) -> None:
        self.db = db
        self.content = content
        self.user_id = user_id
        self.progress = ProgressService(db, content)

    @property
    def today(self) -> date:
        """The learner's day."""
        return day_in(zone_for(self.db, self.user_id), utcnow())

    def outlook(self, reckoner: Reckoner | None = None) -> Outlook | None:
        """The current plan as it stands today; None without one, or when the catalogue no longer has its track."""
        stored = queries.current(self.db, self.user_id)
        return (reckoner or self.reckoner()).of(stored) if stored is not None else None

    def reckoner(self, found: Evidence | None = None, today: date | None = None) -> Reckoner:
        """Reckons with this learner's evidence, which is read when it isn't given."""
        found = self.progress.evidence(self.user_id) if found is None else found
        return Reckoner(self.content, self.progress, found, today or self.today)

    def make(self, wishes: Wishes) -> Outlook:
        """Make a plan; the one before it goes into the history. Raises Invalid when no plan can meet a wish, Conflict."""
        today = self.today
        check(wishes, today)
        self.end()
        plan = StudyPlan(
            user_id=self.user_id,
            track_id=wishes.track.id,
            ready_id=wishes.ready.id if wishes.ready else "",
            hours_per_week=wishes.hours,
            starts_on=wishes.starts_on,
            target_on=wishes.target_on,
            days_off=sorted(set(wishes.days_off)),
            holidays=sorted({monday_of(day).isoformat() for day in wishes.holidays}),
            begins_at=f"{wishes.begins_at:%H:%M}",
            left_out=list(wishes.left_out),
            promised_on=wishes.starts_on,
            promise=[],
            created_at=utcnow(),
        )
        ticked = queries.ticked(self.db, self.user_id) if wishes.ready else frozenset()
        reckoner, stored = self.reckoner(today=today), Stored(plan, ticked)
        outlook = reckoner.of(stored)
        if outlook is None:
            raise Invalid("This track is no longer offered. Choose another one.")
        if outlook.ready is not None:
            plan.promised_on = outlook.parts[-1].until
        elif outlook.ends_on is None:
            raise Invalid("Nothing of this track is left to plan: all of it is done, or left out.")
        else:
            plan.promised_on = outlook.ends_on
            plan.promise = [
                {
                    "monday": one.week.monday.isoformat(),
                    "minutes": {share.id: share.minutes for share in one.week.shares},
                }
                for one in outlook.ahead
            ]
        self.db.add(plan)
        try:
            self.db.flush()
        except IntegrityError as error:
            raise Conflict("Another plan of yours was made at this moment. Open your plan and look.") from error
        return reckoner.of(stored) or outlook

    def end(self) -> None:
        """End the current plan, if there is one; it stays in the history."""
        stored = queries.current(self.db, self.user_id)
        if stored is not None:
            stored.plan.ended_at = utcnow()
            # Before the next one is added: there is never a moment with two current ones.
            self.db.flush()

    def history(self) -> list[StudyPlan]:
        """Earlier plans, newest first."""
        return queries.history(self.db, self.user_id)

    def tick(self, aim_id: str, *, done: bool) -> None:
        """Tick an aim off by hand, or take that back. Raises NotFound."""
        aim_id = self.content.roadmap.current_id(Kind.AIM, aim_id) or ""
        if aim_id not in self.content.roadmap.entries(Kind.AIM):
            raise NotFound("There is no such aim in any plan.")
        row = self.db.get(PlanTick, (self.user_id, aim_id))
        if done and row is None:
            self.db.add(PlanTick(user_id=self.user_id, aim_id=aim_id))
        if not done and row is not None:
            self.db.delete(row)

    def new_address(self) -> str:
        """A new secret for the calendar's address; the one before it no longer works."""
        token = secrets.token_urlsafe(32)
        feed = queries.feed(self.db, self.user_id)
        if feed is None:
            feed = CalendarFeed(user_id=self.user_id)
            self.db.add(feed)
        feed.token_sha256 = token_hash(token)
        feed.created_at = utcnow()
        return token

    def revoke_address(self) -> None:
        """Take the calendar's address away."""
        feed = queries.feed(self.db, self.user_id)
        if feed is not None:
            self.db.delete(feed)


def check(wishes: Wishes, today: date) -> None:
    """Refuse wishes that no plan can meet. Raises Invalid."""
    if not HOURS_MIN <= wishes.hours <= HOURS_MAX:
        raise Invalid(f"A week has {HOURS_MIN} to {HOURS_MAX} hours of study: choose a number between them.")
    if not today <= wishes.starts_on <= today + AHEAD_MOST:
        raise Invalid("A plan starts today or within a year. Choose such a day.")
    if wishes.target_on is not None and not wishes.starts_on < wishes.target_on <= today + TARGET_MOST:
        raise Invalid("The day to be done by comes after the start, and within three years.")
    if len(set(wishes.days_off)) > 6 or not set(wishes.days_off) <= set(range(7)):
        raise Invalid("Leave at least one day of the week for study.")
    if len(wishes.holidays) > HOLIDAYS_MOST:
        raise Invalid(f"At most {HOLIDAYS_MOST} weeks can be off.")
    if not set(wishes.left_out) <= set(wishes.track.modules):
        raise Invalid("Only modules of the track can be left out.")


def wishes_of(outlook: Outlook) -> Wishes:
    """What the learner asked of a plan, to be asked again from today on."""
    plan = outlook.plan
    holidays = tuple(date.fromisoformat(monday) for monday in plan.holidays)
    return Wishes(
        outlook.track,
        plan.hours_per_week,
        max(plan.starts_on, outlook.today),
        plan.target_on if plan.target_on and plan.target_on > outlook.today else None,
        tuple(plan.days_off),
        tuple(day for day in holidays if day + FULL_WEEK >= outlook.today),
        time.fromisoformat(plan.begins_at),
        tuple(name for name in plan.left_out if name in outlook.track.modules),
        outlook.ready,
    )


def token_hash(token: str) -> str:
    """What is kept of a calendar address's secret."""
    return hashlib.sha256(token.encode()).hexdigest()
