"""Waiting for a sandbox to get ready, telling whoever waits what it is busy with."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

from sandboxes.drivers.handle import AgentSandbox, parse_status
from sandboxes.drivers.run_dir import RunDirectory
from sandboxes.interface import Phase, Progress, ProgressListener, SandboxSpec, SandboxState, StartFailed
from sandboxes.protocol import AGENT_SOCKET, JUPYTER_SOCKET
from sandboxes.services import SERVICES, check_services

LOOK_SECONDS = 0.02
ALIVE_SECONDS = 0.25
"""How often it is asked whether the sandbox still runs: an engine's answer costs more than a look at the agent's status."""
LOG_LINES = 60


class Reporter:
    """Tells the listener each step with the time since the start."""

    def __init__(self, listener: ProgressListener) -> None:
        self._listener = listener
        self._started = time.monotonic()
        self._told = 0

    def tell(self, phase: Phase, detail: str) -> None:
        self._listener(Progress(phase, detail, time.monotonic() - self._started))

    def tell_new_steps(self, document: dict[str, Any] | None) -> None:
        """Tell the agent's steps that were not told yet."""
        steps = (document or {}).get("steps")
        if not isinstance(steps, list):
            return
        for step in steps[self._told : 50]:
            self._told += 1
            try:
                self.tell(Phase(step["phase"]), str(step["detail"])[:200])
            except (KeyError, TypeError, ValueError):
                continue


def check_spec(spec: SandboxSpec) -> None:
    """Raise StartFailed for a spec that no driver can fulfil."""
    try:
        check_services(spec.services)
    except ValueError as error:
        raise StartFailed(f"The lab can't start: {error}.", phase=Phase.CREATING, detail=str(error)) from error


def socket_names(services: Iterable[str], *, jupyter: bool) -> list[str]:
    """The sockets of a sandbox that those outside use, relative to the folder they are in."""
    names = [AGENT_SOCKET, *(socket for name in services for socket in SERVICES[name].sockets)]
    return [*names, JUPYTER_SOCKET] if jupyter else names


def wait_until_ready(
    sandbox: AgentSandbox,
    spec: SandboxSpec,
    run_dir: RunDirectory,
    reporter: Reporter,
    log: Callable[[], str],
    open_doors: Callable[[], None] | None = None,
) -> None:
    """Return when the sandbox is READY, its doors and its route open. Raises StartFailed; cleaning up is the caller's.

    `open_doors` raises OSError; without it the doors are links to the sockets.
    """
    deadline = time.monotonic() + spec.start_seconds
    ask_at = time.monotonic()
    while True:
        # Alive first: a status read afterwards is the last word of an agent that ended.
        asked = time.monotonic() >= ask_at
        alive = sandbox.alive() if asked else True
        if asked:
            ask_at = time.monotonic() + ALIVE_SECONDS
        document = run_dir.status(spec.sandbox_id)
        reporter.tell_new_steps(document)
        status = parse_status(document)
        if status.state is SandboxState.READY and not asked:
            ask_at = 0.0
            continue
        if status.state is SandboxState.READY and alive:
            break
        if status.state is SandboxState.FAILED or not alive:
            reason = status.detail or "The sandbox ended while it started."
            raise StartFailed(reason, phase=status.phase, detail=reason, log=log())
        if time.monotonic() > deadline:
            reason = f"The sandbox was not ready after {spec.start_seconds:g} s; it was {status.phase.value}."
            raise StartFailed(reason, phase=status.phase, detail=reason, log=log())
        time.sleep(LOOK_SECONDS)
    try:
        if open_doors is not None:
            open_doors()
        else:
            run_dir.open_doors(spec.sandbox_id, socket_names(spec.services, jupyter=spec.jupyter))
    except OSError as error:
        raise StartFailed(
            "The sandbox started without all of its sockets.", phase=Phase.READY, detail=str(error), log=log()
        ) from error
    if spec.jupyter and not spec.blank:
        run_dir.open_route(spec.sandbox_id, spec.access_token)
