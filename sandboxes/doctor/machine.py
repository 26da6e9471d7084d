"""Checks of the machine itself: folders, disks, memory, kernel limits, clock."""

from __future__ import annotations

import os
import resource
import stat
import tempfile
import time
from pathlib import Path

from sandboxes.doctor.finding import Finding, State
from sandboxes.drivers.run_dir import MAX_PATH
from sandboxes.interface import Limits

GB = 1_000_000_000
MIB = 1_048_576
DISK_WARNING = 5 * GB
DISK_PROBLEM = GB // 2
INODES_WARNING = 50_000
EVERY_DRIVER = ("docker", "local")
CLOCK_SECONDS = 5.0
SHARE_OF_MEMORY = 0.8
"""Of the memory that is free, what sandboxes may take together; the rest is for the portal and the system."""


def run_dir(folder: Path) -> Finding:
    """Whether the run directory can hold sockets, and is nobody else's."""
    name = "run directory"
    other = "Choose another one with RUN_DIR, or remove it while nothing runs."
    if len(str(folder)) > MAX_PATH:
        return Finding(
            name, State.PROBLEM, f"{folder} is {len(str(folder))} characters long.",
            f"Set RUN_DIR to a path of at most {MAX_PATH} characters: the paths of Unix sockets end at 107.", EVERY_DRIVER,
        )  # fmt: skip
    try:
        status = folder.lstat()
    except FileNotFoundError:
        parent = _existing(folder)
        if os.access(parent, os.W_OK | os.X_OK):
            return Finding(name, State.OK, f"{folder} is not there yet; the first sandbox makes it.")
        return Finding(
            name, State.PROBLEM, f"{folder} is not there, and {parent} is not writable.",
            "Set RUN_DIR to a place where this user may make folders.", EVERY_DRIVER,
        )  # fmt: skip
    except OSError as error:
        return Finding(
            name, State.PROBLEM, f"{folder} can't be looked at: {error.strerror}.", other, EVERY_DRIVER
        )
    if not stat.S_ISDIR(status.st_mode):
        return Finding(name, State.PROBLEM, f"{folder} is not a folder.", other, EVERY_DRIVER)
    if status.st_uid != os.geteuid():
        return Finding(name, State.PROBLEM, f"{folder} belongs to user {status.st_uid}.", other, EVERY_DRIVER)
    if status.st_mode & 0o022:
        return Finding(
            name, State.PROBLEM, f"Others may write to {folder} (mode {stat.S_IMODE(status.st_mode):04o}).",
            f"chmod 700 {folder}", EVERY_DRIVER,
        )  # fmt: skip
    return Finding(name, State.OK, f"{folder}, mode {stat.S_IMODE(status.st_mode):04o}, this user's own.")


def disk(name: str, folder: Path, todo: str) -> Finding:
    """The space and the inodes of the file system that a folder is on, or will be."""
    place = _existing(folder)
    try:
        found = os.statvfs(place)
    except OSError as error:
        return Finding(name, State.WARNING, f"{place} can't be looked at: {error.strerror}.", todo)
    free = found.f_bavail * found.f_frsize
    words = f"{free / GB:.1f} GB free of {found.f_blocks * found.f_frsize / GB:.1f} GB on the file system of {folder}."
    if free < DISK_PROBLEM:
        return Finding(name, State.PROBLEM, words, todo)
    if free < DISK_WARNING:
        return Finding(name, State.WARNING, words, todo)
    if 0 < found.f_favail < INODES_WARNING:
        return Finding(
            name, State.WARNING, f"Only {found.f_favail} more files fit on the file system of {folder}.", todo
        )
    return Finding(name, State.OK, words)


def memory() -> Finding:
    """How much memory there is, and how many sandboxes of the usual size fit."""
    name = "memory"
    try:
        facts = {
            line.split(":")[0]: int(line.split()[1]) * 1024
            for line in Path("/proc/meminfo").read_text().splitlines()
            if line.endswith(" kB")
        }
        total, free = facts["MemTotal"], facts["MemAvailable"]
    except (OSError, KeyError, ValueError, IndexError):
        return Finding(
            name, State.WARNING, "This system does not tell its memory.",
            "Say with SANDBOX_PLACES how many sandboxes may run at once.",
        )  # fmt: skip
    limit = Limits().memory_mb * MIB
    places = int(free * SHARE_OF_MEMORY // limit)
    words = (
        f"{free / GB:.1f} GB free of {total / GB:.1f} GB: room for {places} more sandboxes "
        f"that use all of their {Limits().memory_mb} MiB."
    )
    if places < 1:
        return Finding(name, State.PROBLEM, words, "End what takes the memory, or use a machine with more.")
    if places < 4:
        return Finding(
            name, State.WARNING, words, "Enough to try it. For a class, plan 1 GB for each learner at work."
        )
    return Finding(name, State.OK, words)


def kernel_limits() -> list[Finding]:
    """Limits of the kernel that many sandboxes reach first."""
    wanted = (
        ("fs/inotify/max_user_instances", 256, "watched folders (inotify instances)"),
        ("fs/inotify/max_user_watches", 16_384, "watched files (inotify watches)"),
        ("kernel/pid_max", 32_768, "processes (pid_max)"),
        ("kernel/threads-max", 16_384, "threads (threads-max)"),
    )
    low = []
    todo = []
    for path, least, words in wanted:
        try:
            value = int((Path("/proc/sys") / path).read_text())
        except (OSError, ValueError):
            continue  # another system, which has other limits
        if value < least:
            low.append(f"{words} is {value}")
            todo.append(f"sysctl -w {path.replace('/', '.')}={least}")
    files = resource.getrlimit(resource.RLIMIT_NOFILE)
    findings = [
        Finding("kernel limits", State.WARNING, f"Low: {', '.join(low)}.", "As root: " + "; ".join(todo))
        if low
        else Finding("kernel limits", State.OK, "Enough for many sandboxes.")
    ]
    if files[0] != resource.RLIM_INFINITY and files[0] < 1_024:
        findings.append(
            Finding(
                "open files",
                State.WARNING,
                f"A process may open {files[0]} files.",
                "ulimit -n 4096 before the start.",
            )
        )
    else:
        findings.append(Finding("open files", State.OK, f"A process may open {files[0]} files."))
    return findings


def clock(engine_time: float | None = None) -> Finding:
    """Whether the clocks agree: sessions end, and tokens expire, by them."""
    name = "clock"
    now = time.time()
    todo = "Switch on time synchronisation (systemd-timesyncd, chrony); restart Docker Desktop after a sleep."
    if engine_time is not None and abs(engine_time - now) > CLOCK_SECONDS:
        return Finding(name, State.WARNING, f"The engine's clock is {engine_time - now:+.0f} s off ours.", todo)
    with tempfile.TemporaryFile() as file:
        written = os.fstat(file.fileno()).st_mtime
    if abs(written - now) > CLOCK_SECONDS:
        return Finding(
            name, State.WARNING, f"The file system's clock is {written - now:+.0f} s off ours.", todo
        )
    return Finding(name, State.OK, time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(now)) + ".")


def _existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that is there."""
    folder = folder.absolute()
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder
