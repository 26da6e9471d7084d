"""Plans as plain values for templates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import time
from typing import Any

from portal.content import Content
from portal.days import monday_of
from portal.features.plan.contents import Item
from portal.features.plan.evidence import LAB
from portal.features.plan.layout import WEEK
from portal.features.plan.outlook import Outlook
from portal.features.plan.ready import AimState
from portal.models import StudyPlan
from roadmap import Kind, Plan, Track

FIRST_WEEKS = 8
"""Weeks ahead that stand open on the page."""


@dataclass(frozen=True)
class Link:
    """Where something of the catalogue is shown: a kind, its id and its title."""

    kind: str
    id: str
    title: str
    anchor: str = ""
    """Of the entry within the page, when it has none of its own."""


def link(content: Content, reference: str) -> Link | None:
    """The page of what a reference names; None when nothing shows it."""
    kind, _, id_ = reference.partition("/")
    catalogue = content.roadmap
    if kind == LAB:
        lab = content.lab(id_)
        return Link(LAB, lab.id, lab.title) if lab is not None else None
    entry = catalogue.find(reference)
    if entry is None:
        return None
    match kind:
        case Kind.TOPIC:
            return Link("module", catalogue.topics[id_].module, entry.title, f"topic-{id_}")
        case Kind.ACTIVITY:
            return Link("module", catalogue.activities[id_].module, entry.title)
        case Kind.STAGE:
            track = next(t for t in catalogue.tracks.values() if any(s.id == id_ for s in t.stages))
            return Link("track", track.id, entry.title, f"stage-{id_}")
        case Kind.TRACK | Kind.MODULE | Kind.LESSON:
            return Link(kind, id_, entry.title)
        case _:
            return None


def aim(content: Content, state: AimState) -> dict[str, Any]:
    """One aim with its links."""
    return {
        "state": state,
        "links": [found for ref in state.aim.refs if (found := link(content, ref)) is not None],
    }


def ready_parts(content: Content, plan: Plan) -> list[dict[str, Any]]:
    """The parts of a ready-made plan that nobody has taken yet."""
    rows, first = [], 1
    for week in plan.weeks:
        aims = [aim(content, AimState(one, by_evidence=False, by_hand=False)) for one in week.aims]
        rows.append({"title": week.title, "first": first, "last": first + week.weeks - 1, "aims": aims})
        first += week.weeks
    return rows


def page(content: Content, outlook: Outlook) -> dict[str, Any]:
    """What the page of a plan shows beside the outlook itself."""
    this_monday = monday_of(outlook.today)
    begun = monday_of(outlook.plan.starts_on) <= this_monday
    return {
        "verdict": verdict(outlook),
        "now": outlook.ahead[0] if outlook.ahead and begun else None,
        "soon": outlook.ahead[1 if begun else 0 : FIRST_WEEKS],
        "later": outlook.ahead[FIRST_WEEKS:],
        "parts": [
            {
                "part": part,
                "now": part is outlook.this_part,
                "past": part.until < outlook.today,
                "aims": [aim(content, state) for state in part.aims],
            }
            for part in outlook.parts
        ],
        "sunday": this_monday + WEEK,
        "begun": begun,
    }


def verdict(outlook: Outlook) -> str:
    """How the plan stands against its promise, in one sentence."""
    if outlook.ends_on is None:
        return "Everything in this plan is done."
    weeks = outlook.weeks_late
    if weeks == 0:
        return "As planned."
    many = "a week" if abs(weeks) == 1 else f"{abs(weeks)} weeks"
    return f"About {many} {'behind' if weeks > 0 else 'ahead of'} what was planned."


def history(content: Content, plans: Sequence[StudyPlan]) -> list[dict[str, Any]]:
    """Earlier plans with the titles of what they were for, as far as that still exists."""
    catalogue = content.roadmap
    rows = []
    for plan in plans:
        track = catalogue.current(Track, plan.track_id)
        ready = catalogue.current(Plan, plan.ready_id)
        named = ready or track
        rows.append({"plan": plan, "title": named.title if named else "A track that is no longer offered"})
    return rows


def clock(text: str) -> time:
    """The time that HH:MM names."""
    return time.fromisoformat(text)


def item_link(item: Item) -> Link:
    """Where an item of a week is done."""
    match item.kind:
        case "lesson" | "lab":
            return Link(item.kind, item.id, item.title)
        case "aim":
            return Link("plan", "", item.title, f"aim-{item.id}")
        case _:
            return Link("module", item.module_id, item.title)
