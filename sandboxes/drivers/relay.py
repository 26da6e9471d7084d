"""The outside's end of the tunnel: real Unix sockets here, whose connections become streams to the sockets inside a container.

One `Relay` per sandbox, all in one event loop in a thread of the driver's process. What comes from inside was perhaps written
by the learner: see `sandboxes.multiplex` for how little it can do.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
import socket
import threading
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sandboxes.multiplex import CHUNK, MAX_STREAMS, Multiplexer, ProtocolError

log = logging.getLogger("sandboxes.tunnel")

LOCK_FILE = "relay.lock"
READY_SECONDS = 20.0
"""For the end inside to start, on a busy machine."""
HOLD_SECONDS = 10.0
"""How long a new connection waits while the tunnel is being made again."""
RETRY_SECONDS = 0.2
MOST_RETRY_SECONDS = 30.0
STEADY_SECONDS = 30.0
"""A connection that held this long: the next fault is a new one."""
CALL_SECONDS = 40.0


@dataclass(frozen=True)
class Tunnel:
    """How to reach the inside of one container. Both calls block."""

    attach: Callable[[], socket.socket]
    """Start the end inside; a plain socket to its standard input and output. Raises OSError."""
    alive: Callable[[], bool]
    """Whether its container runs."""
    decode: Callable[[asyncio.StreamReader], Callable[[], Awaitable[bytes]]]
    """What reads the inside's bytes from what the engine sends."""


