"""The half of a sandbox that is the learner's: kernels, Jupyter, commands and files."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from socket import socket

from sandboxes.agent import environment, jupyter
from sandboxes.agent.kernels import KernelHost, write_kernelspec
from sandboxes.agent.logs import LineLog
from sandboxes.agent.processes import Child, Processes
from sandboxes.agent.quota import WorkspaceWatch
from sandboxes.agent.status import StatusBoard
from sandboxes.agent.waiting import until_ready
from sandboxes.interface import Limits, SandboxState
from sandboxes.protocol import AGENT_SOCKET, JUPYTER_SOCKET, AgentSpec

KERNEL_STOP_SECONDS = 1.0

log = logging.getLogger("sandboxes.agent")


class LearnerSide:
    """Runs the learner's code and answers the driver about it."""

    def __init__(
        self,
        spec: AgentSpec,
        processes: Processes,
        status: StatusBoard,
        open_log: Callable[[str], LineLog],
        sockets: Mapping[str, socket] | None = None,
    ) -> None:
        """`sockets` are those to answer on, by name, when somebody else has bound them."""
        self.spec = spec
        self.processes = processes
        self.status = status
        self.workspace = Path(spec.workspace)
        self.learner_environment: dict[str, str] = {}
        self.kernels: KernelHost
        self._open_log = open_log
        self._sockets = dict(sockets or {})
        self._socket_dir = spec.sockets
        self._jupyter: Child | None = None
        self._jupyter_missed = False
        self._watch = WorkspaceWatch(
            self.workspace,
            Limits(workspace_mb=spec.workspace_mb, workspace_files=spec.workspace_files),
            processes.of_learner,
            self._workspace_told,
        )

    def begin(self, services: Mapping[str, str]) -> None:
        """Start Jupyter, or a grader's first kernel; `services` are the variables of the services. Raises OSError."""
        folder = Path(self.spec.home) / ".jupyter"
        folder.mkdir(parents=True, exist_ok=True)
        write_kernelspec(folder)
        self.learner_environment = environment.learner_environment(self.spec, services, folder)
        self.kernels = KernelHost(
            self.processes,
            self.learner_environment,
            self.workspace,
            folder,
            kill_orphans=not self.spec.jupyter,
        )
        if self.spec.jupyter:
            self._start_jupyter(folder / "server")
        else:
            self.kernels.warm_up(self.spec.preload)

    def _start_jupyter(self, home: Path) -> None:
        bound = self._sockets.pop(JUPYTER_SOCKET, None)
        descriptor = bound.fileno() if bound else None
        variables = jupyter.variables(self._socket_dir, self.workspace, self.spec.web_path, home, descriptor)
        self._jupyter = self.processes.start(
            jupyter.command(),
            working_dir=self.workspace,
            environment=self.learner_environment | variables,
            log=self._open_log("jupyter"),
            pass_fds=() if descriptor is None else (descriptor,),
            of_learner=True,
        )
        if bound:
            bound.close()  # so that nobody waits for an answer when Jupyter has ended

    async def until_ready(self) -> None:
        """Return when Jupyter answers, or a grader's libraries are imported. Raises StartAborted."""
        if self._jupyter is not None:
            await until_ready(
                "Jupyter",
                self._jupyter,
                lambda: jupyter.probe(self._socket_dir, self.spec.web_path),
                self.spec.service_seconds,
            )
        elif self.spec.preload:
            await self.kernels.until_warm()

    @contextlib.asynccontextmanager
    async def answering(self) -> AsyncIterator[None]:
        """Answer the driver for as long as the context lasts."""
        from sandboxes.agent.server import serve  # aiohttp takes its time; the services start meanwhile

        async with serve(self, self._sockets.get(AGENT_SOCKET) or self._socket_dir / AGENT_SOCKET):
            watching = asyncio.create_task(self._watch.look_forever())
            try:
                yield
            finally:
                watching.cancel()

    def _workspace_told(self, complaint: str) -> None:
        if complaint:
            log.warning("%s", complaint)
        self.kernels.notice = complaint
        if self.status.state is SandboxState.READY:
            self.status.become(SandboxState.READY, complaint)

    def look_after(self) -> None:
        """Report a Jupyter that ended."""
        if self._jupyter is not None and not self._jupyter.running and not self._jupyter_missed:
            self._jupyter_missed = True
            log.error("Jupyter ended with exit code %s", self._jupyter.process.returncode)
            self.status.become(SandboxState.FAILED, "Jupyter ended: restart the lab, your files are kept.")

    async def close(self) -> None:
        """End the kernels."""
        if hasattr(self, "kernels"):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.kernels.close(), KERNEL_STOP_SECONDS)
