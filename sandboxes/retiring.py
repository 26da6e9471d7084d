"""Ending sandboxes in the background, so that nobody waits for what nobody needs any more."""

from __future__ import annotations

import logging
import queue
import threading
from pathlib import Path

from sandboxes.clearing import remove_tree
from sandboxes.interface import Sandbox, SandboxError

MOST = 64
log = logging.getLogger("sandboxes.pool")


class Retirement:
    """A bounded queue of sandboxes to end, and the thread that ends them. When it is full, the caller ends its own."""

    def __init__(self, most: int = MOST) -> None:
        self._queue: queue.Queue[tuple[Sandbox, Path | None] | None] = queue.Queue(most)
        self._ids: set[str] = set()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = False

    def ids(self) -> set[str]:
        """Those that are still to be ended."""
        with self._lock:
            return set(self._ids)

    def add(self, sandbox: Sandbox, discard: Path | None = None) -> None:
        """End a sandbox soon, and then remove the folder `discard`. Never raises for one that does not end: the reaper will."""
        with self._lock:
            if sandbox.id in self._ids:
                return
            queued = not self._closed
            if queued:
                try:
                    self._queue.put_nowait((sandbox, discard))
                except queue.Full:
                    queued = False
            if queued:
                self._ids.add(sandbox.id)
                if self._thread is None:
                    self._thread = threading.Thread(target=self._run, name="retirement", daemon=True)
                    self._thread.start()
        if not queued:
            end(sandbox, discard)

    def close(self, seconds: float = 30.0) -> None:
        """End all that wait; returns when they are ended, or after so long."""
        with self._lock:
            self._closed = True
            thread = self._thread
        if thread is not None:
            try:
                self._queue.put(None, timeout=seconds)
            except queue.Full:
                return
            thread.join(seconds)

    def _run(self) -> None:
        while (item := self._queue.get()) is not None:
            end(*item)
            with self._lock:
                self._ids.discard(item[0].id)


def end(sandbox: Sandbox, discard: Path | None = None) -> None:
    """Stop a sandbox whatever happens, and then remove what it worked on."""
    try:
        sandbox.stop()
    except (SandboxError, OSError) as error:
        log.warning("the sandbox %s could not be ended now: %s", sandbox.id, error)
    except Exception:
        log.exception("the sandbox %s could not be ended now", sandbox.id)
    if discard is not None:
        remove_tree(discard)
