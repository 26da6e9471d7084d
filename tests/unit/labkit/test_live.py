"""Values over time: sampled, marked, bounded, and drawn."""

from __future__ import annotations

import itertools
import threading
import time

import pytest
from labkit import display, live
from labkit.live import Series, watch, watching

from tests.unit.labkit.drawings import drawing_in, words_in


@pytest.fixture(autouse=True)
def nobody_watches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(display.LIVE_VARIABLE, "0")


def test_values_are_sampled_while_the_block_runs_and_once_at_its_end() -> None:
    value = 1
    with watching({"lag": lambda: value}, every=0.02) as seen:
        while len(seen.values("lag")) < 3:
            time.sleep(0.01)
        value = 7
    assert seen.last("lag") == 7
    assert (seen.peak("lag"), seen.values("lag")[0]) == (7, 1)


def test_watching_for_a_time_gives_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    count = itertools.count()
    seen = watch({"sent": lambda: next(count)}, seconds=0.15, every=0.03, title="Sent")
    assert seen.values("sent") == [float(n) for n in range(len(seen.values("sent")))]
    assert capsys.readouterr().out.startswith("Sent\n  sent: last")


def test_a_sampler_that_raises_or_knows_nothing_leaves_a_gap() -> None:
    def broken() -> float:
        raise ConnectionError("gone")

    with watching({"bad": broken, "none": lambda: None, "good": lambda: 3}, every=0.02) as seen:
        while len(seen.samples["good"]) < 2:
            time.sleep(0.01)
    assert seen.values("bad") == seen.values("none") == []
    assert (seen.last("bad"), seen.peak("none")) == (None, None)
    assert seen.errors == {"bad": "ConnectionError: gone"}
    assert set(seen.values("good")) == {3}


def test_a_sampler_that_hangs_does_not_hang_the_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "JOIN_SECONDS", 0.1)
    forever = threading.Event()
    with watching({"stuck": lambda: forever.wait(60) and None}) as seen:
        pass
    assert "did not come back" in seen.errors["watching"]
    forever.set()
    for thread in threading.enumerate():
        if thread.name == "live":  # another test looks whether there is one
            thread.join(60)


def test_the_block_ends_the_watching_also_when_it_raises() -> None:
    with pytest.raises(RuntimeError, match="mine"), watching({"a": lambda: 1}):
        raise RuntimeError("mine")
    assert not [thread for thread in threading.enumerate() if thread.name == "live"]


def test_a_long_series_is_thinned_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "MOST_SAMPLES", 10)
    series = Series(("a",), "A")
    thinned = [series.add("a", number) for number in range(40)]
    assert any(thinned)
    assert len(series.samples["a"]) <= 10
    assert series.values("a")[0] == 0


@pytest.mark.parametrize("wrong", [{}, {f"s{n}": lambda: 1 for n in range(9)}])
def test_how_many_can_be_watched_is_bounded(wrong: dict) -> None:
    with pytest.raises(ValueError, match="1 to 8 samplers"), watching(wrong):
        pass


def test_time_is_bounded() -> None:
    with pytest.raises(ValueError, match="seconds up to"):
        watch({"a": lambda: 1}, seconds=10_000)
    with pytest.raises(ValueError, match="every"), watching({"a": lambda: 1}, every=0):
        pass


def test_the_chart_has_its_marks_its_figures_and_its_errors() -> None:
    series = Series(("lag", "bad"), "Lag of <payments>")
    for value in (0, 40, 100, 20):
        series.add("lag", value)
        series.add("bad", None, OSError("no <way>"))
    series.mark("a second consumer <joins>")
    html, text = series.picture()
    drawing = drawing_in(html)
    assert "a second consumer <joins>" in words_in(drawing)
    assert "lag: last 20, least 0, most 100; bad: no values" in (drawing.get("aria-label") or "")
    assert "OSError: no &lt;way&gt;" in html
    assert "Lag of <payments>" in text
    assert "a second consumer <joins>" in text


def test_odd_values_are_drawn_too() -> None:
    for values in ([], [0.0], [5.0, 5.0], [-3.0, -1.0], [1e12, 1e-9]):
        series = Series(("a",), "A")
        for value in values:
            series.add("a", value)
        drawing_in(series.picture()[0])


def test_no_peak_is_lost_when_many_points_are_drawn() -> None:
    series = Series(("a",), "A")
    for number in range(1_100):
        series.add("a", 900 if number == 555 else number % 3)
    html, _ = series.picture()
    drawing = drawing_in(html)
    path = next(element.get("d") or "" for element in drawing.iter() if element.tag.endswith("path"))
    heights = [float(pair.split()[1]) for pair in path.replace("M", "L").split("L")[1:]]
    assert min(heights) == live.TOP
    assert len(html) < 20_000
