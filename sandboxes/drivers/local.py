"""Sandboxes as processes of this machine: for one's own laptop, where the learner and the operator are the same person.

The agent leads a session of its own and outlives the process that started it; its pid and start time are on record, so
another process can find it and end it. What tears itself loose from the agent is found by a variable that every process of
the sandbox carries.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import signal
import subprocess
import sys
import time
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

from sandboxes.drivers.adoption import finish_all, settle, swap_in
from sandboxes.drivers.handle import AgentSandbox, measure
from sandboxes.drivers.processes import of_sandbox, resident_bytes, start_time
from sandboxes.drivers.quota import QuotaWatch
from sandboxes.drivers.reaping import remove_scratch, stale_scratch
from sandboxes.drivers.run_dir import Record, RunDirectory
from sandboxes.drivers.starting import LOG_LINES, Reporter, check_spec, wait_until_ready
from sandboxes.interface import (
    Driver,
    DriverUnavailable,
    Phase,
    ProgressListener,
    Sandbox,
    SandboxSpec,
    StartFailed,
)
from sandboxes.protocol import LOG_FOLDER, SANDBOX_ID_VARIABLE, SPEC_FILE, AgentSpec
from sandboxes.services.postgres import Postgres, find_binaries, unprivileged_account

CODE_DIR = Path(__file__).parents[2]
WORKSPACE_LINK = "work"
"""In a sandbox's folder: leads a blank one to its workspace, whose name changes when it is adopted."""
STOP_SECONDS = 5.0
KILL_SECONDS = 5.0
PASSED_ON = ("PATH", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "KAFKA_HOME", "JAVA_HOME")
"""The only variables of ours that a sandbox gets: none of them is a secret."""
NEEDED = ("aiohttp", "ipykernel", "nbclient", "notebook", "psycopg")


