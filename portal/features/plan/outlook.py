"""A plan as it stands today: laid out anew from what is left, beside what was promised at the start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from portal.content import Content
from portal.days import begin_of, monday_of
from portal.features.plan import layout
from portal.features.plan.contents import Item, ItemKind, Spread, blocks, items_left, ordered
from portal.features.plan.evidence import Deeds, Shown, deeds, shown
from portal.features.plan.layout import WEEK, Block, Pace, Week
from portal.features.plan.queries import Stored
from portal.features.plan.ready import Part, parts, reckoned_end
from portal.features.roadmap import Evidence, ProgressService
from portal.models import StudyPlan
from roadmap import Kind, Module, Plan, Track

LOOK_BACK = 26
"""Weeks that are looked back on at most."""


@dataclass(frozen=True)
class WeekAhead:
    """This week or a later one."""

    number: int
    week: Week
    items: tuple[Item, ...]
    modules: tuple[str, ...]
    """Titles."""

    @property
    def is_off(self) -> bool:
        """Whether nothing is studied in it."""
        return not self.week.days


@dataclass(frozen=True)
class WeekPassed:
    """A week that is over: what was promised for it, and what was done in it."""

    number: int
    monday: date
    promised: tuple[str, ...]
    """Titles of modules, or of the part of a ready-made plan."""
    deeds: Deeds


@dataclass(frozen=True)
class Offers:
    """How a plan that came to be late could end when it should. Each stands alone."""

    by: date
    """When it should end: the target, else what was promised."""
    hours: int | None
    """Hours a week that would do; None when 60 don't."""
    later: date
    """When it ends if nothing changes."""
    leave_out: tuple[Module, ...]
    """Modules without which it would; empty when that doesn't help."""


@dataclass(frozen=True)
class Outlook:
    """A plan today."""

    plan: StudyPlan
    track: Track
    ready: Plan | None
    today: date
    number: int
    """Of this week, from 1; 0 before the start."""
    ends_on: date | None
    """When it is done as things stand; None when nothing is left."""
    minutes_left: int
    """Of a plan by hours."""
    passed: tuple[WeekPassed, ...] = ()
    ahead: tuple[WeekAhead, ...] = ()
    """This week and the ones after it, up to the last with work; for a plan by hours."""
    parts: tuple[Part, ...] = ()
    """Of a ready-made plan."""
    offers: Offers | None = None
    """When it is late."""

    @property
    def weeks_late(self) -> int:
        """By how many calendar weeks it ends later than was promised; negative when earlier."""
        if self.ends_on is None:
            return 0
        return (monday_of(self.ends_on) - monday_of(self.plan.promised_on)).days // 7

    @property
    def meets_target(self) -> bool | None:
        """Whether it ends by the target date; None when there is none."""
        if self.plan.target_on is None:
            return None
        return self.ends_on is None or self.ends_on <= self.plan.target_on

    @property
    def this_part(self) -> Part | None:
        """The part of a ready-made plan that is on now: by the calendar, else the first with an open aim."""
        now = next((part for part in self.parts if part.has(self.today)), None)
        return now or next((part for part in self.parts if part.open), None)

    @property
    def this_week(self) -> tuple[Item, ...]:
        """What there is to do this week; before the start, in the first one."""
        if self.ready is None:
            return self.ahead[0].items if self.ahead else ()
        part = self.this_part
        if part is None:
            return ()
        return tuple(Item(ItemKind.AIM, one.aim.id, one.aim.title, "", done=one.done) for one in part.aims)

    @property
    def next_item(self) -> Item | None:
        """The first thing that is not done."""
        if self.ready is not None:
            aims = [
                one.aim for part in (self.this_part, *self.parts) if part for one in part.aims if not one.done
            ]
            return Item(ItemKind.AIM, aims[0].id, aims[0].title, "") if aims else None
        return next((item for week in self.ahead for item in week.items if not item.done), None)


def pace_of(plan: StudyPlan) -> Pace:
    """When the learner studies, as they said."""
    return Pace(
        plan.hours_per_week,
        plan.starts_on,
        frozenset(plan.days_off),
        frozenset(date.fromisoformat(monday) for monday in plan.holidays),
    )


def modules_of(content: Content, track: Track, left_out: Sequence[str]) -> list[Module]:
    """The modules of a plan in their order, by today's ids."""
    catalogue = content.roadmap
    return ordered(track, catalogue, {catalogue.current_id(Kind.MODULE, name) or name for name in left_out})


