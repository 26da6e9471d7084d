"""The circuit breaker: stop asking what does not answer, so that waiting for it takes nobody else down.

::

    CLOSED ──too many of the last calls failed──► OPEN ──open_seconds have passed──► HALF_OPEN
      ▲                                            ▲                                   │    │
      │                                            └────────── the trial fails ────────┘    │
      └──────────────────────────────── the trial succeeds ─────────────────────────────────┘

OPEN refuses every call at once with CircuitOpen. HALF_OPEN lets one call through and refuses the others until it is back.

No method waits: the lock inside is held for a few instructions. So the same breaker serves threads and coroutines;
`guard` may be held over an `await`.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum

from reference_impl.shared import metrics


class CircuitState(StrEnum):
    """What a breaker does with the next call."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


_LEVELS = {CircuitState.CLOSED: 0, CircuitState.HALF_OPEN: 1, CircuitState.OPEN: 2}


class CircuitOpen(Exception):
    """The call was not made, because those before it failed."""

    def __init__(self, name: str, retry_after_seconds: float) -> None:
        super().__init__(f"{name} does not answer; asked again in {retry_after_seconds:.1f} s")
        self.retry_after_seconds = retry_after_seconds


class CircuitBreaker:
    """Watches the calls to one dependency.

    It opens when, of the calls that ended in the last `window_seconds`, at least `least_calls` are known and the share
    `failure_share` of them failed. Only exceptions of `failures` count: a refusal that the caller deserves is an answer.
    """

    def __init__(
        self,
        name: str,
        *,
        failures: tuple[type[BaseException], ...] = (Exception,),
        least_calls: int = 5,
        failure_share: float = 0.5,
        window_seconds: float = 10.0,
        open_seconds: float = 2.0,
        clock: Callable[[], float] = time.monotonic,
        on_change: Callable[[CircuitState], None] = lambda state: None,
    ) -> None:
        self.name = name
        self._failures = failures
        self._least_calls = least_calls
        self._failure_share = failure_share
        self._window_seconds = window_seconds
        self._open_seconds = open_seconds
        self._clock = clock
        self._on_change = on_change
        self._lock = threading.Lock()
        self._state = CircuitState.CLOSED
        self._calls: deque[tuple[float, bool]] = deque(maxlen=max(100, least_calls))
        self._opened_at = 0.0
        self._trial = False
        self._era = 0
        """Counts the changes of state: a call that began before one says nothing about the time after it."""
        metrics.BREAKER_STATE.labels(name).set(_LEVELS[self._state])

    @property
    def state(self) -> CircuitState:
        """The state now; OPEN until a call has been let through as the trial."""
        return self._state

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Make one call inside this. Raises CircuitOpen without entering when the call is not to be made."""
        era = self._enter()
        try:
            yield
        except self._failures:
            self._leave(era, failed=True)
            raise
        except Exception:
            self._leave(era, failed=False)
            raise
        except BaseException:  # cancelled or interrupted: nothing is known, the next call may be the trial
            self._give_up(era)
            raise
        else:
            self._leave(era, failed=False)

    def _enter(self) -> int:
        with self._lock:
            if self._state is CircuitState.OPEN:
                rest = self._opened_at + self._open_seconds - self._clock()
                if rest > 0:
                    raise CircuitOpen(self.name, rest)
                self._change(CircuitState.HALF_OPEN)
            if self._state is CircuitState.HALF_OPEN:
                if self._trial:
                    raise CircuitOpen(self.name, self._open_seconds)
                self._trial = True
            return self._era

    def _leave(self, era: int, *, failed: bool) -> None:
        with self._lock:
            if era != self._era:
                return
            if self._state is CircuitState.HALF_OPEN:
                self._change(CircuitState.OPEN if failed else CircuitState.CLOSED)
                return
            moment = self._clock()
            self._calls.append((moment, failed))
            while self._calls[0][0] < moment - self._window_seconds:
                self._calls.popleft()
            known, failures = len(self._calls), sum(failed for _, failed in self._calls)
            if failed and known >= self._least_calls and failures >= known * self._failure_share:
                self._change(CircuitState.OPEN)

    def _give_up(self, era: int) -> None:
        with self._lock:
            if era == self._era:
                self._trial = False

    def _change(self, state: CircuitState) -> None:
        self._state = state
        self._era += 1
        self._trial = False
        self._calls.clear()
        if state is CircuitState.OPEN:
            self._opened_at = self._clock()
        metrics.BREAKER_STATE.labels(self.name).set(_LEVELS[state])
        metrics.BREAKER_CHANGES.labels(self.name, state).inc()
        self._on_change(state)
