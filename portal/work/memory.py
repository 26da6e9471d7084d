"""How much memory this process may count on: the machine's, or less where a control group (a container, a service) bounds it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

MEBIBYTE = 1024 * 1024
_LIMITS = {"cgroup2": "memory.max", "cgroup": "memory.limit_in_bytes"}
"""Kind of file system → the file with a group's bound, in bytes; a word where there is none."""
_ESCAPED = re.compile(r"\\([0-7]{3})")


def usable_memory_mb(proc: Path = Path("/proc/self")) -> int:
    """The least of the machine's memory and of all bounds on this process's control groups and those above them, in MiB."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([machine, *control_group_limits(proc)]) // MEBIBYTE


def control_group_limits(proc: Path) -> list[int]:
    """The bounds in bytes, of both versions of control groups; none on a system without them. Never raises."""
    found = []
    paths = dict(_group_paths(_read(proc / "cgroup")))
    for kind, root, mount in _mounts(_read(proc / "mountinfo")):
        if kind in paths:
            for folder in _folders(mount, root, paths[kind]):
                text = _read(folder / _LIMITS[kind]).strip()
                if text.isdecimal():
                    found.append(int(text))
    return found


def _group_paths(text: str) -> Iterator[tuple[str, str]]:
    """Kind of file system → this process's group in it, from lines `number:controllers:path`."""
    for line in text.splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" and not controllers:
            yield "cgroup2", path
        elif "memory" in controllers.split(","):
            yield "cgroup", path


def _mounts(text: str) -> Iterator[tuple[str, str, Path]]:
    """Kind, the group that is mounted, and where, of each hierarchy that can bound memory."""
    for line in text.splitlines():
        mounted, _, what = line.partition(" - ")
        fields, kinds = mounted.split(), what.split()
        if len(fields) < 5 or len(kinds) < 3 or kinds[0] not in _LIMITS:
            continue
        if kinds[0] == "cgroup2" or "memory" in kinds[2].split(","):
            yield kinds[0], _plain(fields[3]), Path(_plain(fields[4]))


def _folders(mount: Path, root: str, path: str) -> Iterator[Path]:
    """The group's folder and those above it, as far as they are mounted here."""
    try:
        below = PurePosixPath(path).relative_to(root)
    except ValueError:
        below = PurePosixPath()  # another namespace's path: what is mounted is all that can be seen
    if ".." in below.parts:
        below = PurePosixPath()
    for part in (below, *below.parents):
        yield mount / part


def _plain(name: str) -> str:
    """A path of mountinfo, in which blanks are written as octal numbers."""
    return _ESCAPED.sub(lambda match: chr(int(match[1], 8)), name)


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
