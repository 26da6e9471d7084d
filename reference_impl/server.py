"""Serving one process, all services or one: in the foreground, until SIGTERM or Ctrl-C, on a port or a Unix socket."""

from __future__ import annotations

import asyncio
import errno
import signal
import socket as sockets
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from reference_impl.shared import logs, tracing
from reference_impl.shared.runtime import Runtime
from reference_impl.shared.settings import Settings
from reference_impl.topologies import monolith, single

TICK_SECONDS = 0.05
KEEP_SECONDS = 15
"""How long a connection without requests is kept: longer than who asks keeps it (wire.py), or a request would meet its end."""
LONGEST_SOCKET_PATH = 100


class CannotServe(Exception):
    """The address can't be used; the message says why and what to do."""


@dataclass(frozen=True)
class Address:
    """Where to serve: a port of this machine, or a Unix socket."""

    port: int = 8080
    uds: Path | None = None
    host: str = "127.0.0.1"

    @property
    def text(self) -> str:
        """The address as one writes it."""
        return f"unix:{self.uds}" if self.uds else f"http://{self.host}:{self.port}"


@dataclass(frozen=True)
class _Process:
    """What is served, and whom to tell when it ends."""

    app: FastAPI
    runtime: Runtime
    on_exit: Callable[[], None] = lambda: None


class _Server(uvicorn.Server):
    """Says when it is ready, and ends with exit code 0 on SIGTERM: first it is not ready, then it takes no more
    requests and finishes those it has, then the background work ends."""

    def __init__(
        self, config: uvicorn.Config, process: _Process, drain_seconds: float, on_ready: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._process = process
        self._drain_seconds = drain_seconds
        self._on_ready = on_ready

    async def startup(self, sockets: list[sockets.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started:
            self._on_ready()

    async def shutdown(self, sockets: list[sockets.socket] | None = None) -> None:
        self._process.runtime.leave()
        deadline = time.monotonic() + self._drain_seconds
        while not self.force_exit and time.monotonic() < deadline:
            await asyncio.sleep(TICK_SECONDS)
        self._process.on_exit()
        await super().shutdown(sockets=sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        # uvicorn raises the signal once more after a clean shutdown, so that the exit code would tell of a kill.
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def serve_monolith(settings: Settings, address: Address, on_ready: Callable[[float], None]) -> None:
    """Serve every service until told to stop; `on_ready` gets the seconds that the start took. Raises CannotServe."""

    def build() -> _Process:
        built = monolith.build(settings)
        return _Process(built.app, built.runtime, built.feed.stop)

    _serve(monolith.NAME, build, settings, address, on_ready)


def serve_service(name: str, settings: Settings, address: Address, on_ready: Callable[[float], None]) -> None:
    """Serve one service likewise. Raises CannotServe, and KeyError for an unknown one."""

    def build() -> _Process:
        built = single.build(settings, name)
        return _Process(built.app, built.runtime)

    _serve(name, build, settings, address, on_ready)


def _serve(
    name: str,
    build: Callable[[], _Process],
    settings: Settings,
    address: Address,
    on_ready: Callable[[float], None],
) -> None:
    started = time.perf_counter()
    logs.configure(settings.log_level, name)
    check_free(address)
    tracing.configure(settings, name)
    process = build()
    config = uvicorn.Config(
        process.app,
        host=address.host,
        port=address.port,
        uds=str(address.uds) if address.uds else None,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=settings.grace_seconds,
        timeout_keep_alive=KEEP_SECONDS,
        limit_concurrency=512,
        backlog=256,
    )
    server = _Server(config, process, settings.drain_seconds, lambda: on_ready(time.perf_counter() - started))
    try:
        server.run()
    finally:
        tracing.shutdown()
        if address.uds is not None:
            address.uds.unlink(missing_ok=True)


def check_free(address: Address) -> None:
    """Raise CannotServe when something else serves there, or nothing can."""
    if address.uds is not None:
        if len(str(address.uds)) > LONGEST_SOCKET_PATH:
            raise CannotServe(
                f"The socket's path is longer than {LONGEST_SOCKET_PATH} characters; choose a shorter one."
            )
        address.uds.parent.mkdir(parents=True, exist_ok=True)
        with sockets.socket(sockets.AF_UNIX) as probe, suppress(FileNotFoundError, ConnectionRefusedError):
            probe.settimeout(1)
            probe.connect(str(address.uds))
            raise CannotServe(f"Something serves at {address.uds} already; stop it or choose another --uds.")
        return
    check_ports(address.host, {"it": address.port})


def check_ports(host: str, ports: Mapping[str, int]) -> None:
    """Raise CannotServe, naming all of them, when some of these ports can't be opened."""
    taken = []
    for name, port in ports.items():
        with sockets.socket() as probe:
            probe.setsockopt(sockets.SOL_SOCKET, sockets.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise CannotServe(f"Port {port} can't be used: {error.strerror}.") from error
                taken.append(f"{port}" if len(ports) == 1 else f"{port} ({name})")
    if taken:
        one = len(taken) == 1
        raise CannotServe(
            f"Port{'' if one else 's'} {', '.join(taken)} {'is' if one else 'are'} taken; choose another with --port."
        )
