"""What a week of a plan holds, by name: lessons, questions, labs and activities of the modules that are laid into it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from portal.features.plan.evidence import Shown
from portal.features.plan.layout import Block, Share
from portal.features.roadmap import MINUTES_A_TOPIC, within_hours
from roadmap import Catalogue, Module, Track


class ItemKind(StrEnum):
    """What there is to do in a week."""

    LESSON = "lesson"
    PRACTICE = "practice"
    LAB = "lab"
    ACTIVITY = "activity"
    MODULE = "module"
    AIM = "aim"


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to do."""

    kind: ItemKind
    id: str
    """Of the lesson, lab, activity or aim; for practice and the rest of a module, of the module."""
    title: str
    module: str
    """The title of its module; empty for an aim."""
    minutes: int = 0
    done: bool = False
    goes_on: bool = False
    """Begun in an earlier week."""
    module_id: str = ""


def ordered(track: Track, catalogue: Catalogue, left_out: Collection[str] = ()) -> list[Module]:
    """The track's modules in the order in which to learn them: the track's own, but none before what it builds on.

    Prerequisites come first, then the stages that a stage needs; where both can't be had, prerequisites win.
    """
    waiting = [catalogue.modules[name] for name in track.modules if name not in left_out]
    needs: dict[str, set[str]] = {module.id: set() for module in waiting}
    modules_of = {stage.id: stage.modules for stage in track.stages}
    for stage in track.stages:
        for name in stage.modules:
            needs.get(name, set()).update(m for needed in stage.needs for m in modules_of.get(needed, ()))
    found: list[Module] = []
    while waiting:
        open_ = {module.id for module in waiting}
        ready = [module for module in waiting if not open_ & set(module.prerequisites)]
        ready = ready or waiting  # a cycle, which the roadmap's lint refuses, would end here instead of never
        chosen = next((m for m in ready if not (needs[m.id] - {m.id}) & open_), ready[0])
        found.append(chosen)
        waiting.remove(chosen)
    return found


def blocks(modules: Sequence[Module], shown: Shown) -> list[Block]:
    """What is left of each."""
    return [Block(module.id, shown.minutes_left(module)) for module in modules]


def items_left(module: Module, then: Shown, now: Shown) -> list[Item]:
    """What was still to do in the module then, in the order in which to do it; ticked where it is done now."""
    content = then.content
    found: list[Item] = []

    def add(kind: ItemKind, id_: str, title: str, minutes: int, done: bool) -> None:
        found.append(Item(kind, id_, title, module.title, minutes, done, module_id=module.id))

    for name in module.lessons:
        lesson = content.roadmap.lessons[name]
        if name not in then.progress.lessons_read:
            add(ItemKind.LESSON, name, lesson.title, lesson.minutes, name in now.progress.lessons_read)
    if topics := then.to_practise(module):
        done = not now.to_practise(module)
        title = f"Questions on {module.title}"
        add(ItemKind.PRACTICE, module.id, title, MINUTES_A_TOPIC * len(topics), done)
    for slug in module.labs:
        lab = content.lab(slug)
        if lab is not None and lab.id not in then.labs:
            add(ItemKind.LAB, lab.id, lab.title, lab.minutes, lab.id in now.labs)
    held = within_hours(module, content)
    for activity in module.activities:
        if activity.id in held and activity.id not in then.activities:
            done = activity.id in now.activities
            add(ItemKind.ACTIVITY, activity.id, activity.title, 60 * activity.hours, done)
    return found


@dataclass(frozen=True, slots=True)
class Spread:
    """The items of a module over the minutes that are left of it, each in proportion to what it is reckoned to take."""

    module: Module
    items: tuple[Item, ...]
    whole: int
    """Minutes, at least 1."""
    offset: int = 0
    """How many of them lie before the first share that is asked for."""

    def within(self, share: Share) -> list[Item]:
        """What falls into a share: an item is named in the week in which it begins, and again where it goes on.

        A share into which nothing with a name falls is the module itself.
        """
        total = sum(item.minutes for item in self.items)
        opens = (self.offset + share.begins) * total
        closes = (self.offset + share.begins + share.minutes) * total
        found, begins = [], 0
        for item in self.items:
            ends = begins + item.minutes
            # Whole numbers: begins / total against minutes / whole.
            if opens <= begins * self.whole < closes:
                found.append(item)
            elif begins * self.whole < opens < ends * self.whole:
                found.append(replace(item, goes_on=True))
            begins = ends
        if found:
            return found
        module = self.module
        return [
            Item(ItemKind.MODULE, module.id, module.title, module.title, share.minutes, module_id=module.id)
        ]
