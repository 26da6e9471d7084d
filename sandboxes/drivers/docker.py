"""Sandboxes as containers: for code of strangers.

The profile is closed by default: an unprivileged user without capabilities, no new privileges, the engine's seccomp
filter, a read-only root with bounded tmpfs, limits on memory, CPU and processes, and no network at all. What leaves the
container are Unix sockets in one mounted folder. Containers are found again by their labels, also those that a crash left.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import docker
import requests
from docker.types import LogConfig, Mount, Ulimit
from docker.utils import kwargs_from_env

from sandboxes.drivers.adoption import finish_all, swap_in
from sandboxes.drivers.handle import AgentSandbox
from sandboxes.drivers.images import REPOSITORY, ImageContext, build
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
)
from sandboxes.protocol import SPEC_FILE, AgentSpec

LABEL_ID = f"{REPOSITORY}.sandbox"
LABEL_RUN_DIR = f"{REPOSITORY}.run-dir"
LABEL_OWN = f"{REPOSITORY}.label."
CHECK_SECONDS = 3
ENGINE_SECONDS = 60
REMOVE_SECONDS = 10.0
LEARNER = 1000
RUN_IN = "/run/sandbox"
HOME_IN = "/home/learner"
WORKSPACE_IN = "/home/learner/work"
DATA_IN = "/var/lib/sandbox"
CACHE_IN = "/opt/cache"
MAX_FILES = 100_000
"""Of a workspace that is handed to the learner's user."""
ENGINE_ERRORS = (docker.errors.DockerException, requests.RequestException)


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

    def memory_bytes(self) -> int | None:
        return self._engine.memory_bytes(self.id)

    def _end(self) -> None:
        self._engine.remove(self.id)

    def _let_in(self, blank: Path, workspace: Path) -> None:
        # The container's mount follows the directory that it has open.
        swap_in(self._run_dir.adoption_note(self.id), blank, workspace)
        give_to_container_user(workspace)


class Engine:
    """The few things we ask of a container engine. One client per thread, as the library wants it."""

    def __init__(self) -> None:
        self._threads = threading.local()

    @property
    def client(self) -> docker.APIClient:
        if not hasattr(self._threads, "client"):
            self._threads.client = docker.APIClient(timeout=ENGINE_SECONDS, **kwargs_from_env())
        client: docker.APIClient = self._threads.client
        return client

    def state(self, sandbox_id: str) -> Mapping[str, Any]:
        """The engine's words on a container; empty when there is none, or no engine."""
        try:
            state: Mapping[str, Any] = self.client.inspect_container(container_name(sandbox_id))["State"]
            return state
        except ENGINE_ERRORS:
            return {}

    def memory_bytes(self, sandbox_id: str) -> int | None:
        """What a container's processes hold, without the files that the kernel keeps for them; None when it can't be told."""
        try:
            usage = self.client.stats(container_name(sandbox_id), stream=False, one_shot=True)["memory_stats"]
            details = usage.get("stats", {})
            # The older and the newer hierarchy of control groups.
            cached = details.get("total_inactive_file", details.get("inactive_file", 0))
            return max(0, int(usage["usage"]) - int(cached))
        except (*ENGINE_ERRORS, KeyError, TypeError, ValueError):
            return None

    def remove(self, sandbox_id: str) -> None:
        """Kill and remove a container, and return when it is gone. Raises DriverUnavailable when the engine does not do it."""
        deadline = time.monotonic() + REMOVE_SECONDS
        while True:
            try:
                self.client.remove_container(container_name(sandbox_id), force=True, v=True)
            except docker.errors.NotFound:
                return
            except docker.errors.APIError as error:
                if error.status_code != requests.codes.conflict:  # a conflict: somebody else removes it now
                    raise unavailable(error) from error
            except ENGINE_ERRORS as error:
                raise unavailable(error) from error
            else:
                return
            if time.monotonic() > deadline:
                raise DriverUnavailable(f"The container engine did not remove {container_name(sandbox_id)}.")
            time.sleep(0.05)


class DockerDriver(Driver):
    """Starts sandboxes as containers."""

    name = "docker"
    isolated = True

    def __init__(self, run_dir: Path) -> None:
        self._run_dir = RunDirectory(run_dir)
        self._engine = Engine()
        self._started: dict[str, Sandbox] = {}
        self._starting: set[str] = set()
        self.scratch = self._run_dir.scratch

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
            give_to_container_user(folder)
            give_to_container_user(spec.workspace)
            self._run_container(spec, tag, folder)
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

    def remains(self, keep: Collection[str], grace_seconds: float = 0.0) -> list[str]:
        self._run_dir.prepare()
        kept = {*keep, *self._starting}
        now = time.time()
        ids = {
            container["Labels"][LABEL_ID]
            for container in self._containers(ended_too=True)
            if now - container["Created"] >= grace_seconds
        } - kept
        return sorted(ids | set(self._run_dir.leftovers(self.name, kept, grace_seconds)))

    def reap(self, keep: Collection[str], grace_seconds: float = 0.0) -> list[str]:
        ids = self.remains(keep, grace_seconds)
        finish_all(self._run_dir.adopting, grace_seconds)
        for sandbox_id in ids:
            record = self._run_dir.record(sandbox_id) or Record(
                sandbox_id, self.name, web_path="", workspace=""
            )
            DockerSandbox(record, self._run_dir, self._engine).stop()
            self._started.pop(sandbox_id, None)
        return ids

    def _containers(self, *, ended_too: bool) -> list[dict[str, Any]]:
        mine = {"label": [f"{LABEL_RUN_DIR}={self._run_dir.root}"]}
        try:
            containers: list[dict[str, Any]] = self._engine.client.containers(all=ended_too, filters=mine)
        except ENGINE_ERRORS as error:
            raise unavailable(error) from error
        return containers

    def close(self) -> None:
        started, self._started = self._started, {}
        for sandbox in started.values():
            sandbox.stop()

    def _run_container(self, spec: SandboxSpec, tag: str, folder: Path) -> None:
        client = self._engine.client
        container = client.create_container(
            tag,
            name=container_name(spec.sandbox_id),
            hostname="sandbox",
            user="{}:{}".format(*container_user()),
            labels={
                LABEL_ID: spec.sandbox_id,
                LABEL_RUN_DIR: str(self._run_dir.root),
                **{f"{LABEL_OWN}{key}": value for key, value in spec.labels.items()},
            },
            host_config=client.create_host_config(**closed_profile(spec, folder)),
            stop_timeout=5,
        )
        client.start(container["Id"])

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