class LocalSandbox(AgentSandbox):
    """A sandbox whose agent is a process of this machine."""

    def __init__(
        self, record: Record, run_dir: RunDirectory, process: subprocess.Popen[bytes] | None = None
    ) -> None:
        super().__init__(record, run_dir)
        self._process = process

    def alive(self) -> bool:
        if self._process is not None:
            return self._process.poll() is None
        return start_time(self.record.pid) == self.record.pid_started

    def _end(self) -> None:
        pid = self.record.pid
        if self.alive():
            _signal(pid, signal.SIGTERM)
            self._wait(STOP_SECONDS)
        if self.alive():
            with contextlib.suppress(OSError):
                os.killpg(pid, signal.SIGKILL)
            self._wait(KILL_SECONDS)
        _sweep(self.id)

    def _let_in(self, blank: Path, workspace: Path) -> None:
        swap_in(self._run_dir.adoption_note(self.id), blank, workspace)
        # Working directories follow the directory itself, and names go through this link.
        link = self._run_dir.inside(self.id) / WORKSPACE_LINK
        half = link.with_suffix(".half")
        half.symlink_to(workspace.resolve())
        half.replace(link)

    def memory_bytes(self) -> int | None:
        return sum(resident_bytes(pid) for pid in of_sandbox(self.id)) or None

    def _wait(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while self.alive() and time.monotonic() < deadline:
            time.sleep(0.02)


class LocalDriver(Driver):
    """Starts sandboxes as processes."""

    name = "local"
    isolated = False

    def __init__(self, run_dir: Path) -> None:
        self._run_dir = RunDirectory(run_dir)
        self._started: dict[str, LocalSandbox] = {}
        self._starting: set[str] = set()
        self.scratch = self._run_dir.scratch
        self._quota = QuotaWatch(
            self._run_dir, self.name, measure, lambda record: LocalSandbox(record, self._run_dir)._end()
        )

    def check(self) -> None:
        if sys.platform == "win32":
            raise DriverUnavailable("Labs need Unix sockets: on Windows, run the portal in WSL or use Docker.")
        missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
        if missing:
            raise DriverUnavailable(
                f"Python packages are missing ({', '.join(missing)}): run `make run`, which installs them."
            )
        if find_binaries() is None:
            raise DriverUnavailable(
                "PostgreSQL is not installed: install the package postgresql, or `pip install pgserver`."
            )
        self._run_dir.prepare()

    def prepare(self, image: str, progress: ProgressListener) -> None:
        """There is no image to build."""

    def start(self, spec: SandboxSpec, progress: ProgressListener) -> Sandbox:
        reporter = Reporter(progress)
        check_spec(spec)
        self._run_dir.prepare()
        reporter.tell(Phase.CREATING, "starting its processes")
        self._starting.add(spec.sandbox_id)
        self._quota.begin()
        try:
            return self._start(spec, reporter)
        finally:
            self._starting.discard(spec.sandbox_id)

    def _start(self, spec: SandboxSpec, reporter: Reporter) -> Sandbox:
        folder = self._run_dir.create(spec.sandbox_id)
        record = Record.of(spec, self.name)
        sandbox = LocalSandbox(record, self._run_dir)
        try:
            self._run_dir.save(record)  # first: what is made next is removed by it, should we be killed
            spec.workspace.mkdir(parents=True, exist_ok=True)
            account = unprivileged_account()
            if account is not None and Postgres.name in spec.services:
                self._run_dir.admit(spec.sandbox_id, account.gid)
            process = self._start_agent(spec, record, folder)
            record = replace(record, pid=process.pid, pid_started=start_time(process.pid))
            sandbox = LocalSandbox(record, self._run_dir, process)
            self._run_dir.save(record)
            wait_until_ready(sandbox, spec, self._run_dir, reporter, lambda: sandbox.log(LOG_LINES))
        except OSError as error:
            log = sandbox.log(LOG_LINES)
            sandbox.stop()
            raise StartFailed(
                f"The sandbox could not be created: {error}", phase=Phase.CREATING, log=log
            ) from error
        except BaseException:
            sandbox.stop()
            raise
        # Without those that have been stopped: a worker lives for months.
        for key, one in list(self._started.items()):
            if one.stopped:
                self._started.pop(key, None)
        self._started[spec.sandbox_id] = sandbox
        return sandbox

    def find(self, sandbox_id: str) -> Sandbox | None:
        record = self._run_dir.record(sandbox_id)
        if record is None or record.driver != self.name:
            return None
        own = self._started.get(sandbox_id)
        sandbox = own if isinstance(own, LocalSandbox) else LocalSandbox(record, self._run_dir)
        return sandbox if sandbox.alive() else None

    def running(self) -> list[tuple[str, Mapping[str, str]]]:
        found: list[tuple[str, Mapping[str, str]]] = []
        for record in self._run_dir.records(self.name):
            if LocalSandbox(record, self._run_dir).alive():
                found.append((record.id, dict(record.labels)))
        return found

    def settle(self, below: Path) -> None:
        settle(self._run_dir.adopting, below)

    def remains(self, keep: Collection[str], grace_seconds: float = 0.0) -> list[str]:
        self._run_dir.prepare()
        return self._run_dir.leftovers(self.name, {*keep, *self._starting}, grace_seconds)

    def reap(self, keep: Collection[str], grace_seconds: float = 0.0) -> list[str]:
        ids = self.remains(keep, grace_seconds)
        finish_all(self._run_dir.adopting, grace_seconds)
        remove_scratch(stale_scratch(self._run_dir.root, grace_seconds))
        for sandbox_id in ids:
            # Without a record, what still runs is found by the variable that its processes carry.
            record = self._run_dir.record(sandbox_id) or Record(
                sandbox_id, self.name, web_path="", workspace=""
            )
            LocalSandbox(record, self._run_dir).stop()
            self._started.pop(sandbox_id, None)
        return ids

    def close(self) -> None:
        self._quota.close()
        started, self._started = self._started, {}
        for sandbox in started.values():
            sandbox.stop()

    @staticmethod
    def _agents_workspace(spec: SandboxSpec, folder: Path) -> Path:
        workspace = spec.workspace.resolve()
        if not spec.blank:
            return workspace
        link = folder / WORKSPACE_LINK
        link.symlink_to(workspace)
        return link

    def _start_agent(self, spec: SandboxSpec, record: Record, folder: Path) -> subprocess.Popen[bytes]:
        orders = AgentSpec(
            sandbox_id=spec.sandbox_id,
            run_dir=str(folder),
            workspace=str(self._agents_workspace(spec, folder)),
            home=str(folder / "home"),
            data_dir=str(folder / "data"),
            cache_dir=str(self._run_dir.cache),
            web_path=record.web_path,
            services=record.services,
            environment=dict(spec.environment),
            jupyter=spec.jupyter,
            memory_mb=spec.limits.memory_mb,
            disk_mb=spec.limits.disk_mb,
            workspace_mb=spec.limits.workspace_mb,
            workspace_files=spec.limits.workspace_files,
            contained=False,
            preload=spec.preload,
            service_seconds=spec.start_seconds,
        )
        file = folder / SPEC_FILE
        orders.write(file)
        environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        environment |= {"PYTHONPATH": str(CODE_DIR), "LANG": "C.UTF-8", SANDBOX_ID_VARIABLE: spec.sandbox_id}
        with (folder / LOG_FOLDER / "start.log").open("ab") as output:
            return subprocess.Popen(
                [sys.executable, "-m", "sandboxes.agent", str(file)],
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(OSError):
        os.kill(pid, number)


def _sweep(sandbox_id: str) -> None:
    """Kill what still carries the sandbox's variable: processes that tore themselves loose from the agent."""
    deadline = time.monotonic() + KILL_SECONDS
    while time.monotonic() < deadline:
        found = False
        for pid in of_sandbox(sandbox_id):
            found = True
            _signal(pid, signal.SIGKILL)
        if not found:
            return
        time.sleep(0.02)
