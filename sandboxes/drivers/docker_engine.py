"""The few things we ask of a container engine."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

import docker
import requests
from docker.utils import kwargs_from_env

from sandboxes.drivers.attach import plain_socket
from sandboxes.interface import DriverUnavailable

ENGINE_SECONDS = 60
REMOVE_SECONDS = 30.0
ENGINE_ERRORS = (docker.errors.DockerException, requests.RequestException)


class Engine:
    """One client per thread, as the library wants it."""

    def __init__(self) -> None:
        self._threads = threading.local()

    @property
    def client(self) -> docker.APIClient:
        if not hasattr(self._threads, "client"):
            self._threads.client = docker.APIClient(timeout=ENGINE_SECONDS, **kwargs_from_env())
        client: docker.APIClient = self._threads.client
        return client

    def state(self, sandbox_id: str) -> Mapping[str, Any]:
        """The engine's words on a container; empty when there is none, or no engine.

        An engine that is there and does not answer in time says nothing against the container: it counts as running.
        """
        try:
            state: Mapping[str, Any] = self.client.inspect_container(container_name(sandbox_id))["State"]
            return state
        except requests.ReadTimeout:
            return {"Running": True}
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

    def run_inside(self, sandbox_id: str, command: Sequence[str], user: str, working_dir: str) -> None:
        """Start a process in a running container and leave it to itself. Raises the engine's errors."""
        made = self.client.exec_create(
            container_name(sandbox_id),
            list(command),
            user=user,
            workdir=working_dir,
            stdout=False,
            stderr=False,
        )
        self.client.exec_start(made["Id"], detach=True)

    def attach(self, sandbox_id: str, command: Sequence[str], user: str) -> socket.socket:
        """Start a process in a running container; a socket to its input and output, in the engine's framing. Raises OSError."""
        try:
            made = self.client.exec_create(
                container_name(sandbox_id),
                list(command),
                user=user,
                workdir="/",
                stdin=True,
                stdout=True,
                stderr=False,
            )
            return plain_socket(self.client.exec_start(made["Id"], socket=True))
        except ENGINE_ERRORS as error:
            raise OSError(f"the engine did not start it: {str(error)[:500]}") from error


def container_name(sandbox_id: str) -> str:
    return f"sandbox-{sandbox_id}"


def unavailable(error: Exception) -> DriverUnavailable:
    """The error for an engine that does not answer."""
    return DriverUnavailable(
        "No Docker engine answers: install or start Docker, or let the portal use the local driver.",
        detail=str(error)[:2000],
    )
