"""Files that were deleted while somebody still has them open: they take room, and no walk over folders meets them."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

PROC = Path("/proc")


def hidden_bytes(first: int, folder: Path) -> int:
    """What the processes of a container hold of deleted files on the file system of `folder`, in bytes. Never raises.

    `first` is the container's first process as this machine counts; 0 is told where it can't be seen from here.
    """
    space = _space(first)
    if not first or space is None or space == _space(os.getpid()):
        return 0
    try:
        device = folder.stat().st_dev
    except OSError:
        return 0
    sizes: dict[int, int] = {}
    for place in PROC.iterdir():
        if not place.name.isdigit() or _space(int(place.name)) != space:
            continue
        with contextlib.suppress(OSError):
            for descriptor in os.scandir(place / "fd"):
                with contextlib.suppress(OSError):
                    status = descriptor.stat()
                    if status.st_nlink == 0 and status.st_dev == device and stat.S_ISREG(status.st_mode):
                        sizes[status.st_ino] = status.st_blocks * 512
    return sum(sizes.values())


def _space(pid: int) -> int | None:
    """The name space of process numbers that a process lives in."""
    try:
        return (PROC / str(pid) / "ns" / "pid").stat().st_ino
    except OSError:
        return None
