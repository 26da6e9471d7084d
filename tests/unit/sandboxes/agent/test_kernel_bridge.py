"""The bridge without a kernel: it is plain Python over a namespace."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import pytest

from sandboxes.agent import kernel_bridge
from sandboxes.agent.kernel_bridge import LIMIT, answer


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What hangs is interrupted until it has ended, however long this process stands still meanwhile."""
    monkeypatch.setattr(kernel_bridge, "JOIN_SECONDS", 60.0)


def _ask(namespace: dict[str, Any], **wish: Any) -> dict[str, Any]:
    return answer(namespace, json.dumps(wish))._repr_mimebundle_()["application/json"]


def test_a_call_answers_with_json_text() -> None:
    document = _ask({"add": lambda a, b: [a + b]}, do="call", function="add", arguments=[1, 2])
    assert document == {"ok": True, "text": "[3]"}


def test_what_json_can_not_say_is_the_learners_error() -> None:
    for value in (object(), float("nan"), {1, 2}, b"bytes"):
        document = _ask({"value": value}, do="value", expression="value")
        assert (document["ok"], document["kind"], document["name"]) == (False, "learner_code", "TypeError")


def test_a_value_beyond_the_limit_is_too_large() -> None:
    document = _ask({"value": "x" * LIMIT}, do="value", expression="value")
    assert (document["ok"], document["kind"]) == (False, "too_large")
    calls = [[number] for number in range(4)]
    document = _ask(
        {"f": lambda n: "x" * (LIMIT // 3)}, do="call_many", function="f", calls=calls, workers=2, seconds=60
    )
    assert (document["ok"], document["kind"]) == (False, "too_large")


def test_an_exception_that_can_not_be_shown_is_still_told() -> None:
    class Spiteful(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no")

    def fail() -> None:
        raise Spiteful

    document = _ask({"fail": fail}, do="call", function="fail", arguments=[])
    assert (document["name"], document["detail"]) == ("Spiteful", "")


def test_many_calls_keep_their_order_and_their_errors() -> None:
    def half(number: int) -> float:
        return 1 / number

    document = _ask(
        {"half": half}, do="call_many", function="half", calls=[[2], [0], [4]], workers=3, seconds=60
    )
    assert [call.get("text") for call in document["calls"]] == ["0.5", None, "0.25"]
    assert document["calls"][1]["error"] == "ZeroDivisionError: division by zero"


def test_calls_that_hang_are_counted_and_interrupted() -> None:
    running: set[int] = set()

    def spin(number: int) -> None:
        running.add(number)
        try:
            while True:
                time.sleep(0.01)
        finally:
            running.discard(number)

    document = _ask(
        {"spin": spin}, do="call_many", function="spin", calls=[[1], [2], [3]], workers=2, seconds=1.5
    )
    assert (document["kind"], document["detail"]) == ("timeout", "3 of 3 calls had not returned after 1.5 s")
    assert running == set()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("call-")]


def test_a_call_that_swallows_one_interrupt_is_interrupted_again() -> None:
    heard = []

    def spin() -> None:
        while True:
            try:
                while True:
                    time.sleep(0.01)
            except KeyboardInterrupt:
                heard.append("once")
                if len(heard) == 2:
                    raise

    document = _ask({"spin": spin}, do="call_many", function="spin", calls=[[]], workers=1, seconds=0.2)
    assert document["kind"] == "timeout"
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("call-")]


def test_no_calls_are_answered_with_none() -> None:
    assert _ask({"f": len}, do="call_many", function="f", calls=[], workers=8, seconds=1) == {
        "ok": True,
        "calls": [],
    }
