"""Which activities a module's hours hold."""

from __future__ import annotations

from dataclasses import replace

import pytest

from portal.content import Content
from portal.features.roadmap import MINUTES_A_TOPIC, within_hours
from roadmap import Module


def reckoned(module: Module, content: Content) -> float:
    """Minutes of everything that is held."""
    held = within_hours(module, content)
    labs = [lab for lab in (content.lab(slug) for slug in module.labs) if lab is not None]
    return (
        sum(content.roadmap.lessons[name].minutes for name in module.lessons)
        + MINUTES_A_TOPIC * len(module.topics)
        + sum(lab.minutes for lab in labs)
        + sum(60 * activity.hours for activity in module.activities if activity.id in held)
    )


def test_the_artifact_is_held_and_what_is_held_fits(content: Content) -> None:
    for module in content.roadmap.modules.values():
        held = within_hours(module, content)
        assert module.activities[-1].id in held
        if len(held) > 1:
            assert reckoned(module, content) <= 60 * module.hours


def test_whatever_was_left_out_would_not_have_fitted(content: Content) -> None:
    left_out = 0
    for module in content.roadmap.modules.values():
        held = within_hours(module, content)
        room = 60 * module.hours - reckoned(module, content)
        beyond = [activity for activity in module.activities if activity.id not in held]
        assert all(60 * activity.hours > room for activity in beyond)
        left_out += len(beyond)
    assert left_out


@pytest.mark.parametrize(("hours", "held"), [(200, True), (1, False)])
def test_more_hours_hold_more(content: Content, hours: int, held: bool) -> None:
    module = next(one for one in content.roadmap.modules.values() if len(one.activities) > 2)
    chosen = within_hours(replace(module, hours=hours), content)
    assert (chosen == {activity.id for activity in module.activities}) is held
    assert (chosen == {module.activities[-1].id}) is not held
