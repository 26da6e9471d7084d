"""What every driver promises: the life of a sandbox from start to stop."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import stat
from pathlib import Path

import pytest

from sandboxes.drivers import open_driver
from sandboxes.interface import (
    Driver,
    Limits,
    Phase,
    Progress,
    Sandbox,
    SandboxGone,
    SandboxSpec,
    SandboxState,
    ServiceState,
    StartFailed,
)
from sandboxes.unix_http import UnixConnection
from tests.contract.sandboxes.conftest import quiet, until
from tests.contract.sandboxes.notebooks import execute, printed


def test_a_start_reports_its_phases_in_order(driver: Driver, tmp_path: Path) -> None:
    told: list[Progress] = []
    sandbox = driver.start(SandboxSpec(workspace=tmp_path, services={"postgres": {}}), told.append)
    sandbox.stop()
    order = list(Phase)
    positions = [order.index(step.phase) for step in told]
    assert positions == sorted(positions)
    assert {Phase.CREATING, Phase.STARTING_SERVICES, Phase.STARTING_JUPYTER, Phase.READY} <= {
        step.phase for step in told
    }
    assert [step.elapsed_seconds for step in told] == sorted(step.elapsed_seconds for step in told)
    assert all(step.detail for step in told)


def test_a_started_sandbox_is_ready_with_its_services(sandbox: Sandbox) -> None:
    status = sandbox.status()
    assert (status.state, status.phase) == (SandboxState.READY, Phase.READY)
    assert [(service.name, service.state) for service in status.services] == [("postgres", ServiceState.READY)]


def test_jupyter_answers_behind_the_route_and_only_at_its_secret_path(
    driver: Driver, run_dir: Path, tmp_path: Path
) -> None:
    spec = SandboxSpec(workspace=tmp_path)
    sandbox = driver.start(spec, quiet)
    file = run_dir / "routes" / f"{sandbox.id}.json"
    try:
        route = json.loads(file.read_text())
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert route["token_sha256"] == hashlib.sha256(spec.access_token.encode()).hexdigest()
        assert sandbox.web_path == f"/s/{sandbox.id}/{spec.access_token}/"
        assert _get(route["jupyter_socket"], f"{sandbox.web_path}api") == 200
        assert _get(route["jupyter_socket"], f"/s/{sandbox.id}/wrong/api") == 404
        assert spec.access_token not in sandbox.log(1000)
    finally:
        sandbox.stop()
    assert not file.exists()


def _get(socket: str, path: str) -> int:
    connection = UnixConnection(socket, timeout=60)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()


def test_the_workspace_survives_the_stop(driver: Driver, tmp_path: Path) -> None:
    sandbox = driver.start(SandboxSpec(workspace=tmp_path, jupyter=False), quiet)
    sandbox.write("kept/by hand.txt", b"work")
    execute(sandbox, "open('from-code.txt', 'w').write('more work')")
    sandbox.stop()
    assert (tmp_path / "kept" / "by hand.txt").read_bytes() == b"work"
    assert (tmp_path / "from-code.txt").read_text() == "more work"


def test_stopping_twice_is_stopping_once(driver: Driver, run_dir: Path, tmp_path: Path) -> None:
    sandbox = driver.start(SandboxSpec(workspace=tmp_path, services={"postgres": {}}, jupyter=False), quiet)
    sandbox.stop()
    sandbox.stop()
    assert sandbox.status().state is SandboxState.STOPPED
    assert sandbox.log() == ""
    assert sandbox.id not in dict(driver.running())
    assert _traces(run_dir, sandbox.id) == []


def test_a_stopped_sandbox_is_gone_for_every_question(driver: Driver, tmp_path: Path) -> None:
    sandbox = driver.start(SandboxSpec(workspace=tmp_path, services={"postgres": {}}, jupyter=False), quiet)
    sandbox.stop()
    for question in (
        lambda: execute(sandbox, "1"),
        lambda: sandbox.call("f"),
        lambda: sandbox.call_many("f", [[]], workers=1),
        lambda: sandbox.value("x"),
        lambda: sandbox.run(["true"]),
        lambda: sandbox.read("file"),
        lambda: sandbox.write("file", b""),
        lambda: sandbox.endpoint("postgres"),
    ):
        with pytest.raises(SandboxGone):
            question()


def test_another_driver_object_finds_a_sandbox_and_can_use_and_stop_it(
    driver: Driver, run_dir: Path, tmp_path: Path
) -> None:
    spec = SandboxSpec(
        workspace=tmp_path, services={"postgres": {"database": "shop"}}, labels={"session": "42"}
    )
    sandbox = driver.start(spec, quiet)
    other = open_driver(driver.name, run_dir)
    assert dict(other.running())[sandbox.id] == {"session": "42"}
    found = other.find(sandbox.id)
    assert found is not None
    assert found.web_path == sandbox.web_path
    assert found.status().state is SandboxState.READY
    assert found.endpoint("postgres") == sandbox.endpoint("postgres")
    execute(found, "answer = 42")
    assert sandbox.value("answer") == 42
    found.stop()
    assert sandbox.status().state is SandboxState.STOPPED
    assert driver.find(sandbox.id) is None
    assert other.find("0000never0000") is None


def test_closing_a_driver_stops_what_it_started_and_nothing_else(
    driver: Driver, sandbox: Sandbox, run_dir: Path, tmp_path: Path
) -> None:
    other = open_driver(driver.name, run_dir)
    its = other.start(SandboxSpec(workspace=tmp_path, jupyter=False), quiet)
    other.close()
    assert its.status().state is SandboxState.STOPPED
    assert sandbox.status().state is SandboxState.READY


def test_two_sandboxes_share_nothing(driver: Driver, tmp_path: Path) -> None:
    postgres = {"postgres": {"database": "shop"}}
    one, two = (
        driver.start(SandboxSpec(workspace=tmp_path / name, services=postgres, jupyter=False), quiet)
        for name in ("one", "two")
    )
    try:
        execute(
            one,
            """
            import os, psycopg
            with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
                connection.execute("CREATE TABLE secret (word text)")
            open("secret.txt", "w").write("mine")
            """,
        )
        execute(
            two,
            """
            import os, psycopg
            with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
                tables = connection.execute("SELECT count(*) FROM pg_tables WHERE tablename = 'secret'").fetchone()[0]
            files = os.listdir()
            """,
        )
        assert two.value("tables") == 0
        assert two.value("files") == []
        assert one.endpoint("postgres").socket != two.endpoint("postgres").socket
    finally:
        one.stop()
        two.stop()


def postmaster(sandbox_id: str) -> int:
    """The process of a sandbox's PostgreSQL, as this machine counts them."""
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (place / "cmdline").read_bytes().split(b"\0")
            ours = f"SANDBOX_ID={sandbox_id}".encode() in (place / "environ").read_bytes().split(b"\0")
            if ours and words[0].endswith(b"/postgres") and b"-D" in words:
                return int(place.name)
    raise AssertionError("there is no PostgreSQL")


