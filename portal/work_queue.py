"""Huey's queue in SQLite, looked into by one idle thread at a time.

Huey's own threads each look for themselves: fifty times a second, so that nobody waits, and a worker with nothing to do keeps a
processor busy by some percent.
"""

from __future__ import annotations

import threading
import time
from typing import Any

from huey import SqliteHuey
from huey.storage import SqliteStorage

LOOK_SECONDS = 0.02
"""How often the queue is looked into: what a learner waits for, at most, before the work begins."""
TURN_SECONDS = 0.5
"""How long an idle thread looks, or waits for its turn, before it asks whether the worker is to end."""


class OneLooks(SqliteStorage):
    """The messages. Of the threads that ask for the next one, one looks and the others sleep until it has found something."""

    blocking = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._turn = threading.Lock()
        super().__init__(*args, **kwargs)

    def dequeue(self) -> bytes | None:
        if not self._turn.acquire(timeout=TURN_SECONDS):
            return None
        try:
            for _ in range(round(TURN_SECONDS / LOOK_SECONDS)):
                data: bytes | None = super().dequeue()
                if data is not None:
                    return data
                time.sleep(LOOK_SECONDS)
            return None
        finally:
            self._turn.release()


class WorkQueue(SqliteHuey):
    """The queue of one instance."""

    storage_class = OneLooks
