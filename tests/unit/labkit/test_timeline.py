"""Timelines: recorded from any thread, bounded, and drawn with the same as text."""

from __future__ import annotations

import threading

import pytest
from labkit import timeline as timeline_module
from labkit.timeline import Timeline

from tests.unit.labkit.drawings import drawing_in, words_in


def test_blocks_are_recorded_from_many_threads() -> None:
    timeline = Timeline("Workers")

    def work(name: str) -> None:
        for number in range(50):
            with timeline.record(name, f"step {number}"):
                pass
            timeline.event(name, "commit")

    threads = [threading.Thread(target=work, args=(f"worker-{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    entries = timeline.entries
    assert len(entries) == 400
    assert [entry.start for entry in entries] == sorted(entry.start for entry in entries)
    assert all(entry.end is None or entry.end >= entry.start for entry in entries)


def test_a_block_that_raises_says_so_and_still_raises() -> None:
    timeline = Timeline()
    with pytest.raises(KeyError), timeline.record("worker", "reads"):
        raise KeyError("x")
    assert [(entry.label, entry.error) for entry in timeline.entries] == [("reads", "KeyError")]
    assert "reads (KeyError)" in timeline.html()
    assert "reads  raised KeyError" in timeline.text()


def test_lanes_come_in_the_order_that_was_given_then_as_they_appear() -> None:
    timeline = Timeline(lanes=["b", "a"])
    timeline.event("c", at=0.1)
    timeline.event("a", at=0.2)
    words = [word for word in words_in(drawing_in(timeline.html())) if word in {"a", "b", "c"}]
    assert words == ["b", "a", "c"]


def test_spans_that_overlap_are_drawn_below_each_other() -> None:
    timeline = Timeline()
    timeline.span("db", 0.0, 0.5, "lock A")
    timeline.span("db", 0.2, 0.6, "lock B")
    timeline.span("db", 0.7, 0.9, "lock C")
    drawing = drawing_in(timeline.html())
    places = {
        (element[0].text or "").split(",")[0]: element.get("y")
        for element in drawing.iter()
        if element.tag.endswith("rect")
    }
    assert places["lock A"] == places["lock C"] != places["lock B"]


def test_everything_is_escaped_and_told_as_text() -> None:
    timeline = Timeline("<Title>")
    timeline.span("<lane>", 0.001, 0.0042, '<b>"label"</b>')
    timeline.event("<lane>", "now & then", at=0.005)
    html = timeline.html()
    drawing_in(html)
    assert "<b>" not in html
    assert "<lane>" not in html
    assert timeline.text().splitlines() == [
        "<Title>",
        '        1.0 ms  <lane>       3.2 ms  <b>"label"</b>',
        "        5.0 ms  <lane>               now & then",
    ]


def test_an_end_before_the_begin_is_no_span_backwards() -> None:
    timeline = Timeline()
    timeline.span("a", 5, 3, "odd")
    assert timeline.entries[0].end == 5
    drawing_in(timeline.html())


def test_nothing_recorded_is_said() -> None:
    assert "Nothing was recorded" in Timeline("Empty").html()
    assert Timeline("Empty").text() == "Empty\n  Nothing was recorded."


def test_it_is_bounded_and_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeline_module, "MOST_ENTRIES", 100)
    timeline = Timeline()
    for number in range(150):
        timeline.span(f"lane {number % 30}", number, number + 0.5, "x" * 200)
    html = timeline.html()
    drawing_in(html)
    assert "6 more lanes are not drawn. 50 entries beyond 100 were not kept." in html
    assert timeline.text().splitlines()[-1] == "  … 40 more"
