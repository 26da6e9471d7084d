"""The faults of a whole process, whatever runs in it: connections not given back, memory that is kept, a wrong clock."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from sqlalchemy.exc import SQLAlchemyError
from starlette.types import ASGIApp, Receive, Scope, Send

from reference_impl.shared import logs
from reference_impl.shared.database import Database
from reference_impl.shared.events import new_id, set_clock_ahead
from reference_impl.shared.faults import Faults

EVERY_SECONDS = 0.1
LEAKED_BYTES = 65_536
MOST_LEAKS = 4_096
_log = logs.logger("meridian.faults")


class ProcessFaults:
    """Brings what the flags say about the process in line with the process, again and again."""

    def __init__(self, faults: Faults, databases: Sequence[Database]) -> None:
        self._faults = faults
        self._databases = databases

    def apply(self) -> None:
        """Do it once."""
        set_clock_ahead(self._faults.value("clock.skew"))
        for database in self._databases:
            database.occupy(self._faults.value("database.pool-exhaustion"))

    def run(self, stop: threading.Event) -> None:
        """Do it until told to stop, and leave nothing behind."""
        while not stop.wait(EVERY_SECONDS):
            try:
                self.apply()
            except SQLAlchemyError as error:  # others hold the connections that we want to hold: try again
                _log.warning("fault not in force yet", reason=type(error).__name__)
        set_clock_ahead(0.0)
        for database in self._databases:
            database.occupy(0.0)


class Leaking:
    """Keeps something of a share of all requests."""

    def __init__(self, app: ASGIApp, faults: Faults) -> None:
        self._app = app
        self._faults = faults
        self.kept: list[bytearray] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self._faults.value("process.memory-leak"):
            self.kept.clear()
        elif len(self.kept) < MOST_LEAKS and self._faults.hits("process.memory-leak", new_id()):
            self.kept.append(bytearray(LEAKED_BYTES))
        await self._app(scope, receive, send)