def test_a_service_that_dies_is_told_and_the_sandbox_goes_on(driver: Driver, tmp_path: Path) -> None:
    sandbox = driver.start(SandboxSpec(workspace=tmp_path, services={"postgres": {}}, jupyter=False), quiet)
    try:
        os.kill(postmaster(sandbox.id), signal.SIGQUIT)
        assert until(lambda: sandbox.status().services[0].state is not ServiceState.READY)
        assert sandbox.status().services[0].state is ServiceState.FAILED
        assert sandbox.status().state is SandboxState.READY
        assert "postgres ended" in sandbox.log()
    finally:
        sandbox.stop()


def test_a_start_that_fails_says_where_and_why_and_leaves_nothing_behind(
    driver: Driver, run_dir: Path, tmp_path: Path
) -> None:
    (tmp_path / "mine.txt").write_text("kept")
    # A name that PostgreSQL keeps for itself: it starts, and then refuses to create the database.
    spec = SandboxSpec(
        workspace=tmp_path, services={"postgres": {"database": "pg_nothing"}, "meridian": {"topology": "no such"}},
        jupyter=False, start_seconds=120,
    )  # fmt: skip
    with pytest.raises(StartFailed) as failure:
        driver.start(spec, quiet)
    assert failure.value.phase is Phase.STARTING_SERVICES
    assert "meridian" in failure.value.learner
    assert "postgres is ready" in failure.value.log
    assert _traces(run_dir, spec.sandbox_id) == []
    assert spec.sandbox_id not in dict(driver.running())
    assert (tmp_path / "mine.txt").read_text() == "kept"


@pytest.mark.parametrize(
    ("services", "word"),
    [
        ({"abacus": {}}, "no service abacus"),
        ({"postgres": {"version": "99"}}, "no option version"),
        ({"postgres": {"database": "x; drop"}}, "name of a database"),
    ],
)
def test_a_service_that_does_not_exist_is_refused_before_anything_starts(
    driver: Driver, run_dir: Path, tmp_path: Path, services: dict[str, dict[str, str]], word: str
) -> None:
    spec = SandboxSpec(workspace=tmp_path, services=services)
    with pytest.raises(StartFailed, match=word):
        driver.start(spec, quiet)
    assert _traces(run_dir, spec.sandbox_id) == []


def test_a_workspace_with_a_space_and_nested_folders_is_made_when_missing(
    driver: Driver, tmp_path: Path
) -> None:
    place = tmp_path / "a learner" / "the lab"
    sandbox = driver.start(SandboxSpec(workspace=place, jupyter=False), quiet)
    try:
        assert printed(execute(sandbox, "import os; print(os.listdir())")) == "[]\n"
    finally:
        sandbox.stop()
    assert place.is_dir()


def test_a_file_can_not_grow_beyond_the_disk_limit(driver: Driver, tmp_path: Path) -> None:
    spec = SandboxSpec(workspace=tmp_path, jupyter=False, limits=Limits(disk_mb=64))
    sandbox = driver.start(spec, quiet)
    try:
        executed = execute(
            sandbox,
            "file = open('big', 'wb'); file.truncate(60 * 1_048_576); print('fits')",
            "file.truncate(65 * 1_048_576)",
        )
        assert printed(executed) == "fits\n"
        assert [(error.index, error.name) for error in executed.errors] == [(1, "OSError")]
    finally:
        sandbox.stop()


def _traces(run_dir: Path, sandbox_id: str) -> list[str]:
    """What the run directory still holds of a sandbox."""
    # Not by rglob: it does not bear that a folder goes while it is looked for, and here are other sandboxes' too.
    return sorted(
        f"{parent}/{name}"
        for parent, folders, files in os.walk(run_dir)
        for name in (*folders, *files)
        if sandbox_id in name
    )
