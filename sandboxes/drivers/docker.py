"""Sandboxes as containers: for code of strangers.

The profile is closed by default: unprivileged users without capabilities, no new privileges, the engine's seccomp
filter, a read-only root with bounded tmpfs, limits on memory, CPU and processes, and no network at all. What leaves the
container are Unix sockets: in one mounted folder, or, where an engine's folders carry no sockets, behind a tunnel through
the engine (`sandboxes.drivers.relay`). Containers are found again by their labels, also those that a crash left.

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

from sandboxes.drivers.adoption import finish_all, settle, swap_in
from sandboxes.drivers.attach import Transport, engine_output, needed_transport, parse_transport
from sandboxes.drivers.docker_engine import ENGINE_ERRORS, Engine, container_name, unavailable
from sandboxes.drivers.docker_profile import (
    WORKSPACE_IN,
    as_user,
    closed_profile,
    container_user,
    give_to_container_user,
    give_to_keeper,
    join_command,
    keeper_user,
    orders,
    separates_users,
    tunnel_command,
)
from sandboxes.drivers.handle import AgentSandbox
from sandboxes.drivers.hidden_files import hidden_bytes
from sandboxes.drivers.image_context import REPOSITORY, ImageContext
from sandboxes.drivers.image_sources import not_wanted
from sandboxes.drivers.images import build, exists
from sandboxes.drivers.quota import QuotaWatch
from sandboxes.drivers.reaping import remove_scratch, stale_scratch
from sandboxes.drivers.relay import Relays, Tunnel
from sandboxes.drivers.run_dir import Record, RunDirectory
from sandboxes.drivers.starting import LOG_LINES, Reporter, check_spec, socket_names, wait_until_ready
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
from sandboxes.services import wanted_image
from sandboxes.usage import workspace_usage

LABEL_ID = f"{REPOSITORY}.sandbox"
LABEL_RUN_DIR = f"{REPOSITORY}.run-dir"
LABEL_OWN = f"{REPOSITORY}.label."
CHECK_SECONDS = 10


class DockerSandbox(AgentSandbox):
    """A sandbox that is one container."""

    def __init__(self, record: Record, run_dir: RunDirectory, engine: Engine, relays: Relays) -> None:
        super().__init__(record, run_dir)
        self._engine = engine
        self._relays = relays

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

    def open_doors(self) -> None:
        """Make its sockets those to connect to. Raises OSError."""
        doors, names = self._run_dir.doors(self.id), self._sockets()
        if self.record.transport == Transport.TUNNEL:
            self._relays.open(self.id, doors, names, self._tunnel())
        else:
            self._run_dir.open_doors(self.id, names)

    def keep_doors(self) -> None:
        """See to it that somebody keeps the doors of a tunnel open: they close when the process ends that did. Never raises."""
        if self.record.transport == Transport.TUNNEL:
            self._relays.ensure(self.id, self._run_dir.doors(self.id), self._sockets(), self._tunnel())

    def _sockets(self) -> list[str]:
        return socket_names(self.record.services, jupyter=self.record.jupyter)

    def _tunnel(self) -> Tunnel:
        command = tunnel_command(self.record, self._sockets())
        return Tunnel(
            attach=lambda: self._engine.attach(self.id, command, as_user(keeper_user())),
            alive=self.alive,
            decode=engine_output,
        )

    def memory_bytes(self) -> int | None:
        return self._engine.memory_bytes(self.id)

    def _end(self) -> None:
        self._relays.close(self.id)
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

    def __init__(self, run_dir: Path, transport: str = "auto", named: Mapping[str, str] | None = None) -> None:
        """`transport`: sockets, tunnel, or auto for what the engine needs. Raises DriverUnavailable for another word.

        `named`: the operator's names of others' images, by build argument; None for those of the environment.
        """
        self._named = named
        self._run_dir = RunDirectory(run_dir)
        self._engine = Engine()
        self._relays = Relays()
        self._transport = parse_transport(transport)
        self._started: dict[str, DockerSandbox] = {}
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

    def revision(self, image: str) -> str:
        return ImageContext(image, self._named).tag

    def _prepare(self, image: str, reporter: Reporter) -> str:
        self._run_dir.prepare()
        try:
            return build(self._engine.client, ImageContext(image, self._named), reporter, self._run_dir.cache)
        except ENGINE_ERRORS as error:
            raise unavailable(error) from error

    def _fitting_image(self, spec: SandboxSpec) -> str:
        """The lab's image, or one upon it that has what a service was asked for and that can be had here."""
        wanted = wanted_image(spec.services)
        if wanted is None or wanted == spec.image:
            return spec.image
        context = ImageContext(wanted, self._named)
        try:
            unwanted = not_wanted(context, lambda name: exists(self._engine.client, name))
        except ENGINE_ERRORS as error:
            raise unavailable(error) from error
        above = spec.image in {each.image for each in context.lineage}
        return wanted if above and unwanted is None else spec.image

    def start(self, spec: SandboxSpec, progress: ProgressListener) -> Sandbox:
        reporter = Reporter(progress)
        check_spec(spec)
        tag = self._prepare(self._fitting_image(spec), reporter)
        reporter.tell(Phase.CREATING, "creating its container")
        self._starting.add(spec.sandbox_id)
        self._quota.begin()
        try:
            return self._start(spec, tag, reporter)
        finally:
            self._starting.discard(spec.sandbox_id)

    def _start(self, spec: SandboxSpec, tag: str, reporter: Reporter) -> Sandbox:
        transport = self._known_transport()
        folder = self._run_dir.create(spec.sandbox_id)
        record = replace(Record.of(spec, self.name), transport=str(transport))
        sandbox = self._handle(record)
        try:
            self._run_dir.save(record)
            spec.workspace.mkdir(parents=True, exist_ok=True)
            orders(spec, record).write(folder / SPEC_FILE)
            give_to_keeper(folder)
            give_to_container_user(spec.workspace)
            self._run_container(spec, tag, closed_profile(spec, folder, record))
            self._start_learner(sandbox)
            sandbox.record = replace(record, pid=int(self._engine.state(spec.sandbox_id).get("Pid") or 0))
            self._run_dir.save(sandbox.record)
            sandbox.keep_doors()  # a tunnel takes its time; the services start meanwhile
            wait_until_ready(
                sandbox, spec, self._run_dir, reporter, lambda: self._log(sandbox), sandbox.open_doors
            )
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
        # Without those that have been stopped: a worker lives for months.
        for key, one in list(self._started.items()):
            if one.stopped:
                self._started.pop(key, None)
        self._started[spec.sandbox_id] = sandbox
        return sandbox

    def find(self, sandbox_id: str) -> Sandbox | None:
        record = self._run_dir.record(sandbox_id)
        if record is None:
            # A container without a record is what a crash left: it can be stopped, and no more.
            record = Record(id=sandbox_id, driver=self.name, web_path="", workspace="")
        if record.driver != self.name:
            return None
        sandbox = self._started.get(sandbox_id) or self._handle(record)
        if not isinstance(sandbox, DockerSandbox) or not sandbox.alive():
            return None
        sandbox.keep_doors()
        return sandbox

    def running(self) -> list[tuple[str, Mapping[str, str]]]:
        found: list[tuple[str, Mapping[str, str]]] = []
        for container in self._containers(ended_too=False):
            sandbox_id = container["Labels"][LABEL_ID]
            record = self._run_dir.record(sandbox_id)
            # An adopted one has other labels than its container was made with.
            labels = record.labels if record else _own_labels(container["Labels"])
            found.append((sandbox_id, dict(labels)))
        return found

    def settle(self, below: Path) -> None:
        settle(self._run_dir.adopting, below)

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
        remove_scratch(stale_scratch(self._run_dir.root, grace_seconds))
        for sandbox_id in ids:
            record = self._run_dir.record(sandbox_id) or Record(
                sandbox_id, self.name, web_path="", workspace=""
            )
            self._handle(record).stop()
            self._started.pop(sandbox_id, None)
        return ids

    def _handle(self, record: Record) -> DockerSandbox:
        return DockerSandbox(record, self._run_dir, self._engine, self._relays)

    def _known_transport(self) -> Transport:
        """The transport to use, asking the engine once. Raises DriverUnavailable."""
        if self._transport is None:
            try:
                self._transport = needed_transport(self._engine.client)
            except ENGINE_ERRORS as error:
                raise unavailable(error) from error
        return self._transport

    def _containers(self, *, ended_too: bool) -> list[dict[str, Any]]:
        mine = {"label": [f"{LABEL_RUN_DIR}={self._run_dir.root}"]}
        try:
            containers: list[dict[str, Any]] = self._engine.client.containers(all=ended_too, filters=mine)
        except ENGINE_ERRORS as error:
            raise unavailable(error) from error
        return containers

    def _measure(self, record: Record) -> Usage:
        return self._handle(record).usage() or Usage(0, 0)

    def close(self) -> None:
        self._quota.close()
        started, self._started = self._started, {}
        for sandbox in started.values():
            sandbox.stop()
        self._relays.close_all()

    def _run_container(self, spec: SandboxSpec, tag: str, profile: dict[str, Any]) -> None:
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
            host_config=client.create_host_config(**profile),
            stop_timeout=5,
        )
        client.start(container["Id"])

    def _start_learner(self, sandbox: DockerSandbox) -> None:
        """Start the learner's agent beside the keeper, which waits for it. Raises the engine's errors."""
        if not separates_users():
            return
        try:
            self._engine.run_inside(
                sandbox.id, join_command(sandbox.record), as_user(container_user()), WORKSPACE_IN
            )
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
