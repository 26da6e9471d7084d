"""What an operator is told of real sandboxes, and what the command line may and may not end."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandboxes.doctor import State, Surroundings, examine
from sandboxes.drivers.inventory import inventory
from sandboxes.interface import Driver, Sandbox, SandboxSpec
from tests.contract.sandboxes.conftest import quiet

# Starts a sandbox as a worker would, says its id, and is killed before it can end it.
CRASHES = """
import os, signal, sys
from pathlib import Path
from sandboxes.drivers import open_driver
from sandboxes.interface import SandboxSpec
driver = open_driver(sys.argv[1], Path(sys.argv[2]))
spec = SandboxSpec(workspace=Path(sys.argv[3]), jupyter=False, labels={"purpose": "session", "instance": "crashed"})
print(driver.start(spec, lambda _: None).id, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def command(run_dir: Path, *arguments: str) -> dict[str, object]:
    """The document of `python -m sandboxes`."""
    done = subprocess.run(
        [sys.executable, "-m", "sandboxes", *arguments, "--json", "--run-dir", str(run_dir)],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def running(driver: Driver, tmp_path: Path) -> Iterator[Sandbox]:
    """A learner's sandbox with a service, started by this process."""
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    (workspace / "work.txt").write_text("mine")
    sandbox = driver.start(
        SandboxSpec(
            workspace=workspace,
            services={"postgres": {"database": "shop"}},
            jupyter=False,
            labels={"purpose": "session", "session": "7", "lab": "a-lab", "instance": "living"},
        ),
        quiet,
    )
    yield sandbox
    sandbox.stop()


@pytest.fixture
def orphan(driver: Driver, run_dir: Path, tmp_path: Path) -> str:
    """The id of a sandbox whose starter was killed."""
    started = subprocess.run(
        [sys.executable, "-c", CRASHES, driver.name, str(run_dir), str(tmp_path / "orphan")],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert started.stdout, started.stderr
    return started.stdout.strip()


def test_what_runs_is_told_with_age_memory_and_services(
    driver: Driver, run_dir: Path, running: Sandbox
) -> None:
    found = next(one for one in inventory(driver, run_dir, 120) if one.id == running.id)
    assert (found.driver, found.purpose, found.state) == (driver.name, "session", "ready")
    assert found.labels["lab"] == "a-lab"
    assert found.services == {"postgres": "ready"}
    assert found.started_at == pytest.approx(time.time(), abs=900)
    assert found.memory_bytes is not None
    assert 10_000_000 < found.memory_bytes < 1_000_000_000


def test_the_command_line_lists_it_without_its_secret(run_dir: Path, running: Sandbox) -> None:
    document = command(run_dir, "list")
    sandboxes = {one["id"]: one for one in document["sandboxes"]}  # type: ignore[index, attr-defined]
    assert sandboxes[running.id]["purpose"] == "session"
    assert running.id not in document["remains"]  # type: ignore[operator]
    assert running.access_token
    assert running.access_token not in json.dumps(document)


def test_a_reaping_ends_what_a_crash_left_and_keeps_what_somebody_uses(
    driver: Driver, run_dir: Path, tmp_path: Path, running: Sandbox, orphan: str
) -> None:
    assert driver.find(orphan) is not None
    assert orphan not in _removed(command(run_dir, "reap"), driver), "it began just now"
    rehearsed = _removed(command(run_dir, "reap", "--grace", "0", "--dry-run"), driver)
    assert orphan in rehearsed
    assert driver.find(orphan) is not None
    assert _removed(command(run_dir, "reap", "--grace", "0"), driver) == rehearsed
    assert driver.find(orphan) is None
    assert driver.find(running.id) is not None
    assert running.run(["cat", "work.txt"]).output.strip() == "mine"


def _removed(document: dict[str, object], driver: Driver) -> list[str]:
    return next(one["removed"] for one in document["drivers"] if one["driver"] == driver.name)  # type: ignore[index, attr-defined]


def test_a_deep_examination_of_a_good_machine_finds_no_hole(
    driver: Driver, run_dir: Path, tmp_path: Path
) -> None:
    name = driver.name
    before = {sandbox_id for sandbox_id, _labels in driver.running()}
    found = {one.name: one for one in examine(Surroundings(run_dir, tmp_path, deep=True))}
    assert found[f"{name} sandbox"].state is State.OK
    assert found[f"{name} adoption"].state is State.OK, found[f"{name} adoption"]
    holes = [one for key, one in found.items() if key.startswith("container: ") and one.state is not State.OK]
    assert holes == []
    assert {sandbox_id for sandbox_id, _labels in driver.running()} == before, "it leaves nothing"
    assert list(driver.scratch.glob("doctor-*")) == []
