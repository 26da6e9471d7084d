"""A pool around each driver: what it hands out is the real thing, with its learner's files, opened and reachable."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sandboxes.drivers import open_driver
from sandboxes.interface import Driver, SandboxSpec, SandboxState
from sandboxes.pool import SETTLE_SECONDS, Pool
from sandboxes.unix_http import UnixConnection
from tests.contract.sandboxes.conftest import quiet, until
from tests.contract.sandboxes.notebooks import execute


class Clock:
    """Time that passes by itself, and can be set forward."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pool(
    request: pytest.FixtureRequest, driver: Driver, run_dir: Path, tmp_path: Path, clock: Clock
) -> Iterator[Pool]:
    """Around a driver object of its own, because closing the pool closes it."""
    made = Pool(
        open_driver(driver.name, run_dir),
        kept=tmp_path / "workspaces" / ".blank",
        labels={"instance": "pool"},
        clock=clock,
    )
    yield made
    made.close()


def fill(pool: Pool, clock: Clock) -> None:
    clock.ahead += SETTLE_SECONDS
    while pool.tend() == 0.0:
        pass


def ask(run_dir: Path, sandbox_id: str, web_path: str, path: str) -> list[dict[str, object]]:
    socket = json.loads((run_dir / "routes" / f"{sandbox_id}.json").read_text())["jupyter_socket"]
    connection = UnixConnection(socket, timeout=60)
    try:
        connection.request("GET", web_path + path)
        answer = connection.getresponse()
        assert answer.status == 200
        found: list[dict[str, object]] = json.loads(answer.read())
        return found
    finally:
        connection.close()


def test_a_learner_gets_one_that_waited_with_their_files_and_a_kernel_before_the_page(
    pool: Pool, clock: Clock, run_dir: Path, tmp_path: Path
) -> None:
    workspace = tmp_path / "workspaces" / "7" / "lab"
    workspace.mkdir(parents=True)
    (workspace / "notes.txt").write_text("from before")
    spec = SandboxSpec(workspace=workspace, labels={"purpose": "session"}, environment={"LAB_SLUG": "lab"})
    pool.want(spec, 1)
    fill(pool, clock)
    ((waiting, labels),) = [one for one in pool.running() if one[1].get("instance") == "pool"]
    assert labels["purpose"] == "pool"
    assert not (run_dir / "routes" / f"{waiting}.json").exists()

    sandbox = pool.start(spec, quiet)
    assert sandbox.id == waiting
    assert sandbox.access_token not in ("", spec.access_token)
    assert sandbox.read("notes.txt") == b"from before"
    assert pool.status()["hits"] == 1
    sandbox.open_notebook("lab.ipynb")
    sessions = until(lambda: ask(run_dir, sandbox.id, sandbox.web_path, "api/sessions"))
    assert sessions[0]["path"] == "lab.ipynb"
    pool.retire(sandbox)


def test_a_grader_is_used_once_and_nothing_of_it_is_left(
    pool: Pool, clock: Clock, driver: Driver, tmp_path: Path
) -> None:
    assert pool.scratch is not None
    spec = SandboxSpec(workspace=pool.scratch / "work", jupyter=False, preload=("colorsys",))
    pool.want(spec, 1)
    fill(pool, clock)
    pool.scratch.joinpath("work").mkdir()
    sandbox = pool.start(spec, quiet)
    execute(sandbox, "import sys\nloaded = 'colorsys' in sys.modules")
    assert sandbox.value("loaded") is True
    pool.retire(sandbox, discard=spec.workspace)
    cold = f"cold-{os.getpid()}"
    other = pool.start(replace(spec, workspace=tmp_path / "other", sandbox_id=cold), quiet)
    assert other.id == cold
    pool.close()  # which does not wait for ever; what it has begun to end does end
    assert until(lambda: not spec.workspace.exists())
    assert sandbox.status().state is SandboxState.STOPPED
    assert driver.find(sandbox.id) is None
    assert driver.find(cold) is None
    assert until(lambda: not list(pool.scratch.glob("blank-*")))


def test_one_on_another_file_system_than_the_workspace_is_passed_over(
    pool: Pool, clock: Clock, tmp_path: Path
) -> None:
    shm = Path("/dev/shm")
    if not shm.is_dir() or shm.stat().st_dev == tmp_path.stat().st_dev:
        pytest.fail("this test needs /dev/shm on a file system of its own")
    pool._kept = Path(tempfile.mkdtemp(prefix="pool-", dir=shm))
    spec = SandboxSpec(workspace=tmp_path / "lab", jupyter=True)
    pool.want(spec, 1)
    fill(pool, clock)
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab" / "work.txt").write_text("mine")
    sandbox = pool.start(spec, quiet)
    assert sandbox.id == spec.sandbox_id
    assert sandbox.read("work.txt") == b"mine"
    pool.close()
    assert until(lambda: not list(pool._kept.iterdir()))
    pool._kept.rmdir()


def test_the_reaper_of_a_pool_leaves_what_waits(pool: Pool, clock: Clock, tmp_path: Path) -> None:
    spec = SandboxSpec(workspace=tmp_path / "lab", jupyter=False)
    pool.want(spec, 1)
    fill(pool, clock)
    others = [key for key, labels in pool.running() if labels.get("instance") != "pool"]
    assert pool.reap(others) == []
    assert pool.start(spec, quiet).id != spec.sandbox_id
