"""The module graph: arrows point to the right, boxes don't overlap."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from portal.features.roadmap.graph import layout


def test_a_chain_stands_in_one_row() -> None:
    drawing = layout(["a", "b", "c"], {"b": ["a"], "c": ["b"]})
    assert [box.column for box in drawing.boxes] == [0, 1, 2]
    assert len({box.y for box in drawing.boxes}) == 1


def test_a_module_stands_after_its_longest_chain() -> None:
    drawing = layout(["a", "b", "c"], {"b": ["a"], "c": ["a", "b"]})
    assert {box.id: box.column for box in drawing.boxes} == {"a": 0, "b": 1, "c": 2}


def test_prerequisites_of_other_tracks_are_left_out() -> None:
    drawing = layout(["b"], {"b": ["elsewhere"]})
    assert drawing.arrows == ()
    assert drawing.boxes[0].column == 0


def test_no_modules_make_an_empty_drawing() -> None:
    assert layout([], {}).boxes == ()


@given(st.lists(st.integers(0, 11), max_size=12, unique=True), st.data())
def test_any_acyclic_graph_is_drawn_without_overlap(numbers: list[int], data: st.DataObject) -> None:
    modules = [str(number) for number in numbers]
    needs = {
        m: data.draw(st.lists(st.sampled_from(modules[:i]), unique=True)) if i else []
        for i, m in enumerate(modules)
    }
    drawing = layout(modules, needs)
    column = {box.id: box.column for box in drawing.boxes}
    assert all(column[arrow.source] < column[arrow.target] for arrow in drawing.arrows)
    corners = {(box.x, box.y) for box in drawing.boxes}
    assert len(corners) == len(modules)
    for box in drawing.boxes:
        assert box.x >= 0
        assert box.y >= 0
        assert box.x + box.w <= drawing.width
        assert box.y + box.h <= drawing.height
