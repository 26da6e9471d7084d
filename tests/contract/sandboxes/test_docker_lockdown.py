"""What a container keeps closed, seen from within by the learner's own code."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from sandboxes.drivers import docker as docker_module
from sandboxes.drivers import docker_profile, open_driver
from sandboxes.drivers.docker_engine import container_name
from sandboxes.interface import (
    Driver,
    Limits,
    NotebookOutcome,
    Sandbox,
    SandboxError,
    SandboxSpec,
    SandboxState,
)
from tests.contract.sandboxes.conftest import quiet, until
from tests.contract.sandboxes.notebooks import execute, printed

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def closed(docker_driver: Driver, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A learner's sandbox with everything in it that a lab can have."""
    sandbox = docker_driver.start(
        SandboxSpec(
            workspace=tmp_path_factory.mktemp("closed"),
            services={"postgres": {}},
            limits=Limits(memory_mb=512, pids=100, disk_mb=256),
        ),
        quiet,
    )
    yield sandbox
    sandbox.stop()


def _see(sandbox: Sandbox, expression: str) -> Any:
    """The value of an expression in the learner's kernel."""
    execute(sandbox, "import os, pathlib, socket", f"seen = {expression}")
    return sandbox.value("seen")


def _status_fields(sandbox: Sandbox) -> dict[str, str]:
    text = _see(sandbox, "pathlib.Path('/proc/self/status').read_text()")
    return {key: value.strip() for key, _, value in (line.partition(":") for line in text.splitlines())}


def test_there_is_no_network_but_the_container_itself(closed: Sandbox) -> None:
    assert _see(closed, "sorted(name for _, name in socket.if_nameindex())") == ["lo"]
    executed = execute(
        closed,
        """
        import socket
        refused = []
        for place in [("1.1.1.1", 53), ("172.17.0.1", 80), ("169.254.169.254", 80), ("10.0.0.1", 443)]:
            try:
                socket.create_connection(place, timeout=2)
            except OSError as error:
                refused.append(error.errno)
        """,
    )
    assert executed.outcome is NotebookOutcome.COMPLETED
    assert len(closed.value("refused")) == 4


def test_there_is_no_route_and_no_name_leads_anywhere(closed: Sandbox) -> None:
    assert len(_see(closed, "pathlib.Path('/proc/net/route').read_text().splitlines()")) == 1
    devices = _see(
        closed, "[line.split()[-1] for line in pathlib.Path('/proc/net/ipv6_route').read_text().splitlines()]"
    )
    assert set(devices) <= {"lo"}
    execute(
        closed,
        """
        import socket
        refused = []
        for name in ("example.org", "metadata.google.internal", "host.docker.internal", "gateway.docker.internal"):
            try:
                socket.getaddrinfo(name, 80)
            except socket.gaierror:
                refused.append(name)
        """,
    )
    assert len(closed.value("refused")) == 4


def test_what_listens_on_the_host_or_in_a_neighbour_can_not_be_reached(
    closed: Sandbox, docker_driver: Driver, run_dir: Path, tmp_path: Path
) -> None:
    neighbour = docker_driver.start(SandboxSpec(workspace=tmp_path, jupyter=False), quiet)
    hidden = f"\0pgt-{os.getpid()}"
    with (
        socket.create_server(("0.0.0.0", 0)) as port,
        socket.socket(socket.AF_UNIX) as abstract,
        contextlib.closing(Listening(neighbour)) as listening,
    ):
        abstract.bind(hidden)
        abstract.listen()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(hidden)  # here it can
        execute(
            closed,
            f"""
            import socket
            reached = []
            def tries(family, *places):
                for place in places:
                    with socket.socket(family) as client:
                        client.settimeout(2)
                        try:
                            client.connect(place)
                            reached.append(repr(place))
                        except OSError:
                            pass
            for number in {[port.getsockname()[1], *listening.ports]}:
                tries(socket.AF_INET, ("127.0.0.1", number), ("172.17.0.1", number), ("172.17.0.2", number))
            tries(socket.AF_UNIX, {hidden!r}, "\\0pgt-neighbour", "/var/run/docker.sock", "/run/docker.sock",
                  "/run/containerd/containerd.sock", {str(run_dir / "s" / neighbour.id / "agent.sock")!r},
                  {str(run_dir / "doors" / neighbour.id / "agent.sock")!r})
            """,
        )
        assert closed.value("reached") == []
    neighbour.stop()


