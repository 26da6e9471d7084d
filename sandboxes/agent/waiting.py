"""Waiting until something that was started answers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from sandboxes.agent.processes import Child
from sandboxes.services.base import NotReady

PROBE_SECONDS = 0.03


class StartAborted(Exception):
    """The sandbox can't get ready, or can't go on; the text says why."""


async def until_ready(name: str, child: Child | None, probe: Callable[[], None], seconds: float) -> None:
    """Return when the probe does. `child` is None for a tool. Raises StartAborted when it ended, or after so many seconds."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return await asyncio.to_thread(probe)
        except NotReady as error:
            if child is not None and not child.running:
                raise StartAborted(f"{name} ended with exit code {child.process.returncode}.") from error
            if time.monotonic() > deadline:
                raise StartAborted(f"{name} was not ready after {seconds:g} s: {error}") from error
        await asyncio.sleep(PROBE_SECONDS)
