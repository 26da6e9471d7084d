"""A learner's scorecard: measured and assessed by month, with the log of commitments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import TypeVar

from sqlalchemy.orm import Session

from portal.content import Content
from portal.database import insert_once
from portal.days import day_in
from portal.errors import Conflict, Invalid, NotFound
from portal.features.roadmap import Progress
from portal.features.scorecard import queries
from portal.features.scorecard.measuring import LEVELS, Measured, measure
from portal.features.scorecard.weeks import Week, first_shown, month_of, overview
from portal.links import https_link
from portal.models import CommitmentEntry, CriterionClaim, ScorecardMonth, zone_for
from portal.texts import written
from roadmap import Commitment, Criterion, Kind

ValueT = TypeVar("ValueT")
NOTE_MOST = 500
METRIC_MOST = 1_000_000
ENTRIES_A_DAY = 40
DAYS_BACK = 60
"""How old the day of a new entry may be."""


@dataclass(frozen=True)
class Month:
    """One month as it is shown."""

    key: str
    """`2026-05`."""
    number: int
    """1 for the learner's first month."""
    measured: Mapping[str, Measured]
    assessed: Mapping[str, int]
    metrics: Mapping[str, int]
    assessed_at: datetime | None

    @property
    def first_day(self) -> date:
        """Its first day."""
        return date.fromisoformat(f"{self.key}-01")

    @property
    def title(self) -> str:
        """`May 2026`."""
        return f"{self.first_day:%B %Y}"


@dataclass(frozen=True)
class Look:
    """What a learner sees at one moment."""

    months: list[Month]
    """Oldest first; the current one comes last."""
    weeks: list[Week]
    """The running one first."""


