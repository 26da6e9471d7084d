"""The next best step, and why: one rule, documented in docs/learner.md."""

from __future__ import annotations

from dataclasses import dataclass

from portal.features.plan import Item, ItemKind, Link, item_link

DUE_MANY = 20
"""With more questions due than this, reviews come first: forgetting is dearer than a day's delay."""


@dataclass(frozen=True)
class Facts:
    """What the rule looks at."""

    due: int = 0
    """Questions that are about to be forgotten."""
    has_plan: bool = False
    in_week: Item | None = None
    """The first thing of this week's plan that is not done."""
    ahead: Item | None = None
    """The first open thing of the plan after this week."""
    track: str = ""
    """The title of the track that the learner follows."""
    on_track: Item | None = None
    """The first lesson, lab or module of that track that is not done."""


@dataclass(frozen=True)
class Step:
    """What to do next."""

    title: str
    reason: str
    action: str
    link: Link


REVIEW = Link("practice", "", "Practice")
ACTIONS = {
    ItemKind.LESSON: "Read the lesson",
    ItemKind.LAB: "Open the lab",
    ItemKind.AIM: "See what leads there",
}


def next_step(facts: Facts) -> Step | None:
    """The first of these that there is: many reviews, this week's plan, the plan after it, the track, few reviews."""
    if facts.due > DUE_MANY:
        reason = f"{facts.due} questions are about to be forgotten. A few minutes now save learning them anew."
        return Step("Practise what is due", reason, "Practise", REVIEW)
    if facts.in_week is not None:
        return _step(facts.in_week, "It is the first open thing of this week’s plan.")
    if facts.has_plan and facts.ahead is not None:
        if facts.due:
            return _reviews(facts.due, "This week’s plan is done.")
        return _step(facts.ahead, "This week’s plan is done. This comes next; it may also wait until Monday.")
    if facts.on_track is not None:
        return _step(facts.on_track, f"It is the next thing in {facts.track}.")
    return _reviews(facts.due, "All of your track is done.") if facts.due else None


def _reviews(due: int, why: str) -> Step:
    count = "One question is" if due == 1 else f"{due} questions are"
    return Step("Practise what is due", f"{why} {count} due.", "Practise", REVIEW)


def _step(item: Item, reason: str) -> Step:
    return Step(item.title, reason, ACTIONS.get(item.kind, "Open the module"), item_link(item))
