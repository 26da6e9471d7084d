"""Keeping the workspace within its limit from inside: who writes beyond it is interrupted, and killed when that does not help.

No file is deleted, and below the limit nothing is held up. This is for the learner who wrote a loop by mistake and should keep
the kernel; whoever wants to can stop this process. The driver measures too, from outside (`sandboxes/drivers/quota.py`).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from sandboxes.interface import Limits, Usage
from sandboxes.usage import complaint, workspace_usage

LOOK_SECONDS = 0.5
WALK_SHARE = 20
"""A walk is followed by a pause of so many times its own length: a large tree is looked at less often."""
LONGEST_PAUSE = 10.0
SAMPLE_SECONDS = 0.1
WRITTEN_BYTES = 65_536
"""Within one sample, for somebody to be one who writes."""

log = logging.getLogger("sandboxes.agent")


class WorkspaceWatch:
    """Looks at the workspace again and again."""

    def __init__(
        self,
        workspace: Path,
        limits: Limits,
        processes: Callable[[], set[int]],
        tell: Callable[[str], None],
    ) -> None:
        """`processes` are the learner's; `tell` gets the complaint, or "" when there is none any more."""
        self._workspace = workspace
        self._limits = limits
        self._processes = processes
        self._tell = tell
        self._told = ""
        self._interrupted = False
        self._before: Usage | None = None
        """The last look since the interrupt was heard; None before."""

    async def look_forever(self) -> None:
        pause = LOOK_SECONDS
        while True:
            await asyncio.sleep(pause)
            began = time.monotonic()
            usage = await asyncio.to_thread(
                workspace_usage, self._workspace, max_files=4 * self._limits.workspace_files
            )
            pause = min(LONGEST_PAUSE, max(LOOK_SECONDS, WALK_SHARE * (time.monotonic() - began)))
            if await self.judge(usage):
                pause = LOOK_SECONDS

    async def judge(self, usage: Usage) -> bool:
        """Do what there is to do about a usage; whether it is beyond the limit."""
        text = complaint(usage, self._limits)
        if text != self._told:
            self._told = text
            self._tell(text)
        if not text:
            self._interrupted, self._before = False, None
            return False
        if not self._interrupted:
            # What is written until it hears the interrupt is no defiance: the next look is what later ones are held against.
            self._interrupted = True
            await self._signal_writers(signal.SIGINT)
            return True
        before, self._before = self._before, usage
        if before is not None and (usage.bytes > before.bytes or usage.files > before.files):
            await self._signal_writers(signal.SIGKILL)
        return True

    async def _signal_writers(self, number: signal.Signals) -> None:
        """Signal those of the learner's processes that write now; all when that can't be told (making folders is no writing)."""
        before = {pid: _written(pid) for pid in self._processes()}
        await asyncio.sleep(SAMPLE_SECONDS)
        writers = {pid for pid, written in before.items() if _written(pid) - written > WRITTEN_BYTES}
        for pid in writers or before:
            log.warning("the workspace is full: %s for process %d", number.name, pid)
            with contextlib.suppress(OSError):
                os.kill(pid, number)


def _written(pid: int) -> int:
    """What a process has written so far, by calls and into mapped files; 0 where the system does not tell."""
    try:
        lines = Path(f"/proc/{pid}/io").read_text().splitlines()
        figures = dict(line.split(": ") for line in lines)
        return int(figures["wchar"]) + int(figures["write_bytes"])
    except (OSError, ValueError, KeyError):
        return 0
