"""How much a learner's files take, measured while the learner may be changing them: no link is followed, every walk is bounded.

The same walk serves the agent inside, as the learner's user, and the driver outside, whom no closed folder stops.
"""

from __future__ import annotations

import os
import stat
import time
from dataclasses import dataclass
from pathlib import Path

from sandboxes.interface import Limits, Usage

LOOK_BYTES = 1 << 62
LOOK_FILES = 1_000_000
LOOK_SECONDS = 1.0
HELD = 100
"""Levels of folders that stay open during a walk. To deeper ones it comes back by "..", and looks whether it is there."""
MEBIBYTE = 1_048_576
BLOCK = 512
"""What the system counts a file's room in, whatever the file system uses."""
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


def workspace_usage(
    folder: Path, *, max_bytes: int = LOOK_BYTES, max_files: int = LOOK_FILES, seconds: float = LOOK_SECONDS
) -> Usage:
    """What everything below a folder takes on the disk; it stops early once a bound is exceeded. Never raises.

    Sparse files count with what they take, a file of several names counts once, folders count too. What can't be read, or does
    not fit into the time, makes the answer incomplete.
    """
    walk = _Walk(max_bytes, max_files, time.monotonic() + seconds)
    try:
        walk.enter(os.open(folder, FOLDER))
        while walk.levels and not walk.stopped:
            walk.step()
    except OSError:
        walk.complete = walk.complete and not os.path.lexists(folder)
    finally:
        walk.close()
    return Usage(walk.bytes, walk.files, walk.complete and not walk.stopped, walk.evaded)


@dataclass
class _Level:
    """A folder on the way to where the walk is."""

    descriptor: int
    identity: tuple[int, int]
    below: list[str]
    """Folders in it that were not looked at yet."""
    held: bool = True


class _Walk:
    """Depth first; each folder is listed when it is entered."""

    def __init__(self, max_bytes: int, max_files: int, deadline: float) -> None:
        self.bytes = 0
        self.files = 0
        self.complete = True
        self.stopped = False
        self.evaded = False
        self.levels: list[_Level] = []
        self._max_bytes = max_bytes
        self._max_files = max_files
        self._deadline = deadline
        self._several_names: set[tuple[int, int]] = set()

    def enter(self, descriptor: int) -> None:
        status = os.fstat(descriptor)
        level = _Level(descriptor, (status.st_dev, status.st_ino), [])
        self.levels.append(level)
        if len(self.levels) > HELD + 1:
            self._let_go(self.levels[-2])
        try:
            with os.scandir(descriptor) as entries:
                for entry in entries:
                    self._count(entry, level)
                    if self.stopped:
                        return
        except OSError:
            self.complete = False

    def step(self) -> None:
        """Go to the next folder, down or back up."""
        level = self.levels[-1]
        if level.below:
            try:
                self.enter(os.open(level.below.pop(), FOLDER, dir_fd=level.descriptor))
            except OSError:  # closed to us, or gone
                self.complete = False
            return
        self.levels.pop()
        above = self.levels[-1] if self.levels else None
        if above is not None and not above.held:
            above.descriptor, above.held = os.open("..", FOLDER, dir_fd=level.descriptor), True
            status = os.fstat(above.descriptor)
            if (status.st_dev, status.st_ino) != above.identity:
                self.evaded = self.stopped = True
        os.close(level.descriptor)

    def close(self) -> None:
        for level in self.levels:
            self._let_go(level)

    def _let_go(self, level: _Level) -> None:
        if level.held:
            level.held = False
            os.close(level.descriptor)

    def _count(self, entry: os.DirEntry[str], level: _Level) -> None:
        try:
            status = entry.stat(follow_symlinks=False)
        except OSError:  # it was removed meanwhile
            return
        self.files += 1
        folder = stat.S_ISDIR(status.st_mode)
        identity = (status.st_dev, status.st_ino)
        if folder:
            level.below.append(entry.name)
        if folder or identity not in self._several_names:
            self.bytes += status.st_blocks * BLOCK
        if not folder and status.st_nlink > 1:
            self._several_names.add(identity)
        beyond = self.bytes > self._max_bytes or self.files > self._max_files
        self.stopped = beyond or time.monotonic() > self._deadline


def complaint(usage: Usage, limits: Limits) -> str:
    """What to tell the learner whose files are beyond a limit; empty when they are not."""
    if usage.bytes > limits.workspace_mb * MEBIBYTE:
        held = -(-usage.bytes // MEBIBYTE)
        return f"Your workspace holds {held} MB of {limits.workspace_mb} MB: delete files you do not need."
    if usage.files > limits.workspace_files:
        return f"Your workspace holds {usage.files} files of {limits.workspace_files}: delete those you do not need."
    if usage.evaded:
        return "Folders of your workspace were moved about while it was measured."
    return ""
