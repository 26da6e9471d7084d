"""What every driver promises about a workspace that outgrows its limit: whoever writes is stopped, and no file is lost."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sandboxes.interface import Driver, Limits, NotebookOutcome, Sandbox, SandboxGone, SandboxSpec, SandboxState
from sandboxes.usage import MEBIBYTE
from tests.contract.sandboxes.conftest import quiet, until
from tests.contract.sandboxes.notebooks import execute

LIMITS = Limits(workspace_mb=20, workspace_files=300)

WATCH_SECONDS = 300.0
"""The driver looks again only after many times as long as a look took, which a busy machine makes minutes."""

Start = Callable[[Path], Sandbox]


@pytest.fixture
def start(driver: Driver) -> Iterator[Start]:
    """Starts graders' sandboxes with a small workspace."""
    started: list[Sandbox] = []

    def start(workspace: Path) -> Sandbox:
        started.append(driver.start(SandboxSpec(workspace=workspace, jupyter=False, limits=LIMITS), quiet))
        return started[-1]

    yield start
    for sandbox in started:
        sandbox.stop()


def test_who_writes_beyond_the_limit_is_interrupted_and_told_why(start: Start, tmp_path: Path) -> None:
    sandbox = start(tmp_path)
    assert sandbox.status().detail == ""
    executed = execute(
        sandbox,
        "before = 'kept'",
        """
        import time
        with open("big", "wb", buffering=0) as file:
            file.write(bytes(22_000_000))
            while True:  # writes on, and stays below what ends the sandbox
                file.seek(0)
                file.write(bytes(500_000))
                time.sleep(0.02)
        """,
    )
    assert executed.outcome is NotebookOutcome.COMPLETED
    assert [error.name for error in executed.errors] == ["KeyboardInterrupt"]
    assert "of 20 MB" in executed.detail
    time.sleep(3)  # for several more looks: who obeyed keeps the kernel
    assert sandbox.value("before") == "kept"
    assert until(lambda: "of 20 MB: delete files" in sandbox.status().detail)
    assert sandbox.status().state is SandboxState.READY
    usage = sandbox.usage()
    assert usage is not None
    assert 20 * MEBIBYTE < usage.bytes == (tmp_path / "big").stat().st_blocks * 512
    assert sandbox.run(["rm", "big"]).exit_code == 0
    assert until(lambda: sandbox.status().detail == "")
    assert not execute(sandbox, "open('small', 'w').write('again')").errors


def test_who_goes_on_writing_after_the_interrupt_is_killed(start: Start, tmp_path: Path) -> None:
    sandbox = start(tmp_path)
    executed = execute(
        sandbox,
        """
        import signal, time
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        with open("big", "wb", buffering=0) as file:
            file.write(bytes(22_000_000))
            while True:  # grows, but needs long to where the sandbox is ended
                file.seek(0)
                file.write(bytes(100_000))
                file.seek(0, 2)
                file.write(bytes(2_000))
                time.sleep(0.03)
        """,
    )
    assert executed.outcome is NotebookOutcome.KERNEL_DIED
    assert "of 20 MB" in executed.detail
    assert sandbox.status().state is SandboxState.READY
    assert (tmp_path / "big").stat().st_size > 20 * MEBIBYTE


def test_files_without_number_are_stopped_too(start: Start, tmp_path: Path) -> None:
    sandbox = start(tmp_path)
    executed = execute(
        sandbox,
        """
        import os, time
        for number in range(350):
            os.mkdir(f"folder{number}")
        time.sleep(600)
        """,
    )
    assert [error.name for error in executed.errors] == ["KeyboardInterrupt"]
    assert "files of 300" in executed.detail


def test_a_workspace_half_beyond_its_limit_ends_the_sandbox_and_keeps_the_files(
    start: Start, tmp_path: Path
) -> None:
    sandbox = start(tmp_path)
    # Written by somebody whom nothing inside can stop. With room below the next MB for what the file system adds of its own.
    size = 31 * MEBIBYTE - 500_000
    (tmp_path / "big").write_bytes(b"x" * size)
    assert until(lambda: sandbox.status().state is SandboxState.FAILED, WATCH_SECONDS)
    assert sandbox.status().detail == (
        "The sandbox was ended. Your workspace holds 31 MB of 20 MB: delete files you do not need. All your files are kept."
    )

    def gone() -> bool:
        try:
            sandbox.run(["true"])
        except SandboxGone:
            return True
        return False

    assert until(gone)
    assert (tmp_path / "big").stat().st_size == size


def test_a_workspace_that_was_full_before_can_be_opened_and_tidied_up(start: Start, tmp_path: Path) -> None:
    (tmp_path / "old").write_bytes(b"x" * (35 * MEBIBYTE))
    sandbox = start(tmp_path)
    assert until(
        lambda: "holds 36 MB of 20 MB" in sandbox.status().detail or "holds 35 MB" in sandbox.status().detail
    )
    time.sleep(3)  # longer than the driver's watch lets a sandbox go that it would end
    assert (
        sandbox.run([sys.executable if sandbox.driver_name == "local" else "python", "--version"]).exit_code
        == 0
    )
    assert sandbox.run(["rm", "old"]).exit_code == 0
    assert until(lambda: sandbox.status().detail == "")
