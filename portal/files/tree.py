"""Walking a tree that a learner's code may be changing right now.

Each folder is opened from the one above it and never through a link, so whatever is swapped meanwhile, nothing outside the tree
is ever opened. Depth and number of entries are bounded.
"""

from __future__ import annotations

import itertools
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

MAX_DEPTH = 40
MAX_ENTRIES = 50_000
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Kind(StrEnum):
    """What an entry is."""

    FILE = "file"
    FOLDER = "folder"
    LINK = "link"
    SPECIAL = "special file"
    """A pipe, a socket or a device."""
    UNREADABLE = "unreadable"
    """Gone since, not permitted, or too deep."""
    REST = "rest"
    """Stands for all that was not looked at, because there is too much."""


@dataclass(frozen=True)
class Found:
    """One entry. `open` works until the walk goes on."""

    path: str
    """Relative to the root, with slashes; the parts are as the file system has them."""
    kind: Kind
    status: os.stat_result | None = None
    folder: int = -1

    def open(self) -> int:
        """A descriptor of the regular file. Raises OSError when it is none any more."""
        descriptor = os.open(self.path.rpartition("/")[2], _FILE, dir_fd=self.folder)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise OSError("it is not a file any more")
        return descriptor


def walk(root: Path, max_entries: int = MAX_ENTRIES) -> Iterator[Found]:
    """Every entry below `root`, folders before what is in them. Raises OSError when `root` is no folder."""
    top = os.open(root, _FOLDER)
    try:
        yield from _walk(top, "", MAX_DEPTH, itertools.count(max_entries, -1))
    finally:
        os.close(top)


def _walk(folder: int, prefix: str, depth: int, left: Iterator[int]) -> Iterator[Found]:
    room = next(left)
    if room <= 0:
        yield Found(prefix or ".", Kind.REST)
        return
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in itertools.islice(entries, room))
    except OSError:
        yield Found(prefix or ".", Kind.UNREADABLE)
        return
    for name in names:
        path = f"{prefix}{name}"
        if next(left) <= 0:
            yield Found(path, Kind.REST)
            return
        try:
            status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        except OSError:
            yield Found(path, Kind.UNREADABLE)
            continue
        kind = _kind(status.st_mode)
        yield Found(path, kind, status, folder)
        if kind is Kind.FOLDER:
            yield from _below(folder, name, path, depth, left)


def _below(folder: int, name: str, path: str, depth: int, left: Iterator[int]) -> Iterator[Found]:
    try:
        if depth <= 0:
            raise OSError("too deep")
        inner = os.open(name, _FOLDER, dir_fd=folder)
    except OSError:
        yield Found(path, Kind.UNREADABLE)
        return
    try:
        yield from _walk(inner, f"{path}/", depth - 1, left)
    finally:
        os.close(inner)


def _kind(mode: int) -> Kind:
    if stat.S_ISREG(mode):
        return Kind.FILE
    if stat.S_ISDIR(mode):
        return Kind.FOLDER
    return Kind.LINK if stat.S_ISLNK(mode) else Kind.SPECIAL
