"""The agent's way into a learner's kernel: calls a function or looks up a value, and hands the outcome back as JSON text.

Loaded by `kernel_launcher` under the name `_sandbox_bridge`, in the learner's process: standard library only, and nothing in
here is trusted by those who read its answers. The agent sends `answer(namespace, request)` as a user expression; the object that
comes back renders itself as one JSON document:

    {"ok": true, "text": "<JSON text of the value>"}
    {"ok": true, "calls": [{"text" | "error", "milliseconds"}, …]}
    {"ok": false, "kind": "learner_code" | "too_large" | "timeout", "name": …, "detail": …}
"""

from __future__ import annotations

import ctypes
import json
import threading
import time
from typing import Any

LIMIT = 1_048_576
DETAIL = 2_000
JOIN_SECONDS = 1.0
AGAIN_SECONDS = 0.25


class Answer:
    """A JSON document that IPython shows as JSON."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        return {"application/json": self._document, "text/plain": ""}


class _TooLarge(Exception):
    pass


def answer(namespace: dict[str, Any], request: str) -> Answer:
    """Do what the request says; never raises for what the learner's code did."""
    try:
        wish = json.loads(request)
        if wish["do"] == "value":
            # The agent lets only names with attributes and indexes through, and the learner runs code here anyway.
            return Answer({"ok": True, "text": _encode(eval(wish["expression"], namespace))})  # noqa: S307
        function = _resolve(namespace, wish["function"])
        if wish["do"] == "call":
            return Answer({"ok": True, "text": _encode(function(*wish["arguments"]))})
        return _call_many(function, wish["calls"], wish["workers"], wish["seconds"])
    except _TooLarge as error:
        return Answer({"ok": False, "kind": "too_large", "name": "", "detail": str(error)})
    except BaseException as error:
        return Answer({"ok": False, "kind": "learner_code", **_describe(error)})


def _describe(error: BaseException) -> dict[str, str]:
    try:
        detail = str(error)
    except BaseException:
        detail = ""
    return {"name": type(error).__name__[:200], "detail": detail[:DETAIL]}


def _resolve(namespace: dict[str, Any], dotted: str) -> Any:
    first, *rest = dotted.split(".")
    if first not in namespace:
        raise NameError(f"the notebook defines no {first!r}")
    found = namespace[first]
    for part in rest:
        found = getattr(found, part)
    if not callable(found):
        raise TypeError(f"{dotted!r} is not a function")
    return found


def _encode(value: Any) -> str:
    try:
        text = json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise TypeError(f"the result can't be written as JSON: {error}") from None
    if len(text) > LIMIT:
        raise _TooLarge(f"the result is larger than {LIMIT // 1024} KB")
    return text


def _call_many(function: Any, calls: list[list[Any]], workers: int, seconds: float) -> Answer:
    outcomes: list[dict[str, Any] | None] = [None] * len(calls)
    count = max(1, min(workers, len(calls)))
    barrier = threading.Barrier(count)
    turns = iter(range(len(calls)))
    turn_lock = threading.Lock()
    given_up = threading.Event()

    def work() -> None:
        barrier.wait(seconds)
        while not given_up.is_set():
            with turn_lock:
                index = next(turns, None)
            if index is None:
                return
            started = time.perf_counter()
            outcome: dict[str, Any]
            try:
                outcome = {"text": _encode(function(*calls[index]))}
            except BaseException as error:
                told = _describe(error)
                outcome = {"error": f"{told['name']}: {told['detail']}" if told["detail"] else told["name"]}
            outcome["milliseconds"] = (time.perf_counter() - started) * 1000
            outcomes[index] = outcome

    threads = [threading.Thread(target=work, daemon=True, name=f"call-{number}") for number in range(count)]
    deadline = time.monotonic() + seconds
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
    except BaseException:
        barrier.abort()
        given_up.set()
        _interrupt(threads)
        raise
    if any(thread.is_alive() for thread in threads):
        left = sum(outcome is None for outcome in outcomes)
        barrier.abort()
        given_up.set()
        _interrupt(threads)
        detail = f"{left} of {len(calls)} calls had not returned after {seconds:g} s"
        return Answer({"ok": False, "kind": "timeout", "name": "", "detail": detail})
    if sum(len(outcome.get("text", "")) for outcome in outcomes if outcome) > LIMIT:
        raise _TooLarge(f"the results are together larger than {LIMIT // 1024} KB")
    return Answer({"ok": True, "calls": outcomes})


def _interrupt(threads: list[threading.Thread]) -> None:
    """Raise KeyboardInterrupt in threads that still run Python code, so that they don't spoil what is called next."""
    end = time.monotonic() + JOIN_SECONDS
    while (alive := [thread for thread in threads if thread.is_alive()]) and time.monotonic() < end:
        # Again and again: raised within a finalizer or a callback of the garbage collector, it goes no further.
        for thread in alive:
            if thread.ident:
                ctypes.pythonapi.PyThreadState_SetAsyncExc(
                    ctypes.c_ulong(thread.ident), ctypes.py_object(KeyboardInterrupt)
                )
        again = min(end, time.monotonic() + AGAIN_SECONDS)
        for thread in alive:
            thread.join(max(0.0, again - time.monotonic()))
