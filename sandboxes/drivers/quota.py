"""Ending sandboxes whose files outgrew their limit by half, measured from outside, where no code of the learner's can stop it.

The agent inside has interrupted and killed at the limit itself (`sandboxes/agent/quota.py`); what goes on beyond that means it.
No file is deleted. What was there when the sandbox got its learner is never the reason: a full workspace can still be opened
and tidied up.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace

from sandboxes.drivers.run_dir import Record, RunDirectory
from sandboxes.interface import Limits, Usage
from sandboxes.usage import complaint

LOOK_SECONDS = 2.0
WALK_SHARE = 20
"""A walk is followed by a pause of so many times its own length."""
LONGEST_PAUSE = 30.0
"""In seconds: a walk that a busy machine kept waiting is no reason to look away for minutes."""
BEYOND = 1.5

log = logging.getLogger(__name__)


def ceiling(record: Record) -> Limits:
    """Where a sandbox is ended: half beyond its limits, but never less than half a limit more than it began with."""
    room = BEYOND - 1
    return Limits(
        workspace_mb=int(max(BEYOND * record.workspace_mb, record.began_mb + room * record.workspace_mb)),
        workspace_files=int(
            max(BEYOND * record.workspace_files, record.began_files + room * record.workspace_files)
        ),
    )


class QuotaWatch:
    """A thread that looks at every sandbox of one driver in one run directory, whoever started it."""

    def __init__(
        self,
        run_dir: RunDirectory,
        driver: str,
        measure: Callable[[Record], Usage],
        end: Callable[[Record], None],
    ) -> None:
        """`end` ends the processes of a sandbox and leaves its record, which says why."""
        self._run_dir = run_dir
        self._driver = driver
        self._measure = measure
        self._end = end
        self._next: dict[str, float] = {}
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def begin(self) -> None:
        """Start to look, if that has not begun."""
        with self._lock:
            if self._thread is None and not self._closed.is_set():
                self._thread = threading.Thread(target=self._look_forever, name="workspace-quota", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """Stop to look."""
        self._closed.set()
        if self._thread is not None:
            self._thread.join(LOOK_SECONDS)

    def look(self) -> list[str]:
        """Look once at those that are due; the ids of those that were ended."""
        ended = []
        records = {record.id: record for record in self._run_dir.records(self._driver)}
        self._next = {key: at for key, at in self._next.items() if key in records}
        for record in records.values():
            began = time.monotonic()
            if record.ended or began < self._next.get(record.id, 0.0):
                continue
            usage = self._measure(record)
            done_at = time.monotonic()
            self._next[record.id] = done_at + min(LONGEST_PAUSE, WALK_SHARE * (done_at - began))
            if complaint(usage, ceiling(record)):
                reason = complaint(
                    usage, Limits(workspace_mb=record.workspace_mb, workspace_files=record.workspace_files)
                )
                told = replace(record, ended=f"The sandbox was ended. {reason} All your files are kept.")
                if not self._run_dir.update(told):
                    continue  # it ended by itself while it was measured
                log.warning("sandbox %s was ended: %d bytes in %d files", record.id, usage.bytes, usage.files)
                self._end(record)
                ended.append(record.id)
        return ended

    def _look_forever(self) -> None:
        while not self._closed.wait(LOOK_SECONDS):
            try:
                self.look()
            except Exception:
                log.exception("the workspaces could not be measured; it is tried again")
