"""The half of a sandbox that the learner does not own: the lab's services, their data and their sockets."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from pathlib import Path

from sandboxes.agent import environment
from sandboxes.agent.logs import LineLog
from sandboxes.agent.processes import Child, Processes
from sandboxes.agent.status import StatusBoard
from sandboxes.agent.waiting import StartAborted, until_ready
from sandboxes.interface import Phase, ServiceState
from sandboxes.protocol import AgentSpec
from sandboxes.services import SERVICES, Service
from sandboxes.services.base import Command, Place, ServiceFailed

log = logging.getLogger("sandboxes.agent")


class ServiceSide:
    """Starts the services in order and tells when one ended."""

    def __init__(
        self, spec: AgentSpec, processes: Processes, status: StatusBoard, open_log: Callable[[str], LineLog]
    ) -> None:
        self._spec = spec
        self._processes = processes
        self._status = status
        self._open_log = open_log
        self._socket_dir = spec.sockets
        self._services: dict[str, Service] = {}
        self._watched: dict[str, Child] = {}

    def lay_out(self) -> None:
        """Make the folders and look at the options. Raises StartAborted."""
        data = Path(self._spec.data_dir)
        (data / environment.SERVICES_TMP).mkdir(parents=True, exist_ok=True)
        data.chmod(0o700)  # an engine gives a mount the mode of the image's folder
        for name, options in self._spec.services.items():
            place = Place(
                run_dir=self._socket_dir,
                data_dir=data / name,
                cache_dir=Path(self._spec.cache_dir),
                code_dir=environment.CODE_DIR,
                services=self._spec.services,
            )
            try:
                service = self._services[name] = SERVICES[name](options, place)
            except (KeyError, ValueError) as error:
                raise StartAborted(str(error)) from error
            for socket in service.sockets:
                folder = (self._socket_dir / socket).parent
                if folder != self._socket_dir:
                    # The learner passes through to the socket, and can neither list nor change what is here.
                    folder.mkdir(parents=True, exist_ok=True)
                    folder.chmod(0o711)

    def environment(self) -> dict[str, str]:
        """The variables that tell the learner's code how to reach the services."""
        variables: dict[str, str] = {}
        for service in self._services.values():
            variables |= service.environment()
        return variables

    async def start_all(self) -> None:
        """Start one after the other. Raises StartAborted."""
        for name, service in self._services.items():
            self._status.step(Phase.STARTING_SERVICES, f"starting {name}")
            await self._start(name, service)

    async def _start(self, name: str, service: Service) -> None:
        started = time.monotonic()
        try:
            command = await asyncio.to_thread(service.prepare)
            child = self._start_child(name, command) if command else None
            await until_ready(name, child, service.probe, self._spec.service_seconds)
            self._open_sockets(service)
        except (ServiceFailed, OSError, StartAborted) as error:
            self._status.service(name, ServiceState.FAILED, str(error))
            raise StartAborted(f"The service {name} did not start: {error}") from error
        log.info("%s is ready after %.2f s", name, time.monotonic() - started)
        self._status.service(name, ServiceState.READY)

    def _start_child(self, name: str, command: Command) -> Child:
        self._watched[name] = child = self._processes.start(
            command.arguments,
            working_dir=command.working_dir,
            environment=environment.service_environment(self._spec) | dict(command.environment),
            log=self._open_log(name),
            account=command.account,
            stop_signal=command.stop_signal,
            death_signal=command.stop_signal,
        )
        return child

    def _open_sockets(self, service: Service) -> None:
        """The learner may be another user, who needs to write to a socket to connect; the folders above keep all others out."""
        for socket in service.sockets:
            with contextlib.suppress(PermissionError):  # not ours, so the service has seen to it
                (self._socket_dir / socket).chmod(0o777)

    def look_after(self) -> None:
        """A service that ended is reported; it may be the very thing a lab is about, so the sandbox goes on."""
        for name, child in self._watched.items():
            if not child.running and self._status.service_state(name) is ServiceState.READY:
                log.warning("%s ended with exit code %s", name, child.process.returncode)
                self._status.service(
                    name, ServiceState.FAILED, f"ended with exit code {child.process.returncode}"
                )
