"""The watch over workspaces, and a sandbox that ends by itself while it is measured."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandboxes.drivers.quota import QuotaWatch
from sandboxes.drivers.run_dir import Record, RunDirectory
from sandboxes.interface import Usage

FULL = Usage(bytes=1, files=10_000_000)


@pytest.fixture
def run_dir() -> Iterator[RunDirectory]:
    root = Path(tempfile.mkdtemp(prefix="pgu-"))
    directory = RunDirectory(root)
    directory.prepare()
    yield directory
    shutil.rmtree(root)


@pytest.fixture
def record(run_dir: RunDirectory) -> Record:
    made = Record(id="one", driver="local", web_path="/", workspace="/nowhere")
    run_dir.create(made.id)
    run_dir.save(made)
    return made


def test_a_full_workspace_ends_its_sandbox_and_the_record_says_why(
    run_dir: RunDirectory, record: Record
) -> None:
    ended: list[str] = []
    watch = QuotaWatch(run_dir, "local", lambda _: FULL, lambda each: ended.append(each.id))

    assert watch.look() == ["one"]

    assert ended == ["one"]
    told = run_dir.record("one")
    assert told is not None
    assert "All your files are kept" in told.ended


def test_a_sandbox_that_is_removed_while_it_is_measured_leaves_nothing(
    run_dir: RunDirectory, record: Record
) -> None:
    ended: list[str] = []

    def measure(each: Record) -> Usage:
        run_dir.remove(each.id)
        return FULL

    watch = QuotaWatch(run_dir, "local", measure, lambda each: ended.append(each.id))

    assert watch.look() == []

    assert ended == []
    assert [path for path in run_dir.root.rglob("*") if path.is_file()] == []
