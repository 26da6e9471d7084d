"""The first page's parts as plain values."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo

from portal.content import Content
from portal.days import day_in, monday_of
from portal.features.plan import Item, ItemKind, Outlook
from portal.features.roadmap import Progress
from roadmap import Module, Track

STRIP_WEEKS = 8


@dataclass(frozen=True)
class Day:
    """One day of the strip."""

    day: date
    active: bool
    today: bool


def strip_begins(today: date) -> date:
    """The Monday on which the strip of days begins."""
    return monday_of(today) - timedelta(weeks=STRIP_WEEKS - 1)


def strip(moments: Iterable[datetime], today: date, zone: tzinfo) -> list[Day]:
    """Every day from then until today, and whether anything was done on it, in days of the zone."""
    active = {day_in(zone, moment) for moment in moments}
    begins = strip_begins(today)
    days = (begins + timedelta(days=n) for n in range((today - begins).days + 1))
    return [Day(day, day in active, day == today) for day in days]


def chosen_track(content: Content, progress: Progress, outlook: Outlook | None) -> Track | None:
    """The track that a learner follows: the plan's, else the one in which they are furthest, else the first."""
    if outlook is not None:
        return outlook.track
    tracks = list(content.roadmap.tracks.values())
    return max(tracks, key=lambda track: _percent(content, progress, track), default=None)


def next_on(content: Content, progress: Progress, track: Track | None, labs: Collection[str]) -> Item | None:
    """The first lesson of the track that was not read, or lab that was not passed, in modules that are not done."""
    for module in map(content.roadmap.modules.__getitem__, track.modules if track else ()):
        if progress.of_module(module).percent < 100:
            return _next_in(content, progress, module, labs)
    return None


def _next_in(content: Content, progress: Progress, module: Module, labs: Collection[str]) -> Item:
    for name in module.lessons:
        if name not in progress.lessons_read:
            lesson = content.roadmap.lessons[name]
            return Item(ItemKind.LESSON, name, lesson.title, module.title, lesson.minutes, module_id=module.id)
    for slug in module.labs:
        lab = content.lab(slug)
        if lab is not None and lab.id not in labs:
            return Item(ItemKind.LAB, lab.id, lab.title, module.title, lab.minutes, module_id=module.id)
    return Item(ItemKind.MODULE, module.id, module.title, module.title, module_id=module.id)


def _percent(content: Content, progress: Progress, track: Track) -> int:
    return progress.of_modules(content.roadmap.modules[name] for name in track.modules).percent
