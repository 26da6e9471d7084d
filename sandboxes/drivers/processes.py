"""Processes of this machine: whether one still runs, whose it is, and what it uses."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from sandboxes.protocol import SANDBOX_ID_VARIABLE

PROC = Path("/proc")


def start_time(pid: int) -> str:
    """When a running process began, in the system's own unit; empty when there is none."""
    if pid <= 0:
        return "none"
    try:
        fields = (PROC / str(pid) / "stat").read_text().rsplit(")", 1)[1].split()
        return "" if fields[0] in "ZX" else fields[19]
    except FileNotFoundError:
        if (PROC / "self").exists():
            return ""
    except (OSError, IndexError):
        return ""
    try:  # a system without /proc
        os.kill(pid, 0)
    except OSError:
        return ""
    return "running"


def identity() -> str:
    """This process, in a way that no later process can be taken for it: `<process namespace>/<pid>/<start>`."""
    pid = os.getpid()
    return f"{_namespace()}/{pid}/{start_time(pid)}"


def lives(identified: str) -> bool | None:
    """Whether the process of an `identity` still runs; None when that can't be told from here (another container's)."""
    namespace, _, rest = identified.partition("/")
    pid, _, started = rest.partition("/")
    if not pid.isdigit() or not started or namespace != _namespace():
        return None
    return start_time(int(pid)) == started


def of_sandbox(sandbox_id: str) -> Iterator[int]:
    """The processes that carry a sandbox's variable: all that a local sandbox started, wherever they went."""
    mark = f"{SANDBOX_ID_VARIABLE}={sandbox_id}".encode()
    for path in PROC.glob("[0-9]*/environ"):
        try:
            carries = mark in path.read_bytes().split(b"\0")
        except OSError:
            continue
        if carries and start_time(int(path.parent.name)):
            yield int(path.parent.name)


def resident_bytes(pid: int) -> int:
    """The memory that a process holds, shared pages counted by their share; 0 when it is gone."""
    try:
        # What processes share (PostgreSQL's buffers, libraries) would otherwise be counted once for each.
        for line in (PROC / str(pid) / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    try:
        pages = int((PROC / str(pid) / "statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def _namespace() -> str:
    try:
        return str((PROC / "self/ns/pid").readlink())
    except OSError:
        return "here"
