"""Which of a module's activities its hours hold; the others stand beside them, to choose from."""

from __future__ import annotations

from portal.content import Content
from roadmap import Module

MINUTES_A_TOPIC = 6
"""What questions on one topic are reckoned to take, with their explanations."""


def within_hours(module: Module, content: Content) -> frozenset[str]:
    """The ids of the activities that the module's hours are reckoned for.

    That is its artifact, always, and of the others, in their order, each that still fits beside the lessons, the questions
    on every topic and the labs.
    """
    *others, artifact = module.activities
    labs = filter(None, (content.lab(slug) for slug in module.labs))
    left = 60 * (module.hours - artifact.hours)
    left -= sum(content.roadmap.lessons[lesson].minutes for lesson in module.lessons)
    left -= MINUTES_A_TOPIC * len(module.topics) + sum(lab.minutes for lab in labs)
    chosen = [artifact.id]
    for activity in others:
        if 60 * activity.hours <= left:
            left -= 60 * activity.hours
            chosen.append(activity.id)
    return frozenset(chosen)
