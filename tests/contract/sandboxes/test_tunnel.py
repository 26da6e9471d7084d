"""What the tunnel adds: it lives in the driver's process, and sandboxes outlive that."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from sandboxes.drivers import open_driver
from sandboxes.drivers.docker_engine import container_name
from sandboxes.interface import Driver, Sandbox, SandboxError, SandboxSpec
from tests.conftest import ROOT
from tests.contract.sandboxes.conftest import quiet
from tests.contract.sandboxes.notebooks import execute, printed

pytestmark = pytest.mark.docker

HOLD = """
import sys, time
from pathlib import Path
from sandboxes.drivers import open_driver
from sandboxes.interface import SandboxSpec
driver = open_driver("docker", Path(sys.argv[1]), transport="tunnel")
sandbox = driver.start(SandboxSpec(workspace=Path(sys.argv[2]), jupyter=False), lambda progress: None)
print(sandbox.id, sandbox.run(["echo", "up"]).output, flush=True)
time.sleep(600)
"""


@pytest.fixture(scope="module")
def tunnel_driver(run_dir: Path) -> Iterator[Driver]:
    driver = open_driver("docker", run_dir, transport="tunnel")
    driver.prepare("base", quiet)
    yield driver
    driver.close()


@pytest.fixture(scope="module")
def tunnelled(tunnel_driver: Driver, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    sandbox = tunnel_driver.start(
        SandboxSpec(workspace=tmp_path_factory.mktemp("tunnelled"), services={"postgres": {}}, jupyter=False),
        quiet,
    )
    yield sandbox
    sandbox.stop()


def eventually(sandbox: Sandbox) -> str:
    """What it answers, within the time that a tunnel may take to be made again."""
    deadline = time.monotonic() + 180
    while True:
        try:
            return sandbox.run(["echo", "back"], timeout=30).output
        except SandboxError:
            assert time.monotonic() < deadline
            time.sleep(0.1)


def test_nothing_of_it_is_in_the_shared_folder_or_the_learners_to_change(
    tunnelled: Sandbox, run_dir: Path
) -> None:
    assert not list((run_dir / "s" / tunnelled.id).rglob("*sock*"))
    assert not list((run_dir / "s" / tunnelled.id).rglob(".s.PGSQL*"))
    executed = execute(
        tunnelled,
        """
        import os, pathlib, signal
        refused = []
        folder = pathlib.Path("/run/sandbox-sockets")
        def attempt(what, act):
            try:
                act()
            except OSError:
                refused.append(what)
        attempt("list", lambda: os.listdir(folder))
        attempt("add", lambda: (folder / "planted").write_text("x"))
        attempt("remove", lambda: (folder / "agent.sock").unlink())
        def runs_it(place):
            try:
                return b"sandboxes.agent.tunnel" in place.read_bytes()
            except OSError:  # ended meanwhile
                return False
        tunnels = [int(p.parent.name) for p in pathlib.Path("/proc").glob("[0-9]*/cmdline") if runs_it(p)]
        attempt("kill", lambda: os.kill(tunnels[0], signal.SIGKILL))
        attempt("look", lambda: os.listdir(f"/proc/{tunnels[0]}/fd"))
        attempt("write", lambda: open(f"/proc/{tunnels[0]}/fd/1", "wb"))
        print(sorted(refused), len(tunnels))
        """,
    )
    assert printed(executed) == "['add', 'kill', 'list', 'look', 'remove', 'write'] 1\n"


def test_it_comes_back_when_its_end_inside_dies(tunnelled: Sandbox) -> None:
    client = docker.APIClient()
    table = client.top(container_name(tunnelled.id))
    column = table["Titles"].index("PID")
    ends = [int(row[column]) for row in table["Processes"] if "sandboxes.agent.tunnel" in row[-1]]
    assert len(ends) == 1
    os.kill(ends[0], signal.SIGKILL)
    assert eventually(tunnelled) == "back\n"


def test_a_sandbox_outlives_the_process_that_started_it_and_is_reached_by_the_next(
    tunnel_driver: Driver, run_dir: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(run_dir), str(tmp_path / "work")],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    sandbox_id, said = holder.stdout.readline().split()
    assert said == "up"
    try:
        # While that process lives, another one finds the sandbox and goes through the same doors.
        beside = open_driver("docker", run_dir).find(sandbox_id)
        assert beside is not None
        assert beside.run(["echo", "beside"]).output == "beside\n"
        holder.kill()
        holder.wait(60)
        found = open_driver("docker", run_dir).find(sandbox_id)
        assert found is not None
        assert eventually(found) == "back\n"
        found.write("kept.txt", b"kept")
    finally:
        holder.kill()
        holder.wait(60)
        left = tunnel_driver.find(sandbox_id)
        assert left is not None
        left.stop()
    assert (tmp_path / "work" / "kept.txt").read_bytes() == b"kept"
    assert not (run_dir / "doors" / sandbox_id).exists()


def test_files_in_the_workspace_take_no_modules_place(
    docker_driver: Driver, tmp_path: Path, tunnel_driver: Driver
) -> None:
    """They are there before the sandbox starts, and are the learner's."""
    trap = "open('/home/learner/work/sprung', 'w').close()\nraise SystemExit('sprung')\n"
    for name in ("asyncio.py", "json.py", "docker.py"):
        (tmp_path / name).write_text(trap)
    (tmp_path / "sandboxes").mkdir()
    (tmp_path / "sandboxes" / "__init__.py").write_text(trap)
    for driver in (docker_driver, tunnel_driver):
        sandbox = driver.start(SandboxSpec(workspace=tmp_path, services={"postgres": {}}, jupyter=False), quiet)
        try:
            assert sandbox.run(["ls"]).output == "asyncio.py\ndocker.py\njson.py\nsandboxes\n"
        finally:
            sandbox.stop()
