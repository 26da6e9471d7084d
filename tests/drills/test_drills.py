"""Failure drills: something dies while a learner works. Each time no work is lost, the learner is told what happened and what to
do, launching again goes on, and after the reaper ran nothing is left of what died; where sandboxes wait, others wait again.

A worker killed while it grades is in `tests/e2e/test_journey.py`.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import pytest

from sandboxes.drivers.adoption import KEPT as TWICE
from sandboxes.drivers.docker_engine import container_name
from sandboxes.drivers.processes import start_time
from sandboxes.drivers.run_dir import RunDirectory
from tests.drills.conftest import Site, soon, until_nothing_runs
from tests.drills.learner import Learner, Session

pytestmark = [pytest.mark.timeout(1800), pytest.mark.xdist_group("drills")]

WORK = "hours of work\n"
KEPT = "files are kept"
MANY = 5_000
"""Files that a workspace has, for moving them to take a while."""
FILL = """
for name in {}:
    try:
        with open(name, "wb", buffering=0) as file:
            while file.write(bytes(1_000_000)):
                pass
    except OSError as error:
        print(error.strerror)
"""


def at_work(site: Site) -> tuple[Learner, Session]:
    """A learner who has saved something; where sandboxes wait, in one of those."""
    learner = Learner(site.product)
    learner.page()
    waited = site.until_one_waits() if site.waiting else None
    learner.launch()
    session = learner.ready()
    assert waited is None or session.sandbox_id == waited
    assert learner.save("mine.txt", WORK).status_code == 201
    return learner, session


def assert_goes_on(site: Site, learner: Learner, ended: Session) -> None:
    """Launched again, the lab has the learner's files; of the sandbox that died nothing is left."""
    learner.launch()
    again = learner.ready()
    assert learner.load("mine.txt") == WORK
    site.assert_no_orphans()
    if again.sandbox_id != ended.sandbox_id:
        until_nothing_runs(ended.sandbox_id)
    assert learner.load("mine.txt") == WORK


@pytest.mark.one_driver
@pytest.mark.parametrize("moment", ["its folder is made", "its agent runs"])
def test_a_worker_killed_during_a_launch(site: Site, moment: str) -> None:
    learner = Learner(site.product)
    learner.workspace.mkdir(parents=True)
    (learner.workspace / "mine.txt").write_text(WORK)
    for _ in range(10):
        learner.launch()
        began = learner.session()
        inside = site.product.run_dir / "s" / began.sandbox_id
        awaited = inside if moment == "its folder is made" else inside / "status.json"
        soon(lambda: awaited.exists() or learner.session().state == "failed", "the launch did not begin")  # noqa: B023
        session = learner.session()
        assert session.state != "failed", f"{session}\n{site.product.output()[-5000:]}"
        site.kill_worker()
        # If it has failed by now, the next worker has been quick.
        if hit := learner.session().state in ("starting", "failed"):
            break
        # On a busy machine the launch may be over before it is hit: then another one has to be.
        learner.stop()
        learner.until("stopped")
    assert hit
    ended = learner.until("ready", "failed")
    if ended.state == "failed":
        assert ended.detail in learner.page()
        assert "again" in ended.detail
        learner.launch()
        learner.ready()
    assert learner.load("mine.txt") == WORK
    site.assert_no_orphans()
    assert learner.load("mine.txt") == WORK


@pytest.mark.docker
def test_the_image_was_removed(docker_site: Site, own_tree: Path) -> None:
    learner, ended = at_work(docker_site)
    learner.stop()
    learner.until("stopped")
    made = [
        sys.executable,
        "-c",
        "from sandboxes.drivers.images import ImageContext as I; print(I('base').tag)",
    ]
    tag = subprocess.run(made, cwd=own_tree, capture_output=True, text=True, check=True).stdout.strip()
    assert docker_site.engine is not None
    docker_site.engine.client().remove_image(tag, force=True)
    with phases_told(learner) as told:
        learner.launch()
        learner.ready()
    assert "building the image" in told
    assert docker_site.engine.client().inspect_image(tag)
    assert learner.load("mine.txt") == WORK
    docker_site.assert_no_orphans()
    until_nothing_runs(ended.sandbox_id)


@contextmanager
def phases_told(learner: Learner) -> Iterator[set[str]]:
    """Afterwards: the phases that sessions were in meanwhile. Whoever only looks now and then misses the short ones."""
    found: set[str] = set()
    with closing(sqlite3.connect(learner.product.instance / "portal.db", timeout=60)) as database:
        database.executescript(
            "CREATE TABLE told (phase TEXT); CREATE TRIGGER tell AFTER UPDATE OF phase ON lab_sessions "
            "BEGIN INSERT INTO told VALUES (new.phase); END"
        )
        try:
            yield found
            found.update(phase for (phase,) in database.execute("SELECT phase FROM told"))
        finally:
            database.executescript("DROP TRIGGER tell; DROP TABLE told")