def closed_profile(spec: SandboxSpec, folder: Path) -> dict[str, Any]:
    """The engine's settings for a sandbox: everything closed that a lab does not need."""
    uid, gid = container_user()
    owned = f"uid={uid},gid={gid},mode=0700"
    disk = max(64, spec.limits.disk_mb)
    # The shares of the writable memory; together with /dev/shm they are the disk limit.
    return {
        "network_mode": "none",
        "read_only": True,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "privileged": False,
        "ipc_mode": "private",
        "pids_limit": spec.limits.pids,
        "mem_limit": spec.limits.memory_mb * 1_048_576,
        "memswap_limit": spec.limits.memory_mb * 1_048_576,
        "nano_cpus": int(min(spec.limits.cpus, os.cpu_count() or 1) * 1_000_000_000),
        "shm_size": disk * 1_048_576 // 8,
        "ulimits": [Ulimit(name="core", soft=0, hard=0), Ulimit(name="nofile", soft=4096, hard=4096)],
        "tmpfs": {
            "/tmp": f"rw,nosuid,nodev,size={disk // 8}m,mode=1777",  # noqa: S108 - the container's own
            "/run": f"rw,nosuid,nodev,noexec,size={disk // 64}m,mode=0755",
            HOME_IN: f"rw,nosuid,nodev,exec,size={disk // 4 - disk // 64}m,{owned}",
            DATA_IN: f"rw,nosuid,nodev,noexec,size={disk // 2}m,{owned}",
        },
        "mounts": [
            Mount(RUN_IN, str(folder), type="bind"),
            Mount(WORKSPACE_IN, str(spec.workspace.resolve()), type="bind"),
        ],
        "log_config": LogConfig(type=LogConfig.types.JSON, config={"max-size": "256k", "max-file": "1"}),
        "restart_policy": {"Name": "no"},
    }


def orders(spec: SandboxSpec, record: Record) -> AgentSpec:
    """The agent's orders, with the container's paths."""
    return AgentSpec(
        sandbox_id=spec.sandbox_id,
        run_dir=RUN_IN,
        workspace=WORKSPACE_IN,
        home=HOME_IN,
        data_dir=DATA_IN,
        cache_dir=CACHE_IN,
        web_path=record.web_path,
        services=record.services,
        environment=dict(spec.environment),
        jupyter=spec.jupyter,
        memory_mb=spec.limits.memory_mb,
        disk_mb=spec.limits.disk_mb,
        contained=True,
        preload=spec.preload,
        service_seconds=spec.start_seconds,
    )


def container_name(sandbox_id: str) -> str:
    return f"sandbox-{sandbox_id}"


def container_user() -> tuple[int, int]:
    """Whom a container runs as: never root; and the operator, when that is not root, so that the files stay theirs."""
    if os.geteuid() == 0:
        return LEARNER, LEARNER
    return os.geteuid(), os.getegid()


def give_to_container_user(folder: Path) -> None:
    """Make a tree the container user's own, when that is somebody else than us. Raises OSError for too many files."""
    uid, gid = container_user()
    if (uid, gid) != (os.geteuid(), os.getegid()):
        _hand_over(folder, uid, gid)


def _own_labels(labels: Mapping[str, str]) -> dict[str, str]:
    return {key[len(LABEL_OWN) :]: value for key, value in labels.items() if key.startswith(LABEL_OWN)}


def unavailable(error: Exception) -> DriverUnavailable:
    """The error for an engine that does not answer."""
    return DriverUnavailable(
        "No Docker engine answers: install or start Docker, or let the portal use the local driver.",
        detail=str(error)[:2000],
    )


def _hand_over(folder: Path, uid: int, gid: int) -> None:
    """Give a tree to the container's user. Raises OSError for too many files.

    By descriptors, and links themselves instead of what they point to: another sandbox on the same workspace may be changing it
    right now, and must not lead us out of it.
    """
    count = 0
    for _, folders, files, descriptor in os.fwalk(folder, follow_symlinks=False):
        os.fchown(descriptor, uid, gid)
        for name in (*folders, *files):
            count += 1
            if count > MAX_FILES:
                raise OSError(f"the workspace holds more than {MAX_FILES} files")
            with contextlib.suppress(FileNotFoundError):
                os.chown(name, uid, gid, dir_fd=descriptor, follow_symlinks=False)
