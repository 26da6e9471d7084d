"""Sandboxes as containers: for code of strangers.

The profile is closed by default: unprivileged users without capabilities, no new privileges, the engine's seccomp
filter, a read-only root with bounded tmpfs, limits on memory, CPU and processes, and no network at all. What leaves the
container are Unix sockets in one mounted folder. Containers are found again by their labels, also those that a crash left.

There are two users in a container. The *keeper* is its first process: it owns the services, their data, and all that the
shared folder holds. The *learner's agent* is a second process, started by the engine as another user, with everything that runs
the learner's code below it. An operator who is not root can't give files away, so there both are the operator's own user.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import docker
from docker.utils import kwargs_from_env

from sandboxes.drivers.adoption import finish_all, swap_in
from sandboxes.drivers.docker_engine import ENGINE_ERRORS, Engine, container_name, unavailable
from sandboxes.drivers.docker_profile import (
    JOIN_COMMAND,
    WORKSPACE_IN,
    as_user,
    closed_profile,
    container_user,
    give_to_container_user,
    give_to_keeper,
    keeper_user,
    orders,
    separates_users,
)
from sandboxes.drivers.handle import AgentSandbox
from sandboxes.drivers.hidden_files import hidden_bytes
from sandboxes.drivers.images import REPOSITORY, ImageContext, build
from sandboxes.drivers.quota import QuotaWatch
from sandboxes.drivers.run_dir import Record, RunDirectory
from sandboxes.drivers.starting import LOG_LINES, Reporter, check_spec, wait_until_ready
from sandboxes.interface import (
    Driver,
    DriverUnavailable,
    Phase,
    ProgressListener,
    Sandbox,
    SandboxSpec,
    SandboxState,
    SandboxStatus,
    StartFailed,
    Usage,
)
from sandboxes.protocol import SPEC_FILE
from sandboxes.usage import workspace_usage

LABEL_ID = f"{REPOSITORY}.sandbox"
LABEL_RUN_DIR = f"{REPOSITORY}.run-dir"
LABEL_OWN = f"{REPOSITORY}.label."
CHECK_SECONDS = 3


class DockerSandbox(AgentSandbox):
    """A sandbox that is one container."""

    def __init__(self, record: Record, run_dir: RunDirectory, engine: Engine) -> None:
        super().__init__(record, run_dir)
        self._engine = engine

    def alive(self) -> bool:
        return bool(self._engine.state(self.id).get("Running"))

    def status(self) -> SandboxStatus:
        status = super().status()
        if status.state is SandboxState.FAILED and self._engine.state(self.id).get("OOMKilled"):
            return SandboxStatus(status.state, status.phase, status.services, "The sandbox ran out of memory.")
        return status

    def usage(self) -> Usage | None:
        usage = super().usage()
        if usage is None:
            return None
        usage = replace(usage, bytes=usage.bytes + hidden_bytes(self.record.pid, Path(self.record.workspace)))
        if separates_users():
            return usage
        # The shared folder is the learner's to write in as well.
        shared = workspace_usage(self._run_dir.inside(self.id))
        return replace(usage, bytes=usage.bytes + shared.bytes, files=usage.files + shared.files)

    def _end(self) -> None:
        self._engine.remove(self.id)

    def _let_in(self, blank: Path, workspace: Path) -> None:
        # The container's mount follows the directory that it has open.
        swap_in(self._run_dir.adoption_note(self.id), blank, workspace)
        give_to_container_user(workspace)


class DockerDriver(Driver):
    """Starts sandboxes as containers."""

    name = "docker"
    isolated = True

    @property
    def separates_users(self) -> bool:
        """Whether the learner's code runs as another user than the services; only root can arrange that."""
        return separates_users()

    def __init__(self, run_dir: Path) -> None:
        self._run_dir = RunDirectory(run_dir)
        self._engine = Engine()
        self._started: dict[str, Sandbox] = {}
        self._starting: set[str] = set()
        self.scratch = self._run_dir.scratch
        self._quota = QuotaWatch(
            self._run_dir, self.name, self._measure, lambda record: self._engine.remove(record.id)
        )

    def check(self) -> None:
        try:
            client = docker.APIClient(timeout=CHECK_SECONDS, **kwargs_from_env())
            try:
                client.ping()
            finally:
                client.close()
        except ENGINE_ERRORS as error:
            raise unavailable(error) from error

    def prepare(self, image: str, progress: ProgressListener) -> None:
        self._prepare(image, Reporter(progress))

    def _prepare(self, image: str, reporter: Reporter) -> str:
        self._run_dir.prepare()
        try:
            return build(self._engine.client, ImageContext(image), reporter, self._run_dir.cache)
        except ENGINE_ERRORS as error:
            raise unavailable(error) from error

    def start(self, spec: SandboxSpec, progress: ProgressListener) -> Sandbox:
        reporter = Reporter(progress)
        check_spec(spec)
        tag = self._prepare(spec.image, reporter)
        reporter.tell(Phase.CREATING, "creating its container")
        self._starting.add(spec.sandbox_id)
        self._quota.begin()
        try:
            return self._start(spec, tag, reporter)
        finally:
            self._starting.discard(spec.sandbox_id)

    def _start(self, spec: SandboxSpec, tag: str, reporter: Reporter) -> Sandbox:
        folder = self._run_dir.create(spec.sandbox_id)
        record = Record.of(spec, self.name)
        sandbox = DockerSandbox(record, self._run_dir, self._engine)
        try:
            self._run_dir.save(record)
            spec.workspace.mkdir(parents=True, exist_ok=True)
            orders(spec, record).write(folder / SPEC_FILE)
            give_to_keeper(folder)
            give_to_container_user(spec.workspace)
            self._run_container(spec, tag, folder)
            self._start_learner(sandbox)
            sandbox.record = replace(record, pid=int(self._engine.state(spec.sandbox_id).get("Pid") or 0))
            self._run_dir.save(sandbox.record)
            wait_until_ready(sandbox, spec, self._run_dir, reporter, lambda: self._log(sandbox))
        except (*ENGINE_ERRORS, OSError) as error:
            log = self._log(sandbox)
            self._forget(sandbox)
            raise StartFailed(
                "The sandbox could not be created.",
                phase=Phase.CREATING,
                detail=str(error)[:2000],
                log=log or str(error)[:2000],
            ) from error
        except BaseException:
            self._forget(sandbox)
            raise
        self._started[spec.sandbox_id] = sandbox
        return sandbox

    def find(self, sandbox_id: str) -> Sandbox | None:
        record = self._run_dir.record(sandbox_id)
        if record is None:
            # A container without a record is what a crash left: it can be stopped, and no more.
            record = Record(id=sandbox_id, driver=self.name, web_path="", workspace="")
        if record.driver != self.name:
            return None
        sandbox = self._started.get(sandbox_id) or DockerSandbox(record, self._run_dir, self._engine)
        return sandbox if isinstance(sandbox, DockerSandbox) and sandbox.alive() else None

    def running(self) -> list[tuple[str, Mapping[str, str]]]:
        found: list[tuple[str, Mapping[str, str]]] = []
        for container in self._containers(ended_too=False):
            sandbox_id = container["Labels"][LABEL_ID]
            record = self._run_dir.record(sandbox_id)
            # An adopted one has other labels than its container was made with.
            labels = record.labels if record else _own_labels(container["Labels"])
            found.append((sandbox_id, dict(labels)))
        return found

    def reap(self, keep: Collection[str], grace_seconds: float = 0.0) -> list[str]:
        self._run_dir.prepare()
        finish_all(self._run_dir.adopting)
        kept = {*keep, *self._starting}
        now = time.time()
        ids = {
            container["Labels"][LABEL_ID]
            for container in self._containers(ended_too=True)
            if now - container["Created"] >= grace_seconds
        } - kept
        ids |= set(self._run_dir.leftovers(self.name, kept, grace_seconds))
        for sandbox_id in sorted(ids):
            record = self._run_dir.record(sandbox_id) or Record(
                sandbox_id, self.name, web_path="", workspace=""
            )
            DockerSandbox(record, self._run_dir, self._engine).stop()
            self._started.pop(sandbox_id, None)
        return sorted(ids)

    def _containers(self, *, ended_too: bool) -> list[dict[str, Any]]:
        mine = {"label": [f"{LABEL_RUN_DIR}={self._run_dir.root}"]}
        try:
            containers: list[dict[str, Any]] = self._engine.client.containers(all=ended_too, filters=mine)
        except ENGINE_ERRORS as error:
            raise unavailable(error) from error
        return containers

    def _measure(self, record: Record) -> Usage:
        return DockerSandbox(record, self._run_dir, self._engine).usage() or Usage(0, 0)

    def close(self) -> None:
        self._quota.close()
        started, self._started = self._started, {}
        for sandbox in started.values():
            sandbox.stop()

    def _run_container(self, spec: SandboxSpec, tag: str, folder: Path) -> None:
        client = self._engine.client
        container = client.create_container(
            tag,
            name=container_name(spec.sandbox_id),
            hostname="sandbox",
            user=as_user(keeper_user()),
            working_dir="/" if separates_users() else WORKSPACE_IN,
            labels={
                LABEL_ID: spec.sandbox_id,
                LABEL_RUN_DIR: str(self._run_dir.root),
                **{f"{LABEL_OWN}{key}": value for key, value in spec.labels.items()},
            },
            host_config=client.create_host_config(**closed_profile(spec, folder)),
            stop_timeout=5,
        )
        client.start(container["Id"])

    def _start_learner(self, sandbox: DockerSandbox) -> None:
        """Start the learner's agent beside the keeper, which waits for it. Raises the engine's errors."""
        if not separates_users():
            return
        try:
            self._engine.run_inside(sandbox.id, JOIN_COMMAND, as_user(container_user()), WORKSPACE_IN)
        except docker.errors.APIError:
            if sandbox.alive():
                raise
            # The keeper has ended already, and its own words say why.

    def _log(self, sandbox: AgentSandbox) -> str:
        """The logs inside, and what the agent said before it had one."""
        said = ""
        with contextlib.suppress(*ENGINE_ERRORS):
            said = self._engine.client.logs(container_name(sandbox.id), tail=LOG_LINES).decode(
                "utf-8", "replace"
            )[-20_000:]
        return "\n".join(part for part in (sandbox.log(LOG_LINES), said.strip()) if part)

    def _forget(self, sandbox: AgentSandbox) -> None:
        """Stop after a failed start, whose error is the one to tell."""
        with contextlib.suppress(DriverUnavailable):
            sandbox.stop()


def _own_labels(labels: Mapping[str, str]) -> dict[str, str]:
    return {key[len(LABEL_OWN) :]: value for key, value in labels.items() if key.startswith(LABEL_OWN)}
