"""An agent's life: bring its half of the sandbox up (or both halves), look after it, and take everything down with it.

    WholeAgent     one user: services, Jupyter, kernels and the socket all in one process
    KeeperAgent    starts and owns the services, and speaks for the whole sandbox in `status.json` and `log/`
    LearnerAgent   runs the learner's code as the learner's user; comes to the keeper, and the sandbox ends with it

The last two are one sandbox, see `sandboxes.agent.bond`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import time
from abc import ABC, abstractmethod
from pathlib import Path
from socket import socket
from typing import Any

from sandboxes.agent.bond import Entrance, FarLog, FarStatus, NewsLine, Orders, listen, read_news
from sandboxes.agent.learner_side import LearnerSide
from sandboxes.agent.logs import BoundedLog, LineLog
from sandboxes.agent.processes import Processes
from sandboxes.agent.service_side import ServiceSide
from sandboxes.agent.status import StatusBoard
from sandboxes.agent.waiting import StartAborted
from sandboxes.interface import Phase, SandboxState
from sandboxes.protocol import (
    AGENT_SOCKET,
    JOIN_SOCKET,
    JUPYTER_SOCKET,
    LOG_FOLDER,
    STATUS_FILE,
    AgentSpec,
)

WATCH_SECONDS = 0.5
STOP_SECONDS = 3.5
JOIN_SECONDS = 30.0
LEARNER_LOGS = ("learner", "jupyter")
"""The names of the logs that the learner's agent may write."""
LEARNER_GONE = "Everything of yours in the sandbox was ended from inside. Restart the lab: your files are kept."


class _LogHandler(logging.Handler):
    def __init__(self, log: LineLog) -> None:
        super().__init__()
        self._log = log
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self._log.line(self.format(record))


class Agent(ABC):
    """What every agent does: live until told to stop or until its life fails, and leave nothing running."""

    log_name = "agent"

    def __init__(self, spec: AgentSpec) -> None:
        self.spec = spec
        self.run_dir = Path(spec.run_dir)
        self.secrets = tuple(part for part in spec.web_path.split("/") if len(part) >= 16)
        self.processes = Processes()
        self.status: StatusBoard
        self.log = logging.getLogger("sandboxes.agent")

    @abstractmethod
    async def _begin(self) -> None:
        """Make the status board and what the log needs."""

    @abstractmethod
    async def _live(self) -> None:
        """Come up and look after everything. Raises StartAborted."""

    @abstractmethod
    def open_log(self, name: str) -> LineLog:
        """The log of that name."""

    @abstractmethod
    async def _end(self) -> None:
        """Free what is no process of `processes`."""

    async def run(self) -> int:
        """Live until told to stop; the exit code."""
        stopping = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stopping.set)
        await self._begin()
        self._write_log()
        stop = asyncio.create_task(stopping.wait())
        life = asyncio.create_task(self._live())
        reaping = asyncio.create_task(self.processes.reap_forever())
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
            for task in (stop, life, reaping):
                task.cancel()
            await asyncio.gather(stop, life, reaping, return_exceptions=True)
            await self._end()
            await self.processes.stop_all(STOP_SECONDS)
            self.log.info("stopped (%d)", os.getpid())
            # Last, when all that the children had to say is in the logs: the driver reads them at once.
            self.status.become(SandboxState.FAILED if failure else SandboxState.STOPPED, failure)
        return 1 if failure else 0

    def _write_log(self) -> None:
        root = logging.getLogger()
        root.addHandler(_LogHandler(self.open_log(self.log_name)))
        root.setLevel(logging.WARNING)
        self.log.setLevel(logging.INFO)


class _Speaker(Agent):
    """An agent that speaks for the sandbox where the driver reads it."""

    async def _begin(self) -> None:
        self.status = StatusBoard(self.run_dir / STATUS_FILE, list(self.spec.services))
        self.services = ServiceSide(self.spec, self.processes, self.status, self.open_log)

    def open_log(self, name: str) -> LineLog:
        return BoundedLog(self.run_dir / LOG_FOLDER / f"{name}.log", self.secrets)

    def _ready(self, started: float) -> None:
        self.status.step(Phase.READY, "ready")
        self.status.become(SandboxState.READY)
        self.log.info("ready after %.2f s", time.monotonic() - started)


