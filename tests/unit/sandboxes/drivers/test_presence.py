"""Who lives: workers by their notes, processes by their identity."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandboxes.drivers.inventory import kept
from sandboxes.drivers.presence import FOLDER, Worker, announce, leave, living_workers, recent_workers
from sandboxes.drivers.processes import identity, lives
from sandboxes.drivers.run_dir import Record, RunDirectory

THEIR_IDENTITY = "import sys; from sandboxes.drivers.processes import identity; print(identity(), flush=True); "


@pytest.fixture
def run_dir() -> Iterator[Path]:
    root = Path(tempfile.mkdtemp(prefix="pgu-"))
    RunDirectory(root).prepare()
    yield root
    shutil.rmtree(root)


@pytest.fixture
def dead() -> str:
    """The identity of a process that has ended."""
    return subprocess.run(
        [sys.executable, "-c", THEIR_IDENTITY], capture_output=True, text=True, check=True
    ).stdout.strip()


def write_note(run_dir: Path, worker: Worker) -> None:
    (run_dir / FOLDER).mkdir(exist_ok=True)
    (run_dir / FOLDER / f"{worker.instance}.json").write_text(json.dumps(vars(worker)))


def test_an_identity_is_a_process_and_no_later_one(dead: str) -> None:
    assert lives(identity()) is True
    assert lives(dead) is False
    namespace, pid, _started = identity().split("/")
    assert lives(f"{namespace}/{pid}/1") is False, "the number alone is not enough"


@pytest.mark.parametrize("text", ["", "nonsense", "a/b/c", "pid:[1]/12/34"])
def test_what_can_not_be_told_from_here_is_not_guessed(text: str) -> None:
    assert lives(text) is None


def test_a_worker_is_there_from_its_note_to_its_end(run_dir: Path) -> None:
    assert living_workers(run_dir) == []
    announce(run_dir, "one", "docker", 1_700_000_000.0)
    found = living_workers(run_dir)
    assert [(worker.instance, worker.driver) for worker in found] == [("one", "docker")]
    assert found[0].pid > 0
    leave(run_dir, "one")
    assert living_workers(run_dir) == []


def test_a_killed_worker_is_dead_although_its_note_is_fresh(run_dir: Path, dead: str) -> None:
    write_note(run_dir, Worker("one", dead, "docker", time.time(), time.time()))
    assert living_workers(run_dir) == []


def test_a_killed_worker_may_be_coming_back_for_a_while(run_dir: Path, dead: str) -> None:
    now = time.time()
    write_note(run_dir, Worker("just-now", dead, "docker", now, now - 30))
    write_note(run_dir, Worker("long-ago", dead, "docker", now, now - 900))
    assert [worker.instance for worker in recent_workers(run_dir, 600)] == ["just-now"]
    assert recent_workers(run_dir, 0.0) == []


def test_a_worker_in_another_container_lives_by_its_heartbeat(run_dir: Path) -> None:
    now = time.time()
    write_note(run_dir, Worker("fresh", "pid:[1]/12/34", "docker", now, now))
    write_note(run_dir, Worker("silent", "pid:[1]/12/34", "docker", now, now - 3_600))
    assert [worker.instance for worker in living_workers(run_dir)] == ["fresh"]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"instance": 1}', "x" * 9_000])
def test_a_note_that_makes_no_sense_is_no_worker(run_dir: Path, text: str) -> None:
    (run_dir / FOLDER).mkdir()
    (run_dir / FOLDER / "odd.json").write_text(text)
    assert living_workers(run_dir) == []


def test_kept_is_what_has_a_living_worker_or_starter(run_dir: Path, dead: str) -> None:
    records = RunDirectory(run_dir)
    running = []
    for sandbox_id, instance, starter in (
        ("workers", "one", dead),
        ("starters", "", identity()),
        ("nobodys", "two", dead),
        ("elsewhere", "two", "pid:[1]/12/34"),
    ):
        labels = {"instance": instance} if instance else {}
        records.save(Record(sandbox_id, "docker", "", "", labels=labels, starter=starter))
        running.append((sandbox_id, labels))
    running.append(("without-record", {"instance": "two"}))
    announce(run_dir, "one", "docker", time.time())
    assert kept(run_dir, running, living_workers(run_dir)) == ["workers", "starters"]