class Relay:
    """The doors of one sandbox: one listening socket for each name. Lives in an event loop."""

    def __init__(self, folder: Path, names: Sequence[str], tunnel: Tunnel) -> None:
        self._folder = folder
        self._names = names
        self._tunnel = tunnel
        self._multiplexer: Multiplexer | None = None
        self._up = asyncio.Event()
        self._why = "its end inside did not answer"
        self._lock = -1
        self._servers: list[asyncio.AbstractServer] = []
        self._carrying: set[asyncio.Task[None]] = set()
        self._life: asyncio.Task[None] | None = None

    @property
    def running(self) -> bool:
        return self._life is not None and not self._life.done()

    async def start(self) -> None:
        """Listen, and begin to make the tunnel. Raises OSError, also when another process keeps these doors."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = os.open(self._folder / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for name in self._names:
                path = self._folder / name
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                server = await asyncio.start_unix_server(
                    partial(self._accept, name), path, limit=CHUNK, backlog=2 * MAX_STREAMS
                )
                self._servers.append(server)
        except BaseException:
            self._close_doors()
            raise
        self._life = asyncio.create_task(self._live())

    async def ready(self) -> None:
        """Return when the tunnel is there. Raises OSError."""
        assert self._life is not None
        up = asyncio.create_task(self._up.wait())
        await asyncio.wait({up, self._life}, timeout=READY_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        up.cancel()
        if not self._up.is_set():
            raise OSError(f"the tunnel into the sandbox could not be made: {self._why}")

    async def close(self) -> None:
        """End every connection and close the doors."""
        if self._life is not None:
            self._life.cancel()
            await asyncio.gather(self._life, return_exceptions=True)
        self._close_doors()

    def _close_doors(self) -> None:
        for server in self._servers:
            server.close()
        for task in self._carrying:
            task.cancel()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    async def _live(self) -> None:
        """Keep a tunnel for as long as the container runs."""
        pause = RETRY_SECONDS
        now = asyncio.get_running_loop().time
        try:
            while True:
                began = now()
                try:
                    await self._connect()
                except (OSError, ProtocolError) as error:
                    self._why = str(error) or type(error).__name__
                else:
                    self._why = "its end inside ended"
                if not await asyncio.to_thread(self._tunnel.alive):
                    return
                pause = RETRY_SECONDS if now() - began > STEADY_SECONDS else min(2 * pause, MOST_RETRY_SECONDS)
                log.warning(
                    "the tunnel of sandbox %s ended (%s): again in %.1f s", self._folder.name, self._why, pause
                )
                await asyncio.sleep(pause)
        except Exception:
            log.exception("the relay of sandbox %s failed", self._folder.name)
        finally:
            self._close_doors()

    async def _connect(self) -> None:
        """Make the tunnel and use it until it ends. Raises OSError, ProtocolError."""
        plain = await asyncio.to_thread(self._tunnel.attach)
        reader, writer = await asyncio.open_connection(sock=plain, limit=CHUNK)
        multiplexer = Multiplexer(self._tunnel.decode(reader), writer)
        reading = asyncio.create_task(multiplexer.run())
        try:
            await multiplexer.greet()
            greeted = asyncio.create_task(multiplexer.greeted.wait())
            await asyncio.wait({greeted, reading}, timeout=READY_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            greeted.cancel()
            if not multiplexer.greeted.is_set() and not reading.done():
                raise OSError("its end inside did not answer")
            if not reading.done():
                self._multiplexer = multiplexer
                self._up.set()
            await reading
        finally:
            self._up.clear()
            self._multiplexer = None
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
            writer.transport.abort()

    async def _accept(self, name: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        try:
            if len(self._carrying) >= MAX_STREAMS:
                return
            self._carrying.add(task)
            async with asyncio.timeout(HOLD_SECONDS):
                await self._up.wait()
            multiplexer = self._multiplexer
            stream = await multiplexer.open(name) if multiplexer is not None else None
            if multiplexer is not None and stream is not None:
                await multiplexer.carry(stream, reader, writer)
        except (OSError, asyncio.CancelledError):
            pass  # whoever connected sees the connection end
        finally:
            self._carrying.discard(task)
            writer.transport.abort()


class Relays:
    """The relays of one driver, and the thread they live in; started with the first one. May be used from any thread."""

    def __init__(self) -> None:
        self._relays: dict[str, Relay] = {}
        self._lock = threading.RLock()
        self._loop: asyncio.AbstractEventLoop | None = None

    def open(self, sandbox_id: str, folder: Path, names: Sequence[str], tunnel: Tunnel) -> None:
        """Open a sandbox's doors and return when the tunnel is there. Raises OSError."""
        try:
            self._call(self._start(sandbox_id, folder, names, tunnel).ready())
        except BaseException:
            self.close(sandbox_id)
            raise

    def ensure(self, sandbox_id: str, folder: Path, names: Sequence[str], tunnel: Tunnel) -> None:
        """Open a running sandbox's doors unless somebody keeps them; does not wait for the tunnel. Never raises."""
        try:
            self._start(sandbox_id, folder, names, tunnel)
        except OSError as error:
            log.debug("the doors of sandbox %s stay as they are: %s", sandbox_id, error)

    def close(self, sandbox_id: str) -> None:
        """Close a sandbox's doors. Never raises for one that has none here."""
        with self._lock:
            relay = self._relays.pop(sandbox_id, None)
            if relay is not None:
                with contextlib.suppress(TimeoutError):
                    self._call(relay.close())

    def close_all(self) -> None:
        """Close all doors and end the thread."""
        with self._lock:
            for sandbox_id in list(self._relays):
                self.close(sandbox_id)
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._loop.stop)
                self._loop = None

    def _start(self, sandbox_id: str, folder: Path, names: Sequence[str], tunnel: Tunnel) -> Relay:
        with self._lock:
            relay = self._relays.get(sandbox_id)
            if relay is None or not relay.running:
                relay = Relay(folder, names, tunnel)
                self._call(relay.start())
                self._relays[sandbox_id] = relay
            return relay

    def _call(self, work: Awaitable[None]) -> None:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=_run, args=(self._loop,), name="relays", daemon=True).start()
            loop = self._loop

        async def done() -> None:
            await work

        asyncio.run_coroutine_threadsafe(done(), loop).result(CALL_SECONDS)


def _run(loop: asyncio.AbstractEventLoop) -> None:
    try:
        loop.run_forever()
    finally:
        loop.close()
