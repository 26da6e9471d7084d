"""How long somebody waits for what is being done now.

A caller says in X-Request-Timeout how many seconds it still waits: a duration, because clocks differ. Work that nobody waits for
any more is not begun: while requests queue for a thread, a connection or a lock, their callers give up, and a service that
works them off all the same never catches up. What has begun to write is finished, so that nothing is half done. Asking another
service passes on what is left.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from reference_impl.shared.problems import Problem, problem_answer

HEADER = "X-Request-Timeout"
LONGEST_SECONDS = 3600.0


@dataclass
class _Deadline:
    at: float
    """By the monotonic clock."""
    begun: bool = False
    """Whether something was written: then the rest is, too."""


_deadline: ContextVar[_Deadline | None] = ContextVar("deadline", default=None)


def remaining() -> float | None:
    """The seconds that somebody still waits, never below 0; None when nobody said."""
    deadline = _deadline.get()
    return None if deadline is None else max(0.0, deadline.at - time.monotonic())


def check() -> None:
    """Call it before work begins, and once more after a wait. Raises Problem 504 when nobody waits for it any more."""
    deadline = _deadline.get()
    if deadline is not None and not deadline.begun and time.monotonic() >= deadline.at:
        raise _passed()


def begin() -> None:
    """The same before work that changes something: once it has begun, `check` lets all pass."""
    check()
    deadline = _deadline.get()
    if deadline is not None:
        deadline.begun = True


@contextmanager
def within(seconds: float | None) -> Iterator[None]:
    """What is inside is waited for this long; None: as long as it takes, as what is done for more than one caller."""
    token = _deadline.set(None if seconds is None else _Deadline(time.monotonic() + seconds))
    try:
        yield
    finally:
        _deadline.reset(token)


class Deadlines:
    """Takes the time that callers say, and refuses with 504 what comes too late."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        seconds = _said(Headers(scope=scope).get(HEADER, "")) if scope["type"] == "http" else None
        if seconds is None:
            await self._app(scope, receive, send)
            return
        if seconds <= 0:
            await problem_answer(_passed(), scope["path"])(scope, receive, send)
            return
        with within(seconds):
            await self._app(scope, receive, send)


def _said(text: str) -> float | None:
    """Seconds; None when it is no number of them."""
    try:
        seconds = float(text)
    except ValueError:
        return None
    return min(seconds, LONGEST_SECONDS) if math.isfinite(seconds) and seconds >= 0 else None


def _passed() -> Problem:
    detail = f"The time in {HEADER} was over before the work began; nothing was changed."
    return Problem(504, "deadline-passed", "Too late to begin", detail)
