"""What a process is made of: services, each with its routes and its background work, started and stopped together."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fastapi import APIRouter

from reference_impl.shared import correlation, logs, metrics
from reference_impl.shared.bus import EventBus
from reference_impl.shared.cache import Cache
from reference_impl.shared.consumer import Consumer
from reference_impl.shared.database import Database
from reference_impl.shared.faults import Faults
from reference_impl.shared.health import HealthState, PartHealth
from reference_impl.shared.outbox import Relay
from reference_impl.shared.peers import Peers
from reference_impl.shared.settings import Settings

STOP_SECONDS = 3.0
QUIET_ROUNDS = 10_000
_log = logs.logger("meridian.runtime")


@dataclass(frozen=True)
class Context:
    """What a topology gives to each service that it builds."""

    settings: Settings
    bus: EventBus
    cache: Cache
    faults: Faults
    stopping: threading.Event
    """Set when the process ends: whoever waits or loops looks at it."""
    peers: Peers


@dataclass(frozen=True)
class Chore:
    """Work that comes back by the clock, such as ending what waits too long."""

    name: str
    every_seconds: float
    run: Callable[[], object]
    idle_seconds: float | None = None
    """While `run` returns 0, because there was nothing to do, the pause doubles up to this; None leaves it as it is."""

    def pause_after(self, pause: float, found: object) -> float:
        """The seconds until the next run, after one that found something or, if it returned 0, nothing."""
        if self.idle_seconds is None or found != 0:
            return self.every_seconds
        return min(2 * pause, self.idle_seconds)


@dataclass(frozen=True)
class Check:
    """Something besides its database that a service can't work without."""

    name: str
    run: Callable[[], object]
    """Raises when it is not there. It is asked at each look at the readiness, so it has to be quick."""


@dataclass(frozen=True)
class Service:
    """One service, ready to be put into a process."""

    name: str
    router: APIRouter
    database: Database | None = None
    relay: Relay | None = None
    consumer: Consumer | None = None
    chores: Sequence[Chore] = ()
    checks: Sequence[Check] = ()


class Runtime:
    """The background work of one process."""

    def __init__(self, services: Sequence[Service], bus: EventBus, stopping: threading.Event) -> None:
        self.services = services
        self._bus = bus
        self._stopping = stopping
        self._threads: dict[str, threading.Thread] = {}
        self._started = False
        self._leaving = False

    def start(self) -> None:
        """Start a thread for each relay, consumer and chore."""
        self._started = True
        for service in self.services:
            if service.relay is not None:
                self._start(service.name, "relay", service.relay.run)
            if service.consumer is not None:
                self._start(service.name, "consumer", service.consumer.run)
            for chore in service.chores:
                self._start(service.name, chore.name, self._repeating(service.name, chore))

    def leave(self) -> None:
        """Say from now on that the process is not ready, so that nobody sends it new work; what it has it still does."""
        self._leaving = True

    def stop(self) -> None:
        """End the background work between two pieces of it, relay what is left, and close what was open.

        Takes STOP_SECONDS at most, and one more publication of the bus. What is not done by then resumes after a restart.
        """
        self.leave()
        self._stopping.set()
        for service in self.services:
            if service.relay is not None:
                service.relay.wake()
        deadline = time.monotonic() + STOP_SECONDS
        for name, thread in self._threads.items():
            # Before the bus is closed: what is handled now can still be acknowledged.
            thread.join(max(0.0, deadline - time.monotonic()))
            if thread.is_alive():
                _log.warning("still busy at the end; it resumes after a restart", thread=name)
        self._drain()
        self._bus.close()
        for service in self.services:
            if service.database is not None:
                service.database.close()

    def _drain(self) -> None:
        """Bring to the bus what the last requests and events have written: others need not wait for our restart."""
        busy = {name for name, thread in self._threads.items() if thread.is_alive()}
        for service in self.services:
            if not self._started or service.relay is None or f"{service.name} relay" in busy:
                continue
            try:
                service.relay.run_once()
            except Exception as error:
                _log.warning("events stay in the outbox", service=service.name, reason=type(error).__name__)

    def settle(self) -> None:
        """Do all background work there is on the caller's thread, until none is left. Only for a runtime not started."""
        for _ in range(QUIET_ROUNDS):
            moved = sum(service.relay.run_once() for service in self.services if service.relay is not None)
            moved += sum(
                service.consumer.run_once() for service in self.services if service.consumer is not None
            )
            if not moved and not any(
                self._bus.lag(service.name) for service in self.services if service.consumer
            ):
                return
        raise RuntimeError(f"the services still had work after {QUIET_ROUNDS} rounds")

    def inspect(self) -> list[PartHealth]:
        """The health of every part."""
        return [self._inspect(service) for service in self.services]

    def _inspect(self, service: Service) -> PartHealth:
        backlog = 0
        failing = "database"
        try:
            if service.database is not None:
                service.database.ping()
            backlog += service.relay.backlog() if service.relay is not None else 0
            failing = "bus"
            backlog += self._bus.lag(service.name) if service.consumer is not None else 0
            for check in service.checks:
                failing = check.name
                check.run()
        except Exception as error:
            return PartHealth(
                name=service.name,
                state=HealthState.DOWN,
                detail=f"{failing}: {type(error).__name__}",
                backlog=backlog,
            )
        detail = self._not_working(service)
        state = HealthState.DOWN if detail else HealthState.UP
        return PartHealth(name=service.name, state=state, detail=detail, backlog=backlog)

    def _not_working(self, service: Service) -> str:
        """Why the background work of a service is not being done; empty when it is."""
        if not self._started:
            return "not started"
        if self._leaving:
            return "stopping"
        dead = [
            name
            for name, thread in self._threads.items()
            if name.startswith(f"{service.name} ") and not thread.is_alive()
        ]
        if dead:
            return f"not running: {', '.join(dead)}"
        if service.relay is not None and not service.relay.healthy:
            return "the bus takes no events"
        return ""

    def _start(self, service: str, work: str, run: Callable[[threading.Event], None]) -> None:
        def work_for_it() -> None:
            correlation.work_for(service)
            run(self._stopping)

        thread = threading.Thread(target=work_for_it, name=f"{service} {work}", daemon=True)
        self._threads[thread.name] = thread
        thread.start()

    def _repeating(self, service: str, chore: Chore) -> Callable[[threading.Event], None]:
        def run(stop: threading.Event) -> None:
            pause = chore.every_seconds
            while not stop.wait(pause):
                try:
                    pause = chore.pause_after(pause, chore.run())
                except Exception:
                    metrics.CHORE_FAILURES.labels(service, chore.name).inc()
                    _log.exception("chore failed", chore=chore.name)

        return run
