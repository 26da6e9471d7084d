from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from portal.features.plan.contents import Item, ItemKind, Spread, ordered
from portal.features.plan.layout import Share
from roadmap import Catalogue, Module, Stage, Track
from roadmap.values import Depth


def module(name: str, *prerequisites: str) -> Module:
    return Module(name, name, "", (), prerequisites, 10, Depth.WORKING, (), (), (), (), "", ())


def track(*stages: Stage) -> Track:
    return Track("t", "T", "", stages)


def stage(name: str, modules: tuple[str, ...], *needs: str) -> Stage:
    return Stage(name, name, "", modules, None, None, needs)


def catalogue(*modules: Module) -> Catalogue:
    return Catalogue({}, {one.id: one for one in modules}, {}, {}, ())


@st.composite
def tracks(draw: st.DrawFn) -> tuple[Track, Catalogue]:
    """Up to ten modules whose prerequisites have no cycle, in any order, over up to three stages that need earlier ones."""
    count = draw(st.integers(1, 10))
    modules = [
        module(f"m{n}", *(f"m{p}" for p in draw(st.sets(st.integers(0, n - 1), max_size=3)) if n) if n else ())
        for n in range(count)
    ]
    order = draw(st.permutations([one.id for one in modules]))
    cuts = sorted(draw(st.lists(st.integers(0, count), min_size=2, max_size=2)))
    stages = [
        stage("a", tuple(order[: cuts[0]])),
        stage("b", tuple(order[cuts[0] : cuts[1]]), *draw(st.sampled_from([(), ("a",), ("c",)]))),
        stage("c", tuple(order[cuts[1] :]), *draw(st.sampled_from([(), ("a",)]))),
    ]
    return track(*stages), catalogue(*modules)


@given(tracks())
def test_every_module_comes_once_and_after_what_it_builds_on(given_: tuple[Track, Catalogue]) -> None:
    chosen, known = given_

    found = [one.id for one in ordered(chosen, known)]

    assert sorted(found) == sorted(chosen.modules)
    for place, name in enumerate(found):
        assert not set(known.modules[name].prerequisites) & set(found[place:])


def test_the_track_s_own_order_stands_where_it_can() -> None:
    known = catalogue(module("a", "c"), module("b"), module("c"), module("d"))

    assert [one.id for one in ordered(track(stage("s", ("a", "b", "c", "d"))), known)] == ["b", "c", "a", "d"]
    assert [one.id for one in ordered(track(stage("s", ("a", "b", "c", "d"))), known, {"c"})] == ["a", "b", "d"]


def test_a_stage_waits_for_the_stages_that_it_needs_unless_these_build_on_it() -> None:
    known = catalogue(module("a"), module("b"), module("c", "a"))
    waits = track(stage("late", ("a",), "early"), stage("early", ("b",)))
    crossed = track(stage("late", ("a", "b"), "early"), stage("early", ("c",)))

    assert [one.id for one in ordered(waits, known)] == ["b", "a"]
    assert [one.id for one in ordered(crossed, known)] == ["a", "c", "b"]


@given(st.lists(st.integers(1, 300), max_size=8), st.lists(st.integers(1, 400), min_size=1, max_size=8))
def test_every_item_begins_in_one_share_and_goes_on_without_a_gap(items: list[int], shares: list[int]) -> None:
    named = tuple(Item(ItemKind.LESSON, str(n), str(n), "m", minutes) for n, minutes in enumerate(items))
    spread = Spread(module("m"), named, sum(shares))
    begins, within = 0, []
    for minutes in shares:
        within.append([i for i in spread.within(Share("m", begins, minutes)) if i.kind != ItemKind.MODULE])
        begins += minutes

    begun = [item.id for found in within for item in found if not item.goes_on]
    assert begun == [item.id for item in named]
    for item in named:
        weeks = [n for n, found in enumerate(within) if item.id in {one.id for one in found}]
        assert weeks == list(range(weeks[0], weeks[-1] + 1))


def test_what_lies_before_the_first_share_is_not_named() -> None:
    items = tuple(Item(ItemKind.LESSON, str(n), str(n), "m", 30) for n in range(4))
    spread = Spread(module("m"), items, 120, offset=60)

    assert [item.id for item in spread.within(Share("m", 0, 30))] == ["2"]
    assert [item.kind for item in replace(spread, items=()).within(Share("m", 0, 30))] == [ItemKind.MODULE]
