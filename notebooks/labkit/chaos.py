"""Breaking things on purpose: a proxy with switches in front of a service, and the platform's fault flags.

from labkit import chaos, lab

with lab.proxy("redis") as proxy:
    client = lab.redis(through=proxy)
    with proxy.during(latency=0.3):
        client.get("product:1")           # answers come 0.3 s later
    proxy.refuse = True                   # as if nobody listened there

with chaos.fault(lab_client, "payment.decline", 1):
    ...                                   # every payment is declined; put back afterwards
"""

from __future__ import annotations

import random
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

__all__ = ["Proxy", "fault"]

MOST_CONNECTIONS = 256
PIECE = 65_536
CONNECT_SECONDS = 5.0
MOST_SECONDS = 60.0
LOOK_SECONDS = 0.02
SLICES = 20
"""A bandwidth is kept in so many slices of a second."""


class Proxy:
    """A proxy on a port of this machine (`host`, `port`) in front of a TCP address or a Unix socket. It runs until it is closed.

    The switches may be set at any time, from any thread:

    - `latency`: seconds by which answers come later, `jitter`: up to so many seconds more, at random
    - `bandwidth`: bytes a second in each direction, None for no limit
    - `refuse`: new connections are refused, as if nobody listened; open ones go on
    - `reset`: open connections are reset, and new ones at once after they were accepted
    - `hang`: connections are accepted and stay open, and nothing moves in them
    """

    def __init__(self, target: tuple[str, int] | str | Path) -> None:
        self.target = target
        self.host = "127.0.0.1"
        self.latency = 0.0
        self.jitter = 0.0
        self.bandwidth: int | None = None
        self.hang = False
        self.accepted = 0
        """How many connections have come so far."""
        self._refuse = self._reset = self._closed = False
        self._pairs: set[_Pair] = set()
        self._lock = threading.RLock()
        self._listener = self._bound(0)
        self.port: int = self._listener.getsockname()[1]
        self._listen()

    @property
    def open(self) -> int:
        """How many connections are open now."""
        with self._lock:
            return len(self._pairs)

    @property
    def refuse(self) -> bool:
        """Whether new connections are refused."""
        return self._refuse

    @refuse.setter
    def refuse(self, on: bool) -> None:
        with self._lock:
            if self._closed or bool(on) == self._refuse:
                return
            # A socket that is bound and does not listen keeps the port and has connections refused.
            _shut(self._listener)
            self._listener = self._bound(self.port)
            self._refuse = bool(on)
            if not on:
                self._listen()

    @property
    def reset(self) -> bool:
        """Whether connections are reset."""
        return self._reset

    @reset.setter
    def reset(self, on: bool) -> None:
        self._reset = bool(on)
        if on:
            self.cut()

    def cut(self) -> None:
        """Reset the connections that are open now."""
        with self._lock:
            pairs = list(self._pairs)
        for pair in pairs:
            pair.end(reset=True)

    @contextmanager
    def during(self, **switches: Any) -> Iterator[Self]:
        """Set switches for as long as the block runs, then put them back: `with proxy.during(latency=0.2, hang=True):`"""
        unknown = set(switches) - {"latency", "jitter", "bandwidth", "refuse", "reset", "hang"}
        if unknown:
            raise ValueError(f"A proxy has no switch {', '.join(sorted(unknown))}.")
        before = {name: getattr(self, name) for name in switches}
        try:
            for name, value in switches.items():
                setattr(self, name, value)
            yield self
        finally:
            for name, value in before.items():
                setattr(self, name, value)

    def close(self) -> None:
        """End the proxy and every connection through it."""
        with self._lock:
            self._closed = True
            _shut(self._listener)
            pairs = list(self._pairs)
        for pair in pairs:
            pair.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Proxy {self.host}:{self.port} → {self.target}, {self.open} connections>"

    # ── inside ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _bound(self, port: int) -> socket.socket:
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((self.host, port))
        except OSError:
            listener.close()
            raise
        return listener

    def _listen(self) -> None:
        self._listener.listen(MOST_CONNECTIONS)
        threading.Thread(target=self._accept, args=(self._listener,), name="proxy", daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return  # closed
            threading.Thread(target=self._serve, args=(client,), name="proxy-connection", daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        pair = _Pair(client)
        with self._lock:
            self.accepted += 1
            full = self._closed or len(self._pairs) >= MOST_CONNECTIONS
            if not full:
                self._pairs.add(pair)
        try:
            if full or self._reset:
                pair.end(reset=True)
                return
            try:
                server = self._connect()
            except OSError:
                pair.end(reset=True)
                return
            pair.join(server)
            back = threading.Thread(
                target=self._carry, args=(pair, server, client, True), name="proxy-answers", daemon=True
            )
            back.start()
            self._carry(pair, client, server, False)
            back.join()
        finally:
            pair.end()
            with self._lock:
                self._pairs.discard(pair)

    def _connect(self) -> socket.socket:
        if isinstance(self.target, tuple):
            server = socket.create_connection(self.target, CONNECT_SECONDS)
        else:
            server = socket.socket(socket.AF_UNIX)
            server.settimeout(CONNECT_SECONDS)
            try:
                server.connect(str(self.target))
            except OSError:
                server.close()
                raise
        server.settimeout(None)
        return server

    def _carry(self, pair: _Pair, source: socket.socket, sink: socket.socket, answers: bool) -> None:
        """Move bytes one way until one side ends; closed sockets end every wait in here."""
        try:
            while data := source.recv(PIECE):
                if answers:
                    self._wait(pair, self.latency + random.uniform(0, self.jitter))
                view, due = memoryview(data), time.monotonic()
                while view:
                    while self.hang and not pair.ended:
                        time.sleep(LOOK_SECONDS)
                    rate = self.bandwidth
                    step = len(view) if rate is None else min(len(view), max(1, rate // SLICES))
                    if rate is not None:
                        due += step / max(rate, 1)
                        self._wait(pair, due - time.monotonic())
                    sink.sendall(view[:step])
                    view = view[step:]
            while self.hang and not pair.ended:
                time.sleep(LOOK_SECONDS)
            pair.say_end(sink)
        except OSError:
            pair.end()

    @staticmethod
    def _wait(pair: _Pair, seconds: float) -> None:
        if seconds > 0:
            pair.wait(min(seconds, MOST_SECONDS))


class _Pair:
    """A connection of a client and the one that belongs to it."""

    def __init__(self, client: socket.socket) -> None:
        self._sockets = [client]
        self._end = threading.Event()
        self._lock = threading.Lock()

    @property
    def ended(self) -> bool:
        return self._end.is_set()

    def join(self, server: socket.socket) -> None:
        """Take the connection to the service in; it is closed at once when this pair has ended meanwhile."""
        with self._lock:
            self._sockets.append(server)
            ended = self.ended
        if ended:
            _shut(server)

    def wait(self, seconds: float) -> None:
        """Sleep, unless the connection ends."""
        self._end.wait(seconds)

    def say_end(self, sink: socket.socket) -> None:
        """Pass on that one side has said everything; not when the connection is being cut, which is no goodbye."""
        with self._lock:
            if not self.ended:
                sink.shutdown(socket.SHUT_WR)

    def end(self, *, reset: bool = False) -> None:
        """Close both; with `reset` the client sees an error and not an end."""
        with self._lock:
            if self.ended:
                return
            self._end.set()
            if reset:
                with suppress(OSError):
                    self._sockets[0].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                # Closed without a goodbye, which shutdown would say; who waits in recv is woken by the other side.
                for each in reversed(self._sockets[1:]):
                    _shut(each)
                self._abort(self._sockets[0])
            else:
                for each in self._sockets:
                    _shut(each)

    @staticmethod
    def _abort(client: socket.socket) -> None:
        # A thread in recv would keep the socket alive behind close(): shutting the reading side wakes it and sends nothing.
        with suppress(OSError):
            client.shutdown(socket.SHUT_RD)
        client.close()


def _shut(each: socket.socket) -> None:
    with suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)
    each.close()


@contextmanager
def fault(client: Any, name: str, value: float) -> Iterator[None]:
    """Set a fault flag of Meridian (`GET /faults` lists them) while the block runs, then put it back to what it was.

    `client` is what `lab.meridian()` gives. Raises what its `raise_for_status()` raises, such as for a name that is none.
    """
    flags = client.get("/faults").raise_for_status().json()
    before = next((flag["value"] for flag in flags if flag["name"] == name), 0)
    client.put(f"/faults/{name}", json={"value": value}).raise_for_status()
    try:
        yield
    finally:
        if before:
            client.put(f"/faults/{name}", json={"value": before}).raise_for_status()
        else:
            client.delete(f"/faults/{name}").raise_for_status()