def kill_worker_while_it_hands_out(site: Site, learner: Learner, moment: str) -> tuple[str, bool]:
    """The sandbox that waited and that the learner was about to get, and whether the worker was hit at this moment."""
    records = RunDirectory(site.run_dir)
    waited, worker = site.until_one_waits(), site.worker()
    note, waiting = records.adoption_note(waited), records.record(waited)
    assert waiting is not None

    def half_moved() -> bool:
        folders = Path(waiting.workspace), learner.workspace
        return note.exists() and all(map(holds_something, folders))

    def handed_out() -> bool:
        record = records.record(waited)
        return record is None or not record.blank or learner.session().state in ("ready", "failed")

    learner.launch()
    # The sandbox is in the database only when it is ready, so nobody may write there for a moment.
    with closing(sqlite3.connect(site.product.instance / "portal.db", timeout=60)) as database:
        # On a busy machine all may be over before the first look.
        soon(lambda: half_moved() or handed_out(), "it was not handed out")
        if moment == "all files are moved":
            database.execute("BEGIN IMMEDIATE")
            soon(handed_out, "it was not handed out")
        os.kill(worker, signal.SIGKILL)
        soon(lambda: not start_time(worker), "the worker did not end")
        moved = half_moved() if moment == "half of the files are moved" else not note.exists()
        return waited, moved and learner.session().state == "starting"


def holds_something(folder: Path) -> bool:
    try:
        return any(folder.iterdir())
    except FileNotFoundError:  # it has been moved itself
        return False


@pytest.mark.pool
@pytest.mark.one_driver
@pytest.mark.parametrize("moment", ["half of the files are moved", "all files are moved"])
def test_a_worker_killed_while_it_hands_out_a_sandbox_that_waited(site: Site, moment: str) -> None:
    learner = Learner(site.product)
    learner.page()
    learner.workspace.mkdir(parents=True)
    work = {"mine.txt", *(f"{number}.txt" for number in range(MANY))}
    for name in work:
        (learner.workspace / name).write_text(WORK)
    for _ in range(10):
        waited, hit = kill_worker_while_it_hands_out(site, learner, moment)
        if hit:
            break
        # On a busy machine all files may have moved before it is hit: then another one has to be.
        if learner.until("ready", "failed").state == "ready":
            learner.stop()
            learner.until("stopped")
    assert hit
    again = learner.ready()
    assert again.sandbox_id != waited
    assert {path.name for path in learner.workspace.iterdir()} >= work
    assert not list(learner.workspace.glob(f"*{TWICE}*"))
    assert learner.load("mine.txt") == WORK
    site.assert_no_orphans()
    until_nothing_runs(waited)
    assert learner.load("mine.txt") == WORK
    assert {path.name for path in learner.workspace.iterdir()} >= work


@pytest.mark.pool
def test_a_sandbox_killed_while_its_learner_works(site: Site) -> None:
    learner, session = at_work(site)
    site.kill_sandbox(session.sandbox_id)
    ended = learner.until("failed")
    assert KEPT in ended.detail
    assert ended.detail in learner.page()
    assert_goes_on(site, learner, ended)


@pytest.mark.docker
@pytest.mark.pool
def test_a_full_disk(docker_site: Site, small_disk: list[Path]) -> None:
    # A disk of its own: none of those that wait can be given it, and a new sandbox is started.
    learner = Learner(docker_site.product)
    disk = learner.workspace.parent
    disk.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(disk)], check=True)
    small_disk.append(disk)
    learner.launch()
    session = learner.ready()
    assert learner.save("mine.txt", WORK).status_code == 201

    # The container's own writable memory: an error of the cell that does it, and the notebook can still be saved.
    assert learner.run(FILL.format(["/tmp/full", "/home/learner/full"])) == "No space left on device\n" * 2
    assert learner.save("after.txt", "saved all the same").status_code == 201

    # The workspace itself: saving says why it can't be done, and what was saved before stays whole.
    assert learner.run(FILL.format(["filler"])).endswith("No space left on device\n")
    refused = learner.save("mine.txt", "new work " * 200_000)
    assert refused.status_code >= 500
    assert "No space left on device" in refused.json()["message"]
    assert learner.load("mine.txt") == WORK
    assert (learner.workspace / "mine.txt").read_text() == WORK
    assert learner.jupyter("DELETE", "api/contents/filler").status_code == 204
    assert learner.save("mine.txt", "new work " * 200_000).status_code == 200
    assert learner.session() == session
    learner.stop()
    learner.until("stopped")
    docker_site.assert_no_orphans()


@pytest.mark.docker
@pytest.mark.pool
def test_the_engine_is_restarted(docker_site: Site) -> None:
    engine = docker_site.engine
    assert engine is not None
    learner, session = at_work(docker_site)
    engine.stop()
    ended = learner.until("failed")
    assert KEPT in ended.detail
    assert ended.detail in learner.page()
    learner.launch()
    refused = learner.until("failed")
    assert "No Docker engine answers" in refused.detail
    assert refused.detail in learner.page()
    engine.start()
    assert_goes_on(docker_site, learner, session)
    assert not engine.client().containers(all=True, filters={"name": container_name(session.sandbox_id)})


@pytest.mark.docker
@pytest.mark.pool
def test_everything_is_killed_and_started_again(docker_site: Site) -> None:
    engine = docker_site.engine
    assert engine is not None
    learner, session = at_work(docker_site)
    docker_site.kill()
    engine.kill()
    engine.start()
    docker_site.start()
    learner.again(docker_site.product)
    ended = learner.until("failed", "stopped", "ready")
    if ended.state == "ready":  # not looked at yet, or the engine kept it
        soon(lambda: learner.session().state == "failed" or _answers(learner), "nobody looked at it")
        ended = learner.session()
    if ended.state == "failed":
        assert KEPT in ended.detail
        assert ended.detail in learner.page()
        assert_goes_on(docker_site, learner, session)
    assert learner.load("mine.txt") == WORK
    docker_site.assert_no_orphans()


def _answers(learner: Learner) -> bool:
    try:
        return learner.load("mine.txt") == WORK
    except (AssertionError, httpx.HTTPError):
        return False