class ScorecardService:
    """The scorecard of one learner at one moment (aware), in one database session. Days and months are the learner's."""

    def __init__(self, db: Session, content: Content, user_id: int, now: datetime) -> None:
        self.db = db
        self.content = content
        self.user_id = user_id
        self.now = now
        self.zone = zone_for(db, user_id)
        self.today = day_in(self.zone, now)

    @cached_property
    def month(self) -> str:
        """The current one. Who goes to where it is the last of a month again stays in the one that has begun."""
        return max([month_of(self.today), *(row.month for row in self._stored[-1:])])

    @cached_property
    def _stored(self) -> list[ScorecardMonth]:
        """The months that there were when this was made, oldest first."""
        return queries.months(self.db, self.user_id)

    def look(self, progress: Progress) -> Look:
        """All months that were looked at, with the current one brought up to date, and the last weeks.

        What was measured in a month that is over never changes. Three statements, and two more in a new month.
        """
        rows = list(self._stored)
        weeks = self._weeks(rows)
        measured = measure(self.content.roadmap, progress, weeks, self.month)
        stored = {id_: one.stored() for id_, one in measured.items()}
        if not rows or rows[-1].month != self.month:
            rows.append(self._row(stored))
        current = rows[-1]
        if current.computed != stored:
            current.computed, current.computed_at = stored, self.now
        months = [self._month(row, _distance(rows[0].month, row.month) + 1) for row in rows]
        return Look(months, weeks)

    def assess(self, month: str, levels: Mapping[str, str]) -> None:
        """Store what the learner thinks of themselves this month. Raises Invalid, and Conflict for another month."""
        self._check_month(month)
        chosen: dict[str, int] = {}
        for dimension in self.content.roadmap.scorecard.dimensions:
            level = levels.get(dimension.id, "")
            if not level:
                continue
            if level not in {str(number) for number in range(1, LEVELS + 1)}:
                raise Invalid(f"Choose a level from 1 to {LEVELS} for “{dimension.title}”.")
            chosen[dimension.id] = int(level)
        if not chosen:
            raise Invalid("Choose a level for at least one side, then save.")
        row = self._row({})
        row.assessed, row.assessed_at = chosen, self.now

    def note_metrics(self, month: str, numbers: Mapping[str, str]) -> None:
        """Store this month's numbers; an empty one is taken away. Raises Invalid, and Conflict for another month."""
        self._check_month(month)
        noted: dict[str, int] = {}
        for metric in self.content.roadmap.scorecard.metrics:
            given = numbers.get(metric.id, "").strip()
            if not given:
                continue
            if not (given.isascii() and given.isdigit() and len(given) <= 9 and int(given) <= METRIC_MOST):
                raise Invalid(f"“{metric.title}” takes a whole number from 0 to {METRIC_MOST:,}.")
            noted[metric.id] = int(given)
        self._row({}).metrics = noted

    def said(self) -> dict[str, datetime]:
        """Criterion → when the learner said that they reached it, by today's ids."""
        return self._by_current_id(Kind.CRITERION, queries.claims(self.db, self.user_id))

    def log(self, commitment_id: str, day: str, note: str, link: str) -> CommitmentEntry:
        """Note that a commitment was kept on a day (`2026-05-04`). Raises Invalid, Conflict."""
        commitment = self.content.roadmap.current(Commitment, commitment_id)
        if commitment is None:
            raise Invalid("Choose which commitment you kept.")
        try:
            when = date.fromisoformat(day)
        except ValueError:
            raise Invalid("Give the day as a date, such as 2026-05-04.") from None
        if not self.today - timedelta(days=DAYS_BACK) <= when <= self.today:
            raise Invalid(f"Give a day of the last {DAYS_BACK} days; today is {self.today}.")
        note = written("A note", note, NOTE_MOST)
        link = https_link(link)
        if queries.entries_since(self.db, self.user_id, self.now - timedelta(days=1)) >= ENTRIES_A_DAY:
            raise Conflict(f"You have made {ENTRIES_A_DAY} entries within a day. Go on tomorrow.")
        made = CommitmentEntry(
            user_id=self.user_id,
            commitment_id=commitment.id,
            day=when,
            note=note,
            link=link,
            created_at=self.now,
        )
        self.db.add(made)
        self.db.flush()
        return made

    def forget(self, entry_id: int) -> None:
        """Delete an entry of one's own. Raises NotFound."""
        found = self.db.get(CommitmentEntry, entry_id)
        if found is None or found.user_id != self.user_id:
            raise NotFound("There is no such entry in your log.")
        self.db.delete(found)

    def say(self, criterion_id: str, *, reached: bool) -> Criterion:
        """Say that a criterion is reached, or take that back. Raises NotFound, and Invalid where evidence decides."""
        found = self.content.roadmap.current(Criterion, criterion_id)
        if found is None:
            raise NotFound("There is no such criterion.")
        if found.evidence:
            raise Invalid("This one is reached by evidence. The page lists what is missing.")
        if not reached:
            queries.unsay(self.db, self.user_id, self.content.roadmap.ids_of(Kind.CRITERION, found.id))
        elif found.id not in self.said():
            insert_once(
                self.db, CriterionClaim, user_id=self.user_id, criterion_id=found.id, created_at=self.now
            )
        return found

    def _weeks(self, rows: Sequence[ScorecardMonth]) -> list[Week]:
        days = queries.kept_days(self.db, self.user_id, first_shown(self.today))
        began = [day_in(self.zone, rows[0].created_at)] if rows else []
        first = queries.first_day(self.db, self.user_id)
        since = min([*began, *([first] if first else [])], default=None)
        current = self.content.roadmap.current_id
        named = [(current(Kind.COMMITMENT, id_) or id_, day, count) for id_, day, count in days]
        return overview(named, self.today, since)

    def _by_current_id(self, kind: Kind, stored: Mapping[str, ValueT]) -> dict[str, ValueT]:
        """What was stored under ids of this kind, by those of today; under the present id goes before a former one."""
        found: dict[str, ValueT] = {}
        for id_, value in stored.items():
            now = self.content.roadmap.current_id(kind, id_)
            if now is not None and (now == id_ or now not in found):
                found[now] = value
        return found

    def _row(self, measured: dict[str, dict[str, int]]) -> ScorecardMonth:
        """The row of the current month; it is made with these values if it is not there."""
        insert_once(
            self.db,
            ScorecardMonth,
            user_id=self.user_id,
            month=self.month,
            computed=measured,
            assessed={},
            metrics={},
            created_at=self.now,
            computed_at=self.now,
        )
        return self.db.get_one(ScorecardMonth, (self.user_id, self.month))

    def _month(self, row: ScorecardMonth, number: int) -> Month:
        measured = self._by_current_id(Kind.DIMENSION, row.computed)
        return Month(
            key=row.month,
            number=number,
            measured={id_: Measured.read(one) for id_, one in measured.items()},
            assessed=self._by_current_id(Kind.DIMENSION, row.assessed),
            metrics=self._by_current_id(Kind.METRIC, row.metrics),
            assessed_at=row.assessed_at,
        )

    def _check_month(self, month: str) -> None:
        if month != self.month:
            raise Conflict(
                "A new month has begun since you opened the page. Reload it: what is over stays as it was."
            )


def _distance(first: str, last: str) -> int:
    """Months from one key to another."""
    (a, b), (c, d) = ((int(part) for part in key.split("-")) for key in (first, last))
    return 12 * (c - a) + d - b
