"""What the two users of a container keep from each other: the learner's code reaches the services by their sockets only."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import psycopg
import pytest

from sandboxes.drivers.docker_engine import container_name
from sandboxes.drivers.docker_profile import KEEPER, LEARNER
from sandboxes.interface import Driver, Sandbox, SandboxGone, SandboxSpec, SandboxState, ServiceState
from tests.contract.sandboxes.conftest import quiet, until
from tests.contract.sandboxes.notebooks import execute

pytestmark = pytest.mark.docker

TOOLS = """
import ctypes, os, pathlib, signal, socket

def refusal(function, *arguments, **more):
    '''The name of the error, or the value: the test wants errors.'''
    try:
        return repr(function(*arguments, **more))[:100]
    except Exception as error:
        return type(error).__name__

def processes():
    found = {}
    for place in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            fields = dict(line.split(":\\t", 1) for line in (place / "status").read_text().splitlines() if ":\\t" in line)
            words = (place / "cmdline").read_bytes().decode().split("\\0")
            found[int(place.name)] = {"uid": int(fields["Uid"].split()[0]), "command": words, "fields": fields}
        except (OSError, KeyError):
            pass
    return found

def of(uid):
    return [pid for pid, process in processes().items() if process["uid"] == uid]

def told_by_the_living(answers):
    '''What was answered for processes that did not end meanwhile: some of PostgreSQL's come and go. Keys begin with a pid.'''
    lives = [str(pid) for pid, process in processes().items() if process["fields"]["State"][0] not in "ZX"]
    return {key: answer for key, answer in answers.items() if key.split()[0] in lives}
"""


@pytest.fixture(scope="module")
def sandbox(docker_driver: Driver, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A learner's sandbox with services that hold data."""
    sandbox = docker_driver.start(
        SandboxSpec(workspace=tmp_path_factory.mktemp("users"), services={"postgres": {}, "meridian": {}}),
        quiet,
    )
    yield sandbox
    sandbox.stop()


def _see(sandbox: Sandbox, code: str, name: str) -> Any:
    executed = execute(sandbox, TOOLS, code)
    assert not executed.errors, executed.errors
    return sandbox.value(name)


def _ready(sandbox: Sandbox) -> bool:
    status = sandbox.status()
    states = {service.state for service in status.services}
    return status.state is SandboxState.READY and states == {ServiceState.READY}


