"""What the local driver promises about processes: they end with the sandbox, however it ends, and outlive who started it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandboxes.drivers import open_driver
from sandboxes.interface import Driver, Sandbox, SandboxSpec, SandboxState
from sandboxes.unix_http import UnixConnection
from tests.contract.sandboxes.conftest import quiet, until
from tests.contract.sandboxes.notebooks import execute

pytestmark = pytest.mark.postgres

DAEMON = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(600)
    os._exit(0)
"""


@pytest.fixture
def local(run_dir: Path) -> Iterator[Driver]:
    driver = open_driver("local", run_dir)
    yield driver
    driver.close()


def _processes(sandbox_id: str) -> dict[int, str]:
    """The processes that carry the sandbox's mark: pid → program."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if f"SANDBOX_ID={sandbox_id}".encode() in (folder / "environ").read_bytes().split(b"\0"):
                found[int(folder.name)] = (folder / "comm").read_text().strip()
        except OSError:
            continue
    return found


def _busy_sandbox(driver: Driver, workspace: Path) -> Sandbox:
    """One with everything in it: a service, Jupyter with a kernel, the agent's kernel, and a daemon that tore itself loose."""
    sandbox = driver.start(SandboxSpec(workspace=workspace, services={"postgres": {}}), quiet)
    connection = UnixConnection(str(driver._run_dir.doors(sandbox.id) / "jupyter.sock"), timeout=60)  # type: ignore[attr-defined]
    connection.request(
        "POST", f"{sandbox.web_path}api/kernels", body=b"{}", headers={"Content-Type": "application/json"}
    )
    assert connection.getresponse().status == 201
    connection.close()
    execute(sandbox, DAEMON)
    # On a busy machine the daemon is not there at once.
    assert until(lambda: len(_processes(sandbox.id)) >= 6)
    return sandbox


def _none_left(sandbox_id: str) -> bool:
    """Whether all have ended, which they do not at once on a busy machine; the daemon by itself goes on for much longer."""
    return until(lambda: not _processes(sandbox_id))


def test_stopping_ends_every_process(local: Driver, tmp_path: Path) -> None:
    sandbox = _busy_sandbox(local, tmp_path)
    sandbox.stop()
    assert _none_left(sandbox.id)


def test_an_agent_told_to_end_takes_everything_with_it_in_time(local: Driver, tmp_path: Path) -> None:
    sandbox = _busy_sandbox(local, tmp_path)
    os.kill(sandbox.record.pid, signal.SIGTERM)  # type: ignore[attr-defined]
    assert _none_left(sandbox.id)


def test_an_agent_that_is_killed_leaves_no_service_and_no_kernel(local: Driver, tmp_path: Path) -> None:
    sandbox = _busy_sandbox(local, tmp_path)
    os.kill(sandbox.record.pid, signal.SIGKILL)  # type: ignore[attr-defined]
    # The daemon is nobody's child any more; the driver finds it by its mark.
    assert until(lambda: len(_processes(sandbox.id)) <= 1)
    # Who dies has no environment any more, but is not dead yet.
    assert until(lambda: sandbox.status().state is SandboxState.FAILED)
    sandbox.stop()
    assert _none_left(sandbox.id)


def test_a_sandbox_outlives_the_process_that_started_it(local: Driver, run_dir: Path, tmp_path: Path) -> None:
    name = f"outlives-{os.getpid()}"
    program = f"""
import os, sys
from pathlib import Path
from sandboxes.drivers import open_driver
from sandboxes.interface import SandboxSpec
driver = open_driver("local", Path({str(run_dir)!r}))
sandbox = driver.start(SandboxSpec(workspace=Path({str(tmp_path)!r}), jupyter=False, sandbox_id={name!r}), lambda p: None)
os._exit(0)
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=180)
    sandbox = local.find(name)
    assert sandbox is not None
    assert sandbox.run(["echo", "still here"]).output == "still here\n"
    sandbox.stop()
    assert _none_left(name)
    assert local.find(name) is None


def test_a_number_that_another_process_has_now_is_not_taken_for_the_sandbox(
    local: Driver, run_dir: Path, tmp_path: Path
) -> None:
    sandbox = local.start(SandboxSpec(workspace=tmp_path, jupyter=False), quiet)
    record = run_dir / "records" / f"{sandbox.id}.json"
    pid = sandbox.record.pid  # type: ignore[attr-defined]
    record.write_text(record.read_text().replace(f'"pid": {pid}', f'"pid": {os.getpid()}'))
    other = open_driver("local", run_dir)
    assert other.find(sandbox.id) is None
    assert sandbox.id not in dict(other.running())
    sandbox.stop()


def test_a_sandboxs_log_stays_small(local: Driver, run_dir: Path, tmp_path: Path) -> None:
    sandbox = local.start(SandboxSpec(workspace=tmp_path, services={"postgres": {}}, jupyter=False), quiet)
    try:
        execute(
            sandbox,
            """
            import os, psycopg
            with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
                connection.execute("DO $$ BEGIN FOR i IN 1..20000 LOOP RAISE WARNING '%', repeat('spam ', 40); END LOOP; END $$")
                connection.execute("DO $$ BEGIN RAISE WARNING 'that was all'; END $$")
            """,
        )
        # What PostgreSQL says goes through a pipe, and may lie there for a while.
        assert until(lambda: "that was all" in sandbox.log(10))
        size = sum(path.stat().st_size for path in (run_dir / "s" / sandbox.id / "log").iterdir())
        assert 200_000 < size < 700_000
        assert "spam" in sandbox.log(10)
        assert len(sandbox.log(10).splitlines()) < 40
    finally:
        sandbox.stop()
