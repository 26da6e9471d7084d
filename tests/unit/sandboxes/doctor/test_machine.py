"""Checks of the machine, each in surroundings that are broken in one way."""

from __future__ import annotations

import os
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from sandboxes.doctor import machine
from sandboxes.doctor.finding import State


class Disk:
    """What `statvfs` says of a file system."""

    f_frsize = 4096
    f_blocks = 10_000_000

    def __init__(self, free_gb: float, inodes: int = 1_000_000) -> None:
        self.f_bavail = int(free_gb * 1_000_000_000 / self.f_frsize)
        self.f_favail = inodes


def test_a_run_directory_of_ones_own_is_fine(tmp_path: Path) -> None:
    tmp_path = Path("/tmp") / f"pgd-{os.getpid()}"
    tmp_path.mkdir(mode=0o700)
    try:
        assert machine.run_dir(tmp_path).state is State.OK
        assert machine.run_dir(tmp_path / "later").state is State.OK
        assert not (tmp_path / "later").exists(), "a check changes nothing"
        tmp_path.chmod(0o777)
        shared = machine.run_dir(tmp_path)
        assert (shared.state, shared.todo) == (State.PROBLEM, f"chmod 700 {tmp_path}")
    finally:
        tmp_path.rmdir()


def test_a_run_directory_that_can_not_be_used_blocks_every_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    file = Path("/tmp") / f"pgd-file-{os.getpid()}"
    file.write_text("")
    try:
        no_folder = machine.run_dir(file)
    finally:
        file.unlink()
    too_long = machine.run_dir(Path("/tmp") / ("x" * 60))
    with monkeypatch.context() as closed:
        closed.setattr(os, "access", lambda *_a: False)  # root may write everywhere
        nowhere = machine.run_dir(Path("/nowhere/at/all"))
    monkeypatch.setattr(os, "geteuid", lambda: 4_242)
    somebody_s = machine.run_dir(Path("/tmp"))
    for found, words in (
        (no_folder, "not a folder"),
        (too_long, "characters long"),
        (nowhere, "not there"),
        (somebody_s, "belongs to user"),
    ):
        assert found.state is State.PROBLEM, found
        assert words in found.found
        assert found.blocks == ("docker", "local")
        assert found.todo


@pytest.mark.parametrize(
    ("disk", "state"),
    [
        (Disk(20), State.OK),
        (Disk(3), State.WARNING),
        (Disk(0.2), State.PROBLEM),
        (Disk(20, inodes=900), State.WARNING),
    ],
)
def test_disks_are_watched(monkeypatch: pytest.MonkeyPatch, disk: Disk, state: State, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "statvfs", lambda _path: disk)
    assert machine.disk("disk", tmp_path / "not" / "yet", "free some").state is state


@pytest.mark.parametrize(
    ("gigabytes", "state", "places"), [(16, State.OK, 12), (3, State.WARNING, 2), (0.5, State.PROBLEM, 0)]
)
def test_memory_is_told_as_places(
    monkeypatch: pytest.MonkeyPatch, gigabytes: float, state: State, places: int
) -> None:
    text = f"MemTotal: {33_554_432} kB\nMemFree: 1 kB\nMemAvailable: {int(gigabytes * 1_048_576)} kB\nHugePages_Total: 0\n"
    monkeypatch.setattr(Path, "read_text", lambda _path, *_a, **_k: text)
    found = machine.memory()
    assert found.state is state
    assert f"room for {places} more" in found.found


def test_a_system_that_does_not_tell_its_memory_is_told_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "read_text", lambda _path, *_a, **_k: "nothing here\n")
    assert "SANDBOX_PLACES" in machine.memory().todo


def test_low_limits_of_the_kernel_come_with_the_command_that_raises_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    values = {"max_user_instances": "64", "pid_max": "32768", "threads-max": "9000"}
    monkeypatch.setattr(Path, "read_text", lambda path, *_a, **_k: values.get(path.name, "1000000"))
    monkeypatch.setattr("resource.getrlimit", lambda _which: (256, 4096))
    kernel, files = machine.kernel_limits()
    assert kernel.state is State.WARNING
    assert "fs.inotify.max_user_instances=256" in kernel.todo
    assert "kernel.threads-max=16384" in kernel.todo
    assert "pid_max" not in kernel.todo
    assert (files.state, files.found) == (State.WARNING, "A process may open 256 files.")


def test_clocks_that_differ_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time()
    stopped = SimpleNamespace(time=lambda: now, gmtime=time.gmtime, strftime=time.strftime)
    monkeypatch.setattr(machine, "time", stopped)
    # The file system's clock goes on while this process stands still.
    monkeypatch.setattr(machine, "CLOCK_SECONDS", 600.0)
    assert machine.clock(now).state is State.OK
    assert machine.clock(None).state is State.OK
    late = machine.clock(now - 3_600)
    assert late.state is State.WARNING
    assert "-3600 s" in late.found
