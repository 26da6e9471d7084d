from __future__ import annotations

from datetime import UTC, date, datetime

from portal.features.home.steps import DUE_MANY, Facts, next_step
from portal.features.home.views import strip
from portal.features.plan import Item, ItemKind

LESSON = Item(ItemKind.LESSON, "a-lesson", "A lesson", "A module", module_id="a-module")
LAB = Item(ItemKind.LAB, "a-lab", "A lab", "A module", module_id="a-module")
MODULE = Item(ItemKind.MODULE, "a-module", "A module", "A module", module_id="a-module")


def test_many_due_reviews_come_before_everything() -> None:
    step = next_step(Facts(due=DUE_MANY + 1, has_plan=True, in_week=LESSON, ahead=LESSON, on_track=LAB))

    assert step is not None
    assert step.link.kind == "practice"
    assert "21 questions are about to be forgotten" in step.reason


def test_then_comes_the_first_open_thing_of_this_week() -> None:
    step = next_step(Facts(due=DUE_MANY, has_plan=True, in_week=LESSON, ahead=LESSON, on_track=LAB))

    assert step is not None
    assert (step.title, step.link.kind, step.link.id) == ("A lesson", "lesson", "a-lesson")
    assert "this week’s plan" in step.reason


def test_when_the_week_is_done_reviews_come_and_then_what_is_next() -> None:
    reviews = next_step(Facts(due=1, has_plan=True, ahead=LAB, on_track=LESSON))
    ahead = next_step(Facts(has_plan=True, ahead=LAB, on_track=LESSON))

    assert reviews is not None
    assert reviews.reason == "This week’s plan is done. One question is due."
    assert ahead is not None
    assert (ahead.link.kind, ahead.action) == ("lab", "Open the lab")


def test_without_a_plan_the_track_goes_on() -> None:
    step = next_step(Facts(due=3, track="A track", on_track=MODULE))

    assert step is not None
    assert (step.link.kind, step.reason) == ("module", "It is the next thing in A track.")


def test_who_is_through_only_has_reviews() -> None:
    last = next_step(Facts(due=2))

    assert last is not None
    assert last.reason == "All of your track is done. 2 questions are due."
    assert next_step(Facts()) is None


def test_the_strip_has_every_day_of_eight_weeks_up_to_today() -> None:
    today = date(2026, 9, 9)  # a Wednesday

    days = strip([datetime(2026, 9, 7, 23, 59, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC)], today, UTC)

    assert days[0].day == date(2026, 7, 20)
    assert len(days) == 7 * 7 + 3
    assert [day.day for day in days if day.active] == [date(2026, 9, 7)]
    assert days[-1].today
