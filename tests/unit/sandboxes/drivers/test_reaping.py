"""Scratch that nobody uses, adoptions that are under way, and the rehearsal of a reaping."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandboxes.drivers.adoption import finish_all
from sandboxes.drivers.local import LocalDriver
from sandboxes.drivers.reaping import reap, remove_scratch, stale_scratch, tree_bytes
from sandboxes.drivers.run_dir import Record, RunDirectory


@pytest.fixture
def run_dir() -> Iterator[Path]:
    root = Path(tempfile.mkdtemp(prefix="pgu-"))
    RunDirectory(root).prepare()
    yield root
    shutil.rmtree(root)


def old(path: Path, seconds: float = 7_200) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    os.utime(path, (time.time() - seconds,) * 2)
    return path


def test_only_old_scratch_that_no_sandbox_uses_is_stale(run_dir: Path) -> None:
    records = RunDirectory(run_dir)
    abandoned = old(records.scratch / "abandoned")
    old(records.scratch / "young", 60)
    in_use = old(records.scratch / "in-use")
    inside = old(records.scratch / "holds" / "one")
    old(records.scratch / "holds")
    for number, workspace in enumerate((in_use, inside)):
        records.save(Record(f"id{number}", "local", "", str(workspace)))
    assert stale_scratch(run_dir, 0.0) == [abandoned]
    assert stale_scratch(run_dir, 36_000) == []


def test_scratch_is_removed_with_what_it_took_and_links_are_not_followed(run_dir: Path, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "work.txt").write_text("mine")
    scratch = RunDirectory(run_dir).scratch
    (scratch / "link").symlink_to(precious)
    folder = scratch / "folder"
    folder.mkdir()
    (folder / "data").write_bytes(b"x" * 100_000)
    (folder / "out").symlink_to(precious)
    found = [scratch / "link", folder]
    assert remove_scratch(found, dry_run=True) >= 100_000
    assert folder.exists()
    assert remove_scratch(found) >= 100_000
    assert list(scratch.iterdir()) == []
    assert (precious / "work.txt").read_text() == "mine"
    assert tree_bytes(scratch / "gone") == 0


def test_a_rehearsal_says_the_same_and_changes_nothing(run_dir: Path) -> None:
    driver = LocalDriver(run_dir)
    records = RunDirectory(run_dir)
    folder = records.create("lost")
    (folder / "data").write_bytes(b"x" * 50_000)
    records.save(Record("lost", "local", "", str(run_dir / "gone"), pid=0, pid_started="1"))
    rehearsed = reap(driver, run_dir, [], 0.0, dry_run=True)
    assert rehearsed.removed == ("lost",)
    assert rehearsed.freed_bytes >= 50_000
    assert folder.exists()
    assert reap(driver, run_dir, [], 600.0).removed == ()
    assert reap(driver, run_dir, [], 0.0) == rehearsed
    assert not folder.exists()


def test_an_adoption_that_may_be_under_way_is_left_to_who_does_it(tmp_path: Path) -> None:
    notes, blank, workspace = tmp_path / "notes", tmp_path / "blank", tmp_path / "kept"
    for folder in (notes, blank, workspace):
        folder.mkdir()
    (workspace / "work.txt").write_text("mine")
    note = notes / "one.json"
    note.write_text(json.dumps({"blank": str(blank), "workspace": str(workspace)}))
    finish_all(notes, grace_seconds=60)
    assert blank.exists()
    assert note.exists()
    os.utime(note, (time.time() - 120,) * 2)
    finish_all(notes, grace_seconds=60)
    assert not blank.exists()
    assert (workspace / "work.txt").read_text() == "mine"


def test_a_document_that_was_not_written_to_its_end_is_removed(run_dir: Path) -> None:
    driver = LocalDriver(run_dir)
    RunDirectory(run_dir).prepare()
    for folder in ("records", "routes", "adopting"):
        (run_dir / folder / "cut.half").write_text('{"id": "cu')
    assert driver.reap([]) == ["cut"]
    assert not list(run_dir.rglob("*.half"))
