from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.days import monday_of
from portal.features.plan import layout
from portal.features.plan.layout import SITTING, WEEK, Block, Pace, lay

START = date(2026, 9, 7)  # a Monday


@st.composite
def paces(draw: st.DrawFn) -> Pace:
    start = START + timedelta(days=draw(st.integers(0, 13)))
    off = draw(st.frozensets(st.integers(0, 6), max_size=6))
    holidays = draw(st.frozensets(st.integers(0, 20), max_size=5))
    return Pace(draw(st.integers(1, 60)), start, off, frozenset(START + n * WEEK for n in holidays))


blocks = st.lists(st.integers(0, 900), max_size=7).map(
    lambda minutes: [Block(f"m{n}", size) for n, size in enumerate(minutes)]
)


@given(blocks, paces())
def test_every_minute_is_placed_once_and_in_order(work: list[Block], pace: Pace) -> None:
    shares = [share for week in lay(work, pace, START) for share in week.shares]

    for block in work:
        mine = [share for share in shares if share.id == block.id]
        assert sum(share.minutes for share in mine) == block.minutes
        begins = 0
        for share in mine:
            assert share.begins == begins
            begins += share.minutes
    order = [share.id for share in shares]
    assert order == sorted(
        order, key=lambda name: int(name[1:])
    )  # none begins before the one before it has ended


@given(blocks, paces())
def test_no_week_holds_more_than_its_hours_but_for_the_end_of_a_module(work: list[Block], pace: Pace) -> None:
    whole = {block.id: block.minutes for block in work}
    for week in lay(work, pace, START):
        over = week.load - week.room
        assert over < SITTING
        if over > 0:
            last = week.shares[-1]
            assert last.begins + last.minutes == whole[last.id]
            assert week.load - last.minutes < week.room  # that one alone is over
        assert all(share.minutes > 0 for share in week.shares)


@given(blocks, paces())
def test_nothing_is_laid_into_weeks_off_or_before_the_start(work: list[Block], pace: Pace) -> None:
    weeks = lay(work, pace, START)

    assert [week.monday for week in weeks] == [monday_of(pace.starts_on) + n * WEEK for n in range(len(weeks))]
    for week in weeks:
        assert all(day >= pace.starts_on and day.weekday() not in pace.days_off for day in week.days)
        if week.monday in pace.holidays:
            assert not week.shares
        if week.shares:
            assert week.ends_on in week.days


@given(blocks, paces(), st.integers(1, 400))
def test_the_hours_that_are_needed_do_and_one_less_does_not(work: list[Block], pace: Pace, days: int) -> None:
    by = pace.starts_on + timedelta(days=days)
    hours = layout.hours_needed(work, pace, START, by)
    if not any(block.minutes for block in work):
        assert hours == layout.HOURS_MIN
        return

    def end(of: int) -> date:
        found = layout.ends_on(work, Pace(of, pace.starts_on, pace.days_off, pace.holidays), START)
        assert found is not None
        return found

    if hours is None:
        assert end(layout.HOURS_MAX) > by
    else:
        assert end(hours) <= by
        assert hours == layout.HOURS_MIN or end(hours - 1) > by


@given(blocks, paces(), st.integers(1, 200))
def test_leaving_modules_out_from_the_end_is_enough_and_no_more_than_enough(
    work: list[Block], pace: Pace, days: int
) -> None:
    by = pace.starts_on + timedelta(days=days)
    out = layout.to_leave_out(work, pace, START, by)
    left = [block for block in work if block.minutes]
    if not out:
        return
    kept = [block for block in left if block.id not in out]
    assert [block.id for block in left] == [*(block.id for block in kept), *out]
    end = layout.ends_on(kept, pace, START)
    assert end is not None
    assert end <= by
    one_more = left[: len(kept) + 1]
    if len(one_more) < len(left):
        later = layout.ends_on(one_more, pace, START)
        assert later is not None
        assert later > by


def test_a_module_is_split_over_weeks_and_its_short_rest_stays() -> None:
    weeks = lay([Block("a", 250), Block("b", 60)], Pace(2, START), START)

    assert [[(share.id, share.minutes) for share in week.shares] for week in weeks] == [
        [("a", 120)],
        [("a", 130)],
        [("b", 60)],
    ]


def test_a_week_that_begins_late_has_room_in_proportion() -> None:
    pace = Pace(10, START + timedelta(days=5), frozenset({0}))

    assert pace.minutes(START) == 200  # two of six days
    assert pace.minutes(START + WEEK) == 600


@pytest.mark.parametrize(("minutes", "day"), [(60, 0), (61, 1), (420, 6)])
def test_work_ends_on_the_day_that_its_share_of_the_week_reaches(minutes: int, day: int) -> None:
    assert layout.ends_on([Block("a", minutes)], Pace(7, START), START) == START + timedelta(days=day)
