"""The agent's life: start the services in order, then Jupyter, serve, and take everything down with it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from sandboxes.agent import environment, jupyter
from sandboxes.agent.kernels import KernelHost, write_kernelspec
from sandboxes.agent.logs import BoundedLog
from sandboxes.agent.processes import Child, Processes
from sandboxes.agent.status import StatusBoard
from sandboxes.interface import Phase, SandboxState, ServiceState
from sandboxes.protocol import AGENT_SOCKET, LOG_FOLDER, STATUS_FILE, AgentSpec
from sandboxes.services import SERVICES, Service
from sandboxes.services.base import NotReady, Place, ServiceFailed

PROBE_SECONDS = 0.03
WATCH_SECONDS = 0.5
STOP_SECONDS = 3.5
KERNEL_STOP_SECONDS = 1.0


class StartAborted(Exception):
    """The sandbox can't get ready; the text says why."""


class _LogHandler(logging.Handler):
    def __init__(self, log: BoundedLog) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        self._log.line(self.format(record))


class Agent:
    """Everything that one sandbox is, from inside."""

    def __init__(self, spec: AgentSpec) -> None:
        self.spec = spec
        self.run_dir = Path(spec.run_dir)
        self.workspace = Path(spec.workspace)
        self.secrets = tuple(part for part in spec.web_path.split("/") if len(part) >= 16)
        self.status = StatusBoard(self.run_dir / STATUS_FILE, list(spec.services))
        self.processes = Processes()
        self.jupyter_dir = Path(spec.home) / ".jupyter"
        self.services: dict[str, Service] = {}
        self.watched: dict[str, Child] = {}
        self.jupyter: Child | None = None
        self._jupyter_missed = False
        self.log = logging.getLogger("sandboxes.agent")
        self.kernels: KernelHost
        self.learner_environment: dict[str, str] = {}

    async def run(self) -> int:
        """Live until told to stop; the exit code."""
        self._open_log()
        stopping = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stopping.set)
        stop = asyncio.create_task(stopping.wait())
        life = asyncio.create_task(self._live())
        background = [asyncio.create_task(self.processes.reap_forever())]
        failure = ""
        try:
            await asyncio.wait({stop, life}, return_when=asyncio.FIRST_COMPLETED)
            if life.done():
                life.result()
        except StartAborted as error:
            self.log.error("%s", error)
            failure = str(error)
        except Exception as error:
            self.log.exception("the agent failed")
            failure = f"The agent failed: {error!r}"
        finally:
            for task in (stop, life, *background):
                task.cancel()
            await asyncio.gather(stop, life, *background, return_exceptions=True)
            await self._shut_down()
            # Last, when all that the children had to say is in the logs: the driver reads them at once.
            self.status.become(SandboxState.FAILED if failure else SandboxState.STOPPED, failure)
        return 1 if failure else 0

    async def _live(self) -> None:
        from sandboxes.agent.server import serve  # aiohttp takes its time; the services start meanwhile

        started = time.monotonic()
        self._lay_out()
        if self.spec.jupyter:
            self._start_jupyter()
        else:
            self.kernels.warm_up(self.spec.preload)
        for name, service in self.services.items():
            self.status.step(Phase.STARTING_SERVICES, f"starting {name}")
            await self._start_service(name, service)
        if self.spec.jupyter:
            self.status.step(Phase.STARTING_JUPYTER, "starting Jupyter")
            assert self.jupyter is not None
            await self._until_ready(
                "Jupyter", self.jupyter, lambda: jupyter.probe(self.run_dir, self.spec.web_path)
            )
        if self.spec.preload:
            # A grader that is ready has its libraries imported: nobody's submission waits for that.
            await self.kernels.until_warm()
        async with serve(self, self.run_dir / AGENT_SOCKET):
            self.status.step(Phase.READY, "ready")
            self.status.become(SandboxState.READY)
            self.log.info("ready after %.2f s", time.monotonic() - started)
            while True:
                await asyncio.sleep(WATCH_SECONDS)
                self._look_after_services()

    def _open_log(self) -> None:
        log = BoundedLog(self.run_dir / LOG_FOLDER / "agent.log", self.secrets)
        handler = _LogHandler(log)
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        root = logging.getLogger()
        root.addHandler(handler)
        root.setLevel(logging.WARNING)
        self.log.setLevel(logging.INFO)

    def _lay_out(self) -> None:
        for folder in (Path(self.spec.home), Path(self.spec.data_dir), self.jupyter_dir):
            folder.mkdir(parents=True, exist_ok=True)
        write_kernelspec(self.jupyter_dir)
        for name, options in self.spec.services.items():
            place = Place(
                run_dir=self.run_dir,
                data_dir=Path(self.spec.data_dir) / name,
                cache_dir=Path(self.spec.cache_dir),
                code_dir=environment.CODE_DIR,
            )
            try:
                self.services[name] = SERVICES[name](options, place)
            except (KeyError, ValueError) as error:
                raise StartAborted(str(error)) from error
        self.learner_environment = environment.learner_environment(
            self.spec, list(self.services.values()), self.jupyter_dir
        )
        self.kernels = KernelHost(
            self.processes,
            self.learner_environment,
            self.workspace,
            self.jupyter_dir,
            kill_orphans=not self.spec.jupyter,
        )

    def _start_jupyter(self) -> None:
        variables = jupyter.variables(
            self.run_dir, self.workspace, self.spec.web_path, self.jupyter_dir / "server"
        )
        self.jupyter = self.processes.start(
            jupyter.command(),
            working_dir=self.workspace,
            environment=self.learner_environment | variables,
            log=self._service_log("jupyter"),
        )

    def _service_log(self, name: str) -> BoundedLog:
        return BoundedLog(self.run_dir / LOG_FOLDER / f"{name}.log", self.secrets)

    async def _start_service(self, name: str, service: Service) -> None:
        started = time.monotonic()
        try:
            command = await asyncio.to_thread(service.prepare)
            child = self.processes.start(
                command.arguments,
                working_dir=command.working_dir,
                environment=environment.base_environment(self.spec) | dict(command.environment),
                log=self._service_log(name),
                account=command.account,
                stop_signal=command.stop_signal,
                death_signal=command.stop_signal,
            )
            self.watched[name] = child
            await self._until_ready(name, child, service.probe)
        except (ServiceFailed, OSError, StartAborted) as error:
            self.status.service(name, ServiceState.FAILED, str(error))
            raise StartAborted(f"The service {name} did not start: {error}") from error
        self.log.info("%s is ready after %.2f s", name, time.monotonic() - started)
        self.status.service(name, ServiceState.READY)

    async def _until_ready(self, name: str, child: Child, probe: Callable[[], None]) -> None:
        deadline = time.monotonic() + self.spec.service_seconds
        while True:
            try:
                return await asyncio.to_thread(probe)
            except NotReady as error:
                if not child.running:
                    raise StartAborted(f"{name} ended with exit code {child.process.returncode}.") from error
                if time.monotonic() > deadline:
                    raise StartAborted(
                        f"{name} was not ready after {self.spec.service_seconds:g} s: {error}"
                    ) from error
            await asyncio.sleep(PROBE_SECONDS)

    def _look_after_services(self) -> None:
        """A service that ended is reported; it may be the very thing a lab is about, so the sandbox goes on."""
        for name, child in self.watched.items():
            if not child.running and self.status.service_state(name) is ServiceState.READY:
                self.log.warning("%s ended with exit code %s", name, child.process.returncode)
                self.status.service(
                    name, ServiceState.FAILED, f"ended with exit code {child.process.returncode}"
                )
        if self.jupyter is not None and not self.jupyter.running and not self._jupyter_missed:
            self._jupyter_missed = True
            self.log.error("Jupyter ended with exit code %s", self.jupyter.process.returncode)
            self.status.become(SandboxState.FAILED, "Jupyter ended: restart the lab, your files are kept.")

    async def _shut_down(self) -> None:
        if hasattr(self, "kernels"):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.kernels.close(), KERNEL_STOP_SECONDS)
        await self.processes.stop_all(STOP_SECONDS)
        self.log.info("stopped (%d)", os.getpid())
