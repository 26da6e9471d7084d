"""Weekly commitments: what was kept in which week. Weeks begin on Monday, days are the learner's own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from portal.days import monday_of
from roadmap import Commitment

WEEKS_SHOWN = 8


class Kept(StrEnum):
    """How a week went for one commitment."""

    KEPT = "kept"
    PARTLY = "partly"
    NOT = "not"
    RUNNING = "running"
    """The week is not over, so nothing is said of it yet."""
    BEFORE = "before"
    """The learner had not begun to count."""


@dataclass(frozen=True)
class Week:
    """One week and how often each commitment was kept in it."""

    start: date
    """A Monday."""
    counts: Mapping[str, int]
    is_running: bool
    is_counted: bool
    """False before the learner began to count."""

    @property
    def end(self) -> date:
        """Its Sunday."""
        return self.start + timedelta(days=6)

    @property
    def month(self) -> str:
        """The month that most of its days are in, such as `2026-05`."""
        return month_of(self.start + timedelta(days=3))

    def kept(self, commitment: Commitment) -> Kept:
        """How it went."""
        count = self.counts.get(commitment.id, 0)
        if count >= commitment.per_week:
            return Kept.KEPT
        if self.is_running:
            return Kept.RUNNING
        if count:
            return Kept.PARTLY
        return Kept.NOT if self.is_counted else Kept.BEFORE

    def share(self, commitment: Commitment) -> tuple[int, int]:
        """How often it was kept, and how often it was due."""
        return min(self.counts.get(commitment.id, 0), commitment.per_week), commitment.per_week


def month_of(day: date) -> str:
    """`2026-05`."""
    return f"{day:%Y-%m}"


def first_shown(today: date) -> date:
    """The Monday with which the overview begins; it covers all of the current month."""
    return min(monday_of(today) - timedelta(weeks=WEEKS_SHOWN - 1), monday_of(today.replace(day=1)))


def overview(days: Iterable[tuple[str, date, int]], today: date, since: date | None) -> list[Week]:
    """The last weeks, the running one first. `days` are (commitment, day, how often); `since` is when counting began."""
    counts: dict[date, dict[str, int]] = {}
    for commitment_id, day, count in days:
        week = counts.setdefault(monday_of(day), {})
        week[commitment_id] = week.get(commitment_id, 0) + count
    running = monday_of(today)
    return [
        Week(
            start,
            counts.get(start, {}),
            is_running=start == running,
            is_counted=since is not None and start + timedelta(days=6) >= since,
        )
        for start in (running - timedelta(weeks=back) for back in range(WEEKS_SHOWN))
    ]


def kept_in_month(commitments: Iterable[Commitment], weeks: Iterable[Week], month: str) -> tuple[int, int]:
    """How often these commitments were kept and due in the weeks of the current month that are over; while there is
    none, in the running one.
    """
    counted = [week for week in weeks if week.is_counted and (week.month == month or week.is_running)]
    chosen = [week for week in counted if not week.is_running] or counted
    shares = [week.share(one) for one in commitments for week in chosen]
    return sum(done for done, _due in shares), sum(due for _done, due in shares)