class Reckoner:
    """Reckons outlooks for one learner: no statement, only arithmetic on evidence that was read before."""

    def __init__(self, content: Content, progress: ProgressService, found: Evidence, today: date) -> None:
        self.content = content
        self.progress = progress
        self.found = found
        self.today = today
        self.now = shown(content, progress.bought_by(found))

    def then(self, plan: StudyPlan) -> Shown:
        """What had been shown when this week's share of the plan began: on Monday, when it started or when it was made."""
        day = max(monday_of(self.today), plan.starts_on)
        if day > self.today:
            return self.now
        before = self.found.before(max(begin_of(self.found.zone, day), plan.created_at))
        return shown(self.content, self.progress.bought_by(before))

    def of(self, stored: Stored) -> Outlook | None:
        """The plan's outlook; None when its track, or the ready-made plan, is no longer in the catalogue."""
        catalogue = self.content.roadmap
        plan = stored.plan
        track = catalogue.current(Track, plan.track_id)
        ready = catalogue.current(Plan, plan.ready_id)
        if track is None or (plan.ready_id and ready is None):
            return None
        return self._by_weeks(plan, track) if ready is None else self._ready(stored, track, ready)

    def _ready(self, stored: Stored, track: Track, ready: Plan) -> Outlook:
        pace = pace_of(stored.plan)
        current = self.content.roadmap.current_id
        ticked = {current(Kind.AIM, name) or name for name in stored.ticked}
        found = parts(ready, pace, self.now, ticked)
        titles = {monday: (part.title,) for part in found for monday in part.mondays}
        return Outlook(
            stored.plan,
            track,
            ready,
            self.today,
            self._number(stored.plan, self.today),
            reckoned_end(found, pace, self.today),
            0,
            passed=self._passed(stored.plan, titles),
            parts=tuple(found),
        )

    def _by_weeks(self, plan: StudyPlan, track: Track) -> Outlook:
        pace, modules, then = pace_of(plan), modules_of(self.content, track, plan.left_out), self.then(plan)
        first = max(monday_of(self.today), monday_of(plan.starts_on))
        # This week keeps its work while it goes on; what is done is ticked. The weeks after it take what is then left.
        whole = {block.id: block.minutes for block in blocks(modules, then)}
        laid = layout.lay([Block(name, minutes) for name, minutes in whole.items()], pace, first)[:1]
        taken = {share.id: share.minutes for week in laid for share in week.shares}
        spreads, seen = {}, set()
        for module in modules:
            # A lab that several modules share is done once: with the first of them that is not through.
            items = [i for i in items_left(module, then, self.now) if (i.kind, i.id) not in seen]
            spreads[module.id] = Spread(module, tuple(items), whole[module.id])
            seen |= {(i.kind, i.id) for i in items} if whole[module.id] else set()
        ahead = [self._ahead(plan, week, spreads) for week in laid]
        here = {(item.kind, item.id) for week in ahead for item in week.items}
        left, rest = blocks(modules, self.now), []
        for block, module in zip(left, modules, strict=True):
            after = whole[block.id] - taken.get(block.id, 0)
            rest.append(Block(block.id, min(block.minutes, after)))
            if block.minutes >= after:
                spreads[block.id] = replace(spreads[block.id], offset=taken.get(block.id, 0))
            else:
                # More was done than this week asked for: what is left now is spread anew.
                left_now = items_left(module, self.now, self.now)
                items = [i for i in left_now if (i.kind, i.id) not in here]
                spreads[block.id] = Spread(module, tuple(items), block.minutes)
        later = layout.lay(rest, pace, first + WEEK)
        ahead += [self._ahead(plan, week, spreads) for week in later]
        ends = (later or laid)[-1].ends_on if any(block.minutes for block in left) and (later or laid) else None
        return Outlook(
            plan,
            track,
            None,
            self.today,
            self._number(plan, self.today),
            ends,
            sum(block.minutes for block in left),
            passed=self._passed(plan, self._promised(plan)),
            ahead=tuple(ahead),
            offers=self._offers(plan, pace, modules, left, ends),
        )

    def _ahead(self, plan: StudyPlan, week: Week, spreads: Mapping[str, Spread]) -> WeekAhead:
        items = tuple(item for share in week.shares for item in spreads[share.id].within(share))
        titles = tuple(dict.fromkeys(spreads[share.id].module.title for share in week.shares))
        return WeekAhead(self._number(plan, week.monday), week, items, titles)

    def _number(self, plan: StudyPlan, day: date) -> int:
        return max(0, (monday_of(day) - monday_of(plan.starts_on)).days // 7 + 1)

    def _promised(self, plan: StudyPlan) -> dict[date, tuple[str, ...]]:
        """What was promised: the Monday of a week → titles of modules, as far as these still exist."""
        catalogue = self.content.roadmap
        return {
            date.fromisoformat(week["monday"]): tuple(
                module.title
                for name in week["minutes"]
                if (module := catalogue.current(Module, name)) is not None
            )
            for week in plan.promise
        }

    def _passed(self, plan: StudyPlan, titles: Mapping[date, tuple[str, ...]]) -> tuple[WeekPassed, ...]:
        """The weeks since the start that are over, newest first."""
        found: list[WeekPassed] = []
        monday = monday_of(self.today) - WEEK
        while monday >= monday_of(plan.starts_on) and len(found) < LOOK_BACK:
            done = deeds(self.content, self.found, monday, monday + WEEK)
            found.append(WeekPassed(self._number(plan, monday), monday, titles.get(monday, ()), done))
            monday -= WEEK
        return tuple(found)

    def _offers(
        self, plan: StudyPlan, pace: Pace, modules: Sequence[Module], left: Sequence[Block], ends: date | None
    ) -> Offers | None:
        if ends is None:
            return None
        late = (monday_of(ends) - monday_of(plan.promised_on)).days > 0
        if ends <= plan.target_on if plan.target_on is not None else not late:
            return None
        by = plan.target_on or plan.promised_on
        # What is changed today counts from today.
        pace = replace(pace, starts_on=max(self.today, plan.starts_on))
        first = monday_of(pace.starts_on)
        dropped = layout.to_leave_out(left, pace, first, by)
        return Offers(
            by,
            layout.hours_needed(left, pace, first, by),
            layout.ends_on(left, pace, first) or ends,
            tuple(module for module in modules if module.id in dropped),
        )