class Listening:
    """A neighbour whose code listens on a port and on an abstract socket, as one that wants to be reached would."""

    def __init__(self, sandbox: Sandbox) -> None:
        execute(
            sandbox,
            """
            import socket
            port = socket.create_server(("0.0.0.0", 0))
            number = port.getsockname()[1]
            abstract = socket.socket(socket.AF_UNIX)
            abstract.bind("\\0pgt-neighbour")
            abstract.listen()
            """,
        )
        number = sandbox.value("number")
        assert isinstance(number, int)
        self.ports = [number]

    def close(self) -> None:
        """It ends with its sandbox."""


def test_the_token_is_in_no_log_no_command_line_no_label_and_no_file_that_others_may_read(
    closed: Sandbox, run_dir: Path
) -> None:
    token = closed.access_token
    assert len(token) > 30
    client = docker.APIClient()
    container = client.inspect_container(container_name(closed.id))
    executions = [client.exec_inspect(each) for each in container["ExecIDs"]]
    assert len(executions) == 1  # the learner's agent
    assert token not in json.dumps([container, executions])
    # Jupyter is asked by its secret path, and says something about it in its log.
    execute(closed, "import os; os.system('ls /no/such')")
    assert token not in closed.log(10_000)
    assert token not in client.logs(container_name(closed.id)).decode()
    processes = client.top(container_name(closed.id), ps_args="-eo pid,args")
    assert len(processes["Processes"]) > 5
    assert token not in json.dumps(processes)
    holding = []
    for parent, _folders, files in os.walk(run_dir):
        for path in (Path(parent, name) for name in files):
            with contextlib.suppress(OSError):  # a socket, or gone meanwhile
                if token.encode() in path.read_bytes():
                    holding.append(path)
    assert {path.name for path in holding} == {"spec.json", f"{closed.id}.json"}
    assert {path.stat().st_mode & 0o077 for path in holding} == {0}
    # Jupyter notes its address for its own user.
    command = f"grep -rlsIZ -- {token} /tmp /home /run /dev/shm /var /etc | xargs -0r stat -c '%a %n'"
    inside = closed.run(["sh", "-c", command]).output.splitlines()
    assert inside
    assert {line.split()[0] for line in inside} == {"600"}