def test_services_run_as_one_user_and_the_learners_code_as_another_both_without_any_power(
    sandbox: Sandbox,
) -> None:
    seen = _see(sandbox, "seen = processes()", "seen")
    users = {
        name: set() for name in ("postgres", "reference_impl", "jupyter_start", "kernel_launcher", "--join")
    }
    for process in seen.values():
        for name in users:
            if name in " ".join(process["command"]):
                users[name].add(process["uid"])
        fields = process["fields"]
        assert {fields[f"Cap{kind}"] for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb")} == {"0" * 16}
        assert (fields["NoNewPrivs"], fields["Seccomp"]) == ("1", "2")
    assert seen["1"]["uid"] == KEEPER
    assert users == {
        "postgres": {KEEPER}, "reference_impl": {KEEPER},
        "jupyter_start": {LEARNER}, "kernel_launcher": {LEARNER}, "--join": {LEARNER},
    }  # fmt: skip


def test_no_signal_of_the_learners_reaches_a_service_or_the_keeper(sandbox: Sandbox) -> None:
    refusals = _see(
        sandbox,
        f"""
        refusals = {{f"{{pid}} {{number}}": refusal(os.kill, pid, number)
                    for pid in of({KEEPER}) for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP, 0)}}
        heard = [key for key, answer in refusals.items() if answer == "None"]
        refusals = told_by_the_living(refusals)
        """,
        "refusals",
    )
    assert sandbox.value("heard") == []
    assert len(refusals) > 20
    assert set(refusals.values()) == {"PermissionError"}
    assert _ready(sandbox)


def test_nothing_of_the_keepers_processes_can_be_read_and_none_of_them_traced(sandbox: Sandbox) -> None:
    refusals = _see(
        sandbox,
        f"""
        libc = ctypes.CDLL(None, use_errno=True)
        libc.ptrace.argtypes = [ctypes.c_long] * 4
        def trace(pid):
            ctypes.set_errno(0)
            if libc.ptrace(16, pid, 0, 0) == -1:
                raise OSError(ctypes.get_errno(), "ptrace")
        def take(pid):
            return libc.syscall(438, os.pidfd_open(pid), 3, 0) if libc.syscall(438, os.pidfd_open(pid), 3, 0) >= 0 else 1 / 0
        agent = [pid for pid, process in processes().items() if "--join" in process["command"]]
        refusals = {{}}
        for pid in of({KEEPER}) + agent:
            for name in ("environ", "mem", "maps", "auxv", "io"):
                refusals[f"{{pid}} {{name}}"] = refusal((pathlib.Path("/proc") / str(pid) / name).read_bytes)
            for name in ("fd", "fdinfo", "map_files", "root/"):
                refusals[f"{{pid}} {{name}}"] = refusal(os.listdir, f"/proc/{{pid}}/{{name}}")
            refusals[f"{{pid}} trace"] = refusal(trace, pid)
            refusals[f"{{pid}} take"] = refusal(take, pid)
        refusals = told_by_the_living(refusals)
        itself = refusal(lambda: (pathlib.Path("/proc/self/environ").read_bytes(), os.listdir("/proc/self/fd")))
        """,
        "refusals",
    )
    assert len(refusals) > 50
    assert {
        key: value for key, value in refusals.items() if value not in ("PermissionError", "ZeroDivisionError")
    } == {}
    assert "Error" not in str(sandbox.value("itself"))
    assert _ready(sandbox)


def test_the_services_data_is_closed(sandbox: Sandbox) -> None:
    refusals = _see(
        sandbox,
        """
        data = pathlib.Path("/var/lib/sandbox")
        refusals = [
            refusal(os.listdir, data),
            refusal(os.listdir, data / "meridian"),
            refusal(os.listdir, data / "postgres" / "cluster"),
            refusal((data / "postgres" / "cluster" / "pg_hba.conf").read_text),
            refusal((data / "postgres" / "cluster" / "pg_hba.conf").write_text, "local all all trust"),
            refusal((data / "planted").write_text, "x"),
            refusal(os.chmod, data, 0o777),
            refusal(os.rename, data / "meridian", data / "other"),
        ]
        """,
        "refusals",
    )
    assert set(refusals) == {"PermissionError"}


def test_no_socket_status_or_log_can_be_replaced_and_nothing_put_beside_them(
    sandbox: Sandbox, run_dir: Path
) -> None:
    refusals = _see(
        sandbox,
        """
        run = pathlib.Path("/run/sandbox")
        refusals = []
        for name in ("agent.sock", "jupyter.sock", "meridian.sock", "postgres/.s.PGSQL.5432", "status.json", "spec.json", "log"):
            refusals += [refusal(os.unlink, run / name), refusal(os.rename, run / name, run / "gone"),
                         refusal(os.chmod, run / name, 0o600)]
        refusals += [
            refusal(os.listdir, run), refusal(os.listdir, run / "log"), refusal(os.listdir, run / "postgres"),
            refusal((run / "status.json").read_text), refusal((run / "spec.json").read_text),
            refusal((run / "status.json").write_text, "{}"),
            refusal((run / "planted").write_text, "x"), refusal((run / "postgres" / "planted").write_text, "x"),
            refusal(os.mkdir, run / "planted"),
            refusal(socket.socket(socket.AF_UNIX).bind, str(run / "planted.sock")),
            refusal(os.symlink, "/etc/passwd", run / "planted"),
            refusal(os.link, __file__ if "__file__" in dir() else "/proc/self/exe", run / "planted"),
        ]
        """,
        "refusals",
    )
    assert len(refusals) > 30
    assert set(refusals) <= {"PermissionError", "OSError", "IsADirectoryError"}, refusals
    inside = run_dir / "s" / sandbox.id
    assert sorted(path.name for path in inside.iterdir()) == [
        "agent.sock", "jupyter.sock", "log", "meridian.sock", "postgres", "spec.json", "status.json",
    ]  # fmt: skip
    # What the learner's user may write to is its way to the services, and no file.
    assert {path.stat().st_uid for path in inside.rglob("*")} == {KEEPER}
    writable = {path.name for path in inside.rglob("*") if path.stat().st_mode & 0o002}
    assert writable == {"agent.sock", "jupyter.sock", "meridian.sock", ".s.PGSQL.5432"}


def test_the_learner_is_no_superuser_of_the_database_and_can_not_become_one(sandbox: Sandbox) -> None:
    with psycopg.connect(
        host=str(sandbox.endpoint("postgres").socket), user="learner", dbname="learner"
    ) as connection:
        assert connection.execute("SELECT count(*) FROM pg_roles WHERE rolsuper").fetchone() == (1,)
    refusals = _see(
        sandbox,
        """
        import psycopg
        def ask(statement, **more):
            with psycopg.connect(os.environ["DATABASE_URL"], connect_timeout=60, autocommit=True, **more) as connection:
                return connection.execute(statement).fetchall()
        refusals = [
            refusal(ask, "SELECT 1", user="postgres"),
            refusal(ask, "SELECT 1", user="postgres", dbname="postgres"),
            *[refusal(ask, statement) for statement in (
                "COPY (SELECT 1) TO PROGRAM 'touch /tmp/ran'",
                "CREATE TEMP TABLE t (x text); COPY t FROM PROGRAM 'id'",
                "COPY pg_class TO '/tmp/written'",
                "SELECT pg_read_file('/etc/passwd')",
                "SELECT pg_ls_dir('.')",
                "SELECT lo_import('/etc/passwd')",
                "LOAD 'plpgsql'; LOAD '/tmp/evil.so'",
                "CREATE FUNCTION f() RETURNS int AS 'libc.so.6', 'getpid' LANGUAGE C",
                "CREATE EXTENSION file_fdw",
                "ALTER ROLE learner SUPERUSER",
                "CREATE ROLE more SUPERUSER LOGIN",
                "SET ROLE postgres",
                "ALTER SYSTEM SET archive_command = 'id'",
                "SELECT pg_reload_conf()",
                "GRANT pg_execute_server_program TO learner",
            )],
        ]
        works = ask("SELECT 1")
        """,
        "refusals",
    )
    assert refusals[:2] == ["OperationalError"] * 2
    assert set(refusals[2:]) <= {"InsufficientPrivilege", "FeatureNotSupported", "UndefinedFile"}, refusals
    assert sandbox.value("works") == [[1]]


def test_whoever_is_not_the_learners_agent_can_not_join_the_keeper(sandbox: Sandbox) -> None:
    refused = _see(
        sandbox,
        "refused = refusal(socket.socket(socket.AF_UNIX).connect, '/run/sandbox/join.sock')",
        "refused",
    )
    assert refused == "FileNotFoundError"


@pytest.mark.parametrize("code", ["os.kill(-1, signal.SIGKILL)", "os.kill(os.getppid(), signal.SIGTERM)"])
def test_a_learner_who_ends_everything_ends_only_their_own_sandbox(
    docker_driver: Driver, sandbox: Sandbox, tmp_path: Path, code: str
) -> None:
    own = docker_driver.start(SandboxSpec(workspace=tmp_path, services={"postgres": {}}, jupyter=False), quiet)
    try:
        with pytest.raises(SandboxGone):
            execute(own, "open('work', 'w').write('mine')", f"import os, signal, time\n{code}\ntime.sleep(30)")
        assert until(lambda: docker_driver.find(own.id) is None)
        status = own.status()
        assert status.state is SandboxState.FAILED
        assert "ended from inside" in status.detail
        state = docker.APIClient().inspect_container(container_name(own.id))["State"]
        assert not state["Running"]
        assert (tmp_path / "work").read_text() == "mine"
        assert _ready(sandbox)
    finally:
        own.stop()


def test_nothing_of_the_labs_checks_is_in_the_container(sandbox: Sandbox) -> None:
    found = sandbox.run(
        [
            "sh",
            "-c",
            "find / -xdev -path '*proving-ground/*' -name 'checks.py' -o -name 'lab.yaml' 2>/dev/null",
        ],
        timeout=240,
    )
    assert found.output == ""
    packages = sandbox.run(["ls", "/opt/proving-ground"]).output.split()
    assert sorted(packages) == ["notebooks", "reference_impl", "sandboxes"]
