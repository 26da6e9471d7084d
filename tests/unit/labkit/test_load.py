"""Calls from many threads: each once, counted by what came out, bounded, and drawn."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest
from labkit import display, load
from labkit.load import LoadResult, label, run
from labkit.load_chart import OTHERS, TIME_SLOTS, Tally, bucket_of, bucket_start, picture

from tests.unit.labkit.drawings import drawing_in, words_in


@pytest.fixture(autouse=True)
def nobody_watches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(display.LIVE_VARIABLE, "0")


def test_each_argument_list_is_used_once(capsys: pytest.CaptureFixture[str]) -> None:
    seen: list[tuple[int, str]] = []
    result = run(lambda number, name: seen.append((number, name)), [(n, "lamp") for n in range(100)], workers=8)
    assert sorted(seen) == [(n, "lamp") for n in range(100)]
    assert (result.calls, result.outcomes, result.unfinished) == (100, {"None": 100}, 0)
    assert "100 calls" in capsys.readouterr().out


def test_what_came_out_is_counted_by_value_or_exception() -> None:
    def answer(number: int) -> bool:
        if number == 3:
            raise ValueError("three")
        return number % 2 == 0

    result = run(answer, range(10), chart=False)
    assert result.outcomes == {"True": 5, "False": 4, "ValueError": 1}
    assert result.errors == {"ValueError": "three"}
    assert result.values == {number: number % 2 == 0 for number in range(10) if number != 3}


@pytest.mark.parametrize(
    ("value", "counted_as"),
    [
        (True, "True"), (None, "None"), (7, "7"), ("sold", "sold"), ("", "''"), ("x" * 41, "str"),
        (SimpleNamespace(status_code=429), "429"), ([1, 2], "list"), (1.5, "float"),
    ],
)  # fmt: skip
def test_a_value_is_counted_as_something_short(value: Any, counted_as: str) -> None:
    assert label(value) == counted_as


def test_the_caller_can_say_what_counts_as_what() -> None:
    result = run(
        lambda n: {"ok": n > 2}, range(5), outcome=lambda value: "fine" if value["ok"] else "bad", chart=False
    )
    assert result.outcomes == {"fine": 2, "bad": 3}


def test_an_entry_that_is_no_list_is_one_argument() -> None:
    assert run(str.upper, ["lamp"], calls=3, chart=False).outcomes == {"LAMP": 3}


def test_arguments_can_be_made_for_each_call() -> None:
    assert run(lambda a, b: a + b, lambda number: (number, 10), calls=3, chart=False).outcomes == {
        "10": 1,
        "11": 1,
        "12": 1,
    }


def test_threads_start_together_and_no_more_than_asked_for() -> None:
    together, most, lock = 0, 0, threading.Lock()
    all_four = threading.Barrier(4)

    def call() -> None:
        nonlocal together, most
        with lock:
            together += 1
            most = max(most, together)
        all_four.wait(20)
        with lock:
            together -= 1

    result = run(call, calls=12, workers=4, chart=False)
    assert result.outcomes == {"None": 12}
    assert most == 4


def test_it_ends_when_the_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    now, lock = 0.0, threading.Lock()
    monkeypatch.setattr(load, "time", SimpleNamespace(perf_counter=lambda: now))

    def call() -> None:
        nonlocal now
        with lock:
            now += 0.01

    result = run(call, seconds=0.3, workers=2, chart=False)
    assert 29 <= result.calls <= 32
    assert result.unfinished == 0


def test_a_rate_spreads_the_begin_of_calls() -> None:
    result = run(lambda: None, calls=11, rate=50, chart=False)
    assert result.calls == 11
    assert result.seconds >= 10 / 50


def test_calls_that_never_end_are_left_behind() -> None:
    forever = threading.Event()

    def call(number: int) -> str:
        if number == 1:
            forever.wait(60)
        return "done"

    result = run(call, range(4), patience=2.0, chart=False)
    assert (result.outcomes, result.unfinished) == ({"done": 3}, 1)
    forever.set()
    time.sleep(0.1)
    assert result.calls == 3, "what ends later is not counted any more"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"workers": 0, "calls": 1}, "workers from 1 to 256"),
        ({"workers": 1_000, "calls": 1}, "workers from 1 to 256"),
        ({"calls": 10_000_000}, "calls from 1"),
        ({"seconds": 100_000}, "seconds from"),
        ({"arguments": []}, "nothing to call"),
        ({}, "calls=… or seconds=…"),
        ({"arguments": lambda number: number}, "calls=… or seconds=…"),
    ],
)
def test_what_would_never_end_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        run(lambda *_: None, **options)


def test_percentiles_are_latencies_that_were_measured() -> None:
    result = LoadResult()
    result.latencies = [float(n) for n in range(1, 101)]
    assert (result.p50, result.p95, result.p99, result.max) == (50, 95, 99, 100)
    result.latencies = [7.0]
    assert (result.p50, result.p99) == (7, 7)
    assert LoadResult().p95 == 0


def test_too_many_different_outcomes_are_counted_together() -> None:
    result = run(lambda n: n, range(100), workers=2, chart=False)
    assert len(result.outcomes) == load.MOST_OUTCOMES + 1
    assert sum(result.outcomes.values()) == 100
    assert result.outcomes[OTHERS] == 70


def test_a_latency_is_in_the_bucket_whose_bounds_hold_it() -> None:
    for latency in (0.06, 0.5, 1, 3.3, 99, 12_345):
        bucket = bucket_of(latency)
        assert bucket_start(bucket) <= latency * 1.000001
        assert latency < bucket_start(bucket + 1) * 1.000001
    assert bucket_of(0) == 0


def test_a_long_run_takes_no_more_room_than_a_short_one() -> None:
    tally = Tally()
    for number in range(10_000):
        tally.add("ok", number * 0.01, 1.0, failed=False)
    assert sum(tally.by_time["ok"].values()) == 10_000
    assert len(tally.by_time["ok"]) <= TIME_SLOTS
    assert tally.end / tally.slot <= TIME_SLOTS


def result_of(**outcomes: int) -> tuple[Tally, LoadResult]:
    tally, result = Tally(), LoadResult()
    for name, count in outcomes.items():
        for number in range(count):
            tally.add(name, 0.01 * number, 2.0 + number, failed=name.endswith("Error"))
            result.latencies.append(2.0 + number)
        result.outcomes[name] = count
    result.seconds = 2.0
    return tally, result


def test_the_chart_tells_everything_in_words_too() -> None:
    tally, result = result_of(sold=30, refused=12, TimeoutError=5)
    result.errors["TimeoutError"] = "took <too> long"
    html, text = picture("A rush <b>", tally, result)
    drawing = drawing_in(html)
    assert "47 calls in 2.00 s, 23.5 a second" in (drawing.get("aria-label") or "")
    assert "sold 30, refused 12, TimeoutError 5" in (drawing.get("aria-label") or "")
    assert "How long calls took" in words_in(drawing)
    assert "took &lt;too&gt; long" in html
    assert "A rush &lt;b&gt;" in html
    assert text.splitlines()[:4] == [
        "A rush <b>",
        "  47 calls in 2.00 s, 23.5 a second. p50 11 ms, p95 29 ms, p99 31 ms, max 31 ms.",
        "  outcomes: sold 30, refused 12, TimeoutError 5",
        "  TimeoutError: took <too> long",
    ]


def test_a_chart_of_nothing_is_a_chart() -> None:
    html, text = picture("Nothing", Tally(), LoadResult())
    drawing_in(html)
    assert "0 calls" in text


def test_a_chart_stays_small() -> None:
    tally, result = result_of(**{f"outcome {n}": 400 for n in range(12)})
    html, _ = picture("Many", tally, result)
    drawing_in(html)
    assert len(html) < 100_000
    assert "6 other outcomes: 2,400" in html
