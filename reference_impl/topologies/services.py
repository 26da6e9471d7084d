"""A process a service, with PostgreSQL, Redis and a broker: started together, watched, restarted, stopped together."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import httpx

from reference_impl.shared.settings import BusKind, Settings
from reference_impl.topologies import registry
from reference_impl.topologies.ground import Ground, Phase, PlatformState, ProcessState
from reference_impl.topologies.member import Member
from reference_impl.topologies.parts.base import Part, PartFailed
from reference_impl.topologies.parts.kafka import Kafka
from reference_impl.topologies.parts.postgres import Postgres
from reference_impl.topologies.parts.redis import Redis

NAME = "services"
ROOT = Path(__file__).resolve().parents[2]
PART_SECONDS = 90.0
READY_SECONDS = 120.0
DRAIN_SECONDS = 10.0
TICK_SECONDS = 0.2
TRIM_EVERY_SECONDS = 30.0

Say = Callable[[str], None]


class StartFailed(Exception):
    """The platform did not come up; the message says what failed and where to look."""


class Supervisor:
    """Owns every process of one platform, from `run` to the signal that ends it."""

    def __init__(self, settings: Settings, ground: Ground, say: Say) -> None:
        self._settings = settings
        self._ground = ground
        self._say = say
        self._stop = threading.Event()
        self._started = time.monotonic()
        self._started_at = datetime.now(UTC)
        self._seconds: float | None = None
        self._phase = Phase.STARTING
        self._parts = wanted_parts(settings, ground.data)
        self._part_restarts = dict.fromkeys((part.name for part in self._parts), 0)
        self._members: list[Member] = []

    def run(self, on_ready: Callable[[PlatformState], None]) -> None:
        """Start everything, watch it until SIGTERM or Ctrl-C, and stop it. Raises StartFailed; nothing is left running."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stop.set())
        try:
            self._tell()
            self._start_parts()
            self._start_services()
            if not self._stop.is_set():
                self._phase, self._seconds = Phase.READY, time.monotonic() - self._started
                on_ready(self._tell())
            self._watch()
        except PartFailed as error:
            raise StartFailed(str(error)) from error
        finally:
            self._end()

    def _start_parts(self) -> None:
        for part in self._parts:
            self._say(f"{part.name:<13} starting")
            part.start()
        for part in self._parts:
            part.wait(PART_SECONDS)
            self._say(f"{part.name:<13} ready     {part.detail}  ({self._elapsed:.1f} s)")
            self._tell()

    def _start_services(self) -> None:
        environment = self._environment()
        self._members = [
            Member(entry, self._settings, self._ground, environment) for entry in registry.entries()
        ]
        for member in self._members:
            member.start()
        self._say(f"{len(self._members)} services are starting: {', '.join(m.name for m in self._members)}")
        waiting = list(self._members)
        with httpx.Client(trust_env=False) as client:
            while waiting and not self._stop.wait(TICK_SECONDS / 2):
                for member in list(waiting):
                    member.look(client)
                    if member.phase is Phase.READY:
                        waiting.remove(member)
                        self._say(f"{member.name:<13} ready     {member.url}  ({self._elapsed:.1f} s)")
                        self._tell()
                    elif member.phase is not Phase.STARTING:
                        raise StartFailed(
                            f"{member.name} {member.detail.partition(';')[0]} before it was ready; its log is {member.log}."
                        )
                if waiting and self._elapsed > PART_SECONDS + READY_SECONDS:
                    names = ", ".join(member.name for member in waiting)
                    raise StartFailed(
                        f"Not ready after {self._elapsed:.0f} s: {names}; the logs are in {self._ground.logs}."
                    )

    def _watch(self) -> None:
        trimmed = time.monotonic()
        with httpx.Client(trust_env=False) as client:
            while not self._stop.wait(TICK_SECONDS):
                before = [member.state() for member in self._members]
                self._revive_parts()
                for member in self._members:
                    if self._ground.restart_asked(member.name):
                        member.restart()
                    member.look(client)
                for was, member in zip(before, self._members, strict=True):
                    if member.state() != was:
                        self._say(f"{member.name:<13} {member.phase:<9} {member.detail}")
                if [member.state() for member in self._members] != before:
                    self._tell()
                if time.monotonic() - trimmed > TRIM_EVERY_SECONDS:
                    self._ground.trim_logs()
                    trimmed = time.monotonic()

    def _revive_parts(self) -> None:
        """Start again what the services run on; they find it where it was, or are started anew when it moved."""
        for part in self._parts:
            if part.process is None or part.process.poll() is None:
                continue
            self._say(f"{part.name:<13} ended with exit code {part.process.returncode}; it is started again")
            self._part_restarts[part.name] += 1
            try:
                part.start()
                part.wait(PART_SECONDS)
            except PartFailed as error:
                self._say(f"{part.name:<13} {error}")
                self._stop.wait(1.0)
                continue
            environment = self._environment()
            for member in self._members:
                member.move(environment)
            self._tell()

    def _end(self) -> None:
        self._phase = Phase.STOPPING
        self._tell()
        self._stop.clear()  # from here on a second signal means: do not wait
        doors = [member for member in self._members if member.name == "gateway"]
        others = [member for member in self._members if member not in doors]
        _stop_all(doors)
        self._drain(others)
        _stop_all(others)
        for part in reversed(self._parts):
            part.stop()
        if self._members:
            self._say("Meridian has stopped.")

    def _drain(self, members: Sequence[Member]) -> None:
        """Let the services handle the events that are under way when the broker of our own would lose them."""
        if not any(isinstance(part, Kafka) for part in self._parts):
            return
        deadline = time.monotonic() + DRAIN_SECONDS
        with httpx.Client(trust_env=False) as client:
            while time.monotonic() < deadline and not self._stop.wait(TICK_SECONDS):
                ready = [member for member in members if member.phase is Phase.READY]
                if not sum(member.backlog(client) for member in ready):
                    return

    def _environment(self) -> dict[str, str]:
        """What each service is started with."""
        settings = {
            "MERIDIAN_DATA": str(self._ground.data),
            "MERIDIAN_BASE_PORT": str(self._settings.base_port),
            # Given servers are named by the variables that we have ourselves; ours are added.
            "MERIDIAN_BUS": BusKind.SNS_SQS if self._settings.bus is BusKind.SNS_SQS else BusKind.KAFKA,
        }
        for part in self._parts:
            settings.update(part.environment())
        path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH", ""))))
        return {**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1", **settings}

    def _tell(self) -> PlatformState:
        parts = [
            ProcessState(
                name=part.name,
                kind="part",
                phase=Phase.READY if part.answers() else Phase.STARTING,
                pid=part.process.pid if part.process else None,
                detail=part.detail if part.name == "postgres" else "",
                restarts=self._part_restarts[part.name],
            )
            for part in self._parts
        ]
        services = [member.state() for member in self._members]
        state = PlatformState(
            topology=NAME,
            pid=os.getpid(),
            phase=self._phase,
            url=registry.entries()[0].address(self._settings),
            started_at=self._started_at,
            seconds=self._seconds,
            processes=[*parts, *services],
        )
        self._ground.write(state)
        return state

    @property
    def _elapsed(self) -> float:
        return time.monotonic() - self._started


def wanted_parts(settings: Settings, data: Path) -> list[Part]:
    """The servers that the settings do not name, so that we start our own."""
    parts: list[Part] = []
    if not settings.database_url:
        parts.append(Postgres(data))
    if not settings.redis_url:
        parts.append(Redis(data))
    if not settings.kafka_bootstrap_servers and settings.bus is not BusKind.SNS_SQS:
        parts.append(Kafka(data))
    return parts


def ports(settings: Settings) -> Mapping[str, int]:
    """The port of each service."""
    return {entry.name: entry.port(settings) for entry in registry.entries()}


def _stop_all(members: Sequence[Member]) -> None:
    for member in members:
        member.ask_to_end()
    for member in members:
        member.end()