class WholeAgent(_Speaker):
    """One agent for everything, as one user."""

    async def _begin(self) -> None:
        await super()._begin()
        self.learner = LearnerSide(self.spec, self.processes, self.status, self.open_log)

    async def _live(self) -> None:
        started = time.monotonic()
        self.services.lay_out()
        self.learner.begin(self.services.environment())
        await self.services.start_all()
        if self.spec.jupyter:
            self.status.step(Phase.STARTING_JUPYTER, "starting Jupyter")
        await self.learner.until_ready()
        async with self.learner.answering():
            self._ready(started)
            while True:
                await asyncio.sleep(WATCH_SECONDS)
                self.services.look_after()
                self.learner.look_after()

    async def _end(self) -> None:
        await self.learner.close()


class KeeperAgent(_Speaker):
    """Owns the services, and ends the sandbox when the learner's agent has ended."""

    def __init__(self, spec: AgentSpec, learner_uid: int) -> None:
        super().__init__(spec)
        self._learner_uid = learner_uid
        self._learner_ready = asyncio.Event()
        self._up = False
        self._learner_said = ""
        self._logs: dict[str, LineLog] = {}

    async def _live(self) -> None:
        entrance = Entrance(self.spec.sockets / JOIN_SOCKET, self._learner_uid)
        self.services.lay_out()
        tasks = {asyncio.create_task(self._attend(entrance)), asyncio.create_task(self._work())}
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _work(self) -> None:
        started = time.monotonic()
        await self.services.start_all()
        if self.spec.jupyter:
            self.status.step(Phase.STARTING_JUPYTER, "starting Jupyter")
        await self._learner_ready.wait()
        self._ready(started)
        self._up = True
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            self.services.look_after()

    async def _end(self) -> None:
        """There is nothing but processes."""

    async def _attend(self, entrance: Entrance) -> None:
        """Let the learner's agent in and take its news until it has ended."""
        sockets: dict[str, socket] = {AGENT_SOCKET: listen(self.spec.sockets / AGENT_SOCKET)}
        if self.spec.jupyter:
            sockets[JUPYTER_SOCKET] = listen(self.spec.sockets / JUPYTER_SOCKET)
        try:
            news = await asyncio.wait_for(
                entrance.admit(Orders(self.spec, self.services.environment()), sockets), JOIN_SECONDS
            )
        except TimeoutError as error:
            raise StartAborted("The learner's half of the sandbox did not start.") from error
        with contextlib.suppress(
            OSError, ValueError
        ):  # a line too long to be news: whatever sent it is not ours any more
            while line := await news.readline():
                self._take(read_news(line))
        raise StartAborted(self._learner_said or LEARNER_GONE)

    def _take(self, news: dict[str, Any]) -> None:
        if news.get("log") in LEARNER_LOGS:
            name = str(news["log"])
            if name not in self._logs:
                self._logs[name] = self.open_log(name)
            self._logs[name].line(str(news.get("line", "")))
        detail = str(news.get("detail", ""))
        match news.get("state"):
            case SandboxState.READY:
                self._learner_ready.set()
                if self._up and self.status.state is SandboxState.READY:
                    self.status.become(SandboxState.READY, detail)
            case SandboxState.FAILED:
                self._learner_said = detail
                if self._up:
                    self.status.become(SandboxState.FAILED, detail)


class LearnerAgent(Agent):
    """Runs as the learner's user."""

    log_name = "learner"

    def __init__(self, orders: Orders, sockets: dict[str, socket], connection: socket) -> None:
        super().__init__(orders.spec)
        self._services = orders.services
        self._sockets = sockets
        self._connection = connection

    async def _begin(self) -> None:
        self._news = await NewsLine.open(self._connection)
        self.status = FarStatus(self._news)
        self.learner = LearnerSide(self.spec, self.processes, self.status, self.open_log, self._sockets)

    async def _live(self) -> None:
        started = time.monotonic()
        self.learner.begin(self._services)
        await self.learner.until_ready()
        async with self.learner.answering():
            self.status.become(SandboxState.READY)
            self.log.info("ready after %.2f s", time.monotonic() - started)
            while True:
                await asyncio.sleep(WATCH_SECONDS)
                self.learner.look_after()

    def open_log(self, name: str) -> LineLog:
        return FarLog(self._news, name, self.secrets)

    async def _end(self) -> None:
        await self.learner.close()

    async def run(self) -> int:
        code = await super().run()
        await self._news.close()  # only now: the last word has gone
        return code