def test_the_learner_is_nobody_special(closed: Sandbox) -> None:
    fields = _status_fields(closed)
    assert fields["Uid"].split() == ["1000"] * 4
    assert fields["Gid"].split() == ["1000"] * 4
    assert {fields[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
    assert fields["NoNewPrivs"] == "1"
    assert fields["Seccomp"] == "2"


def test_the_root_is_read_only_and_what_is_not_is_bounded(closed: Sandbox) -> None:
    execute(
        closed,
        """
        import os, pathlib
        refused = []
        for folder in "/ /etc /opt/venv /opt/proving-ground/sandboxes /opt/cache /usr/bin /home /run /proc/sys".split():
            try:
                pathlib.Path(folder, "planted").write_text("x")
            except OSError:
                refused.append(folder)
        writable = sorted(place for place in (line.split()[1] for line in open("/proc/self/mounts")) if os.access(place, os.W_OK)
                          and os.path.isdir(place))
        sizes = {folder: os.statvfs(folder).f_blocks * os.statvfs(folder).f_frsize
                 for folder in ["/tmp", "/run", "/home/learner", "/var/lib/sandbox", "/dev/shm"]}
        """,
    )
    assert len(closed.value("refused")) == 9
    # Messages in queues are bounded by a limit of the kernel's own, and the workspace by a watch.
    assert closed.value("writable") == [
        "/dev/mqueue",
        "/dev/shm",
        "/home/learner",
        "/home/learner/work",
        "/tmp",
    ]
    sizes = closed.value("sizes")
    assert isinstance(sizes, dict)
    assert all(size > 0 for size in sizes.values())
    assert sum(sizes.values()) <= 256 * 1_048_576


def test_a_full_disk_is_an_error_of_the_learner_and_no_more(closed: Sandbox) -> None:
    executed = execute(
        closed,
        """
        with open("/tmp/full", "wb") as file:
            while True:
                file.write(bytes(1_000_000))
        """,
        "import os; os.unlink('/tmp/full'); print('free again')",
    )
    assert executed.errors[0].name == "OSError"
    assert printed(executed).endswith("free again\n")
    assert closed.status().state is SandboxState.READY


def test_no_socket_of_the_engine_and_no_other_sandbox_is_in_sight(closed: Sandbox) -> None:
    sockets = _see(
        closed,
        "sorted(str(p) for top in ('/run', '/var/run', '/tmp', '/home') for p in pathlib.Path(top).rglob('*.sock'))",
    )
    assert sockets == []  # not even its own: their folder can be passed through, not listed
    execute(
        closed,
        """
        import contextlib, pathlib
        programs = []
        for place in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):  # it ended meanwhile
                programs.append(place.read_bytes().split(b"\\0")[0].decode())
        """,
    )
    programs = closed.value("programs")
    assert 0 < len(programs) < 40
    assert not {program for program in programs if "dockerd" in program or "pytest" in program}


def test_processes_are_limited_and_the_sandbox_survives_a_fork_bomb(closed: Sandbox) -> None:
    executed = execute(
        closed,
        """
        import os, time
        started = 0
        try:
            for _ in range(300):
                if os.fork() == 0:
                    time.sleep(600)
                    os._exit(0)
                started += 1
        except BlockingIOError:
            pass
        print(started)
        """,
    )
    assert 0 < int(printed(executed)) < 100
    assert printed(execute(closed, "print('again')")) == "again\n"
    assert closed.status().state is SandboxState.READY
    # Killed with their kernel, a hundred processes take their time: the tests after this one are to find none of them.
    client = docker.APIClient()
    assert until(lambda: len(client.top(container_name(closed.id))["Processes"]) < 40)


def test_no_process_of_the_learners_writes_a_file_beyond_the_limit_of_one(closed: Sandbox) -> None:
    """Not only kernels: what is started in a terminal inherits it from the container."""
    limit = closed.run(["sh", "-c", "ulimit -H -f; ulimit -H -n; ulimit -H -c"]).output.split()
    assert limit == [str(256 * 1024 * 2), "4096", "0"]


def test_a_deleted_file_that_is_still_open_counts(docker_driver: Driver, tmp_path: Path) -> None:
    sandbox = docker_driver.start(
        SandboxSpec(workspace=tmp_path, jupyter=False, limits=Limits(workspace_mb=20)), quiet
    )
    try:
        execute(
            sandbox,
            "import os; hidden = open('hidden', 'wb', buffering=0); os.unlink('hidden')",
            "hidden.write(bytes(5 * 1_048_576))",
        )
        usage = sandbox.usage()
        assert usage is not None
        assert 5 * 1_048_576 <= usage.bytes < 6 * 1_048_576
        with contextlib.suppress(SandboxError):
            execute(
                sandbox,
                "import os; hidden = open('hidden', 'wb', buffering=0); os.unlink('hidden')",
                "hidden.write(bytes(35 * 1_048_576)); import time; time.sleep(25)",
            )
        # The driver looks again only after many times as long as a look took, which a busy machine makes minutes.
        assert until(lambda: sandbox.status().state is SandboxState.FAILED, 300)
        assert "MB of 20 MB" in sandbox.status().detail
    finally:
        sandbox.stop()


def test_memory_that_runs_out_costs_the_kernel_and_nothing_else(closed: Sandbox) -> None:
    executed = execute(closed, "hoard = []\nwhile True: hoard.append(bytearray(10_000_000))")
    assert executed.outcome is NotebookOutcome.KERNEL_DIED
    assert "ran out of memory" in executed.detail
    assert [service.state for service in closed.status().services] == ["ready"]
    assert closed.status().state is SandboxState.READY


def test_the_engine_knows_the_limits_and_the_labels(closed: Sandbox) -> None:
    client = docker.APIClient()
    container = client.inspect_container(container_name(closed.id))
    settings = container["HostConfig"]
    assert settings["Memory"] == settings["MemorySwap"] == 512 * 1_048_576
    assert settings["PidsLimit"] == 100
    assert {limit["Name"]: limit["Hard"] for limit in settings["Ulimits"]} == {
        "core": 0, "nofile": 4096, "fsize": 256 * 1_048_576,
    }  # fmt: skip
    assert settings["NanoCpus"] == 1_000_000_000
    assert settings["NetworkMode"] == "none"
    assert settings["CapDrop"] == ["ALL"]
    assert not settings["Privileged"]
    assert settings["ReadonlyRootfs"]
    assert {mount["Destination"] for mount in container["Mounts"]} == {"/run/sandbox", "/home/learner/work"}
    assert closed.web_path.split("/")[3] not in json.dumps(container)


def test_a_container_that_was_killed_is_failed_and_can_be_cleared_away(
    docker_driver: Driver, tmp_path: Path
) -> None:
    sandbox = docker_driver.start(SandboxSpec(workspace=tmp_path, jupyter=False), quiet)
    client = docker.APIClient()
    client.kill(container_name(sandbox.id))
    client.wait(container_name(sandbox.id), timeout=60)
    assert sandbox.status().state is SandboxState.FAILED
    assert sandbox.status().detail
    assert docker_driver.find(sandbox.id) is None
    sandbox.stop()
    assert sandbox.status().state is SandboxState.STOPPED
    with pytest.raises(docker.errors.NotFound):
        client.inspect_container(container_name(sandbox.id))


def test_a_container_without_a_record_is_found_and_stopped(
    docker_driver: Driver, run_dir: Path, tmp_path: Path
) -> None:
    sandbox = docker_driver.start(SandboxSpec(workspace=tmp_path, jupyter=False), quiet)
    (run_dir / "records" / f"{sandbox.id}.json").unlink()
    other = open_driver("docker", run_dir)
    assert sandbox.id in dict(other.running())
    orphan = other.find(sandbox.id)
    assert orphan is not None
    orphan.stop()
    assert sandbox.id not in dict(other.running())


def test_another_user_than_the_images_own_can_run_it(
    docker_driver: Driver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for an operator who is not root: the files in the workspace stay theirs."""
    for module in (docker_module, docker_profile):
        monkeypatch.setattr(module, "separates_users", lambda: False)
        monkeypatch.setattr(module, "container_user", lambda: (4711, 4712))
    sandbox = docker_driver.start(SandboxSpec(workspace=tmp_path, services={"postgres": {}}), quiet)
    try:
        executed = execute(
            sandbox,
            "import os, psycopg; psycopg.connect(os.environ['DATABASE_URL']).execute('SELECT 1')",
            "open('mine', 'w').close(); print(os.getuid())",
        )
        assert printed(executed) == "4711\n"
        assert not executed.errors
        assert ((tmp_path / "mine").stat().st_uid, (tmp_path / "mine").stat().st_gid) == (4711, 4712)
    finally:
        sandbox.stop()
