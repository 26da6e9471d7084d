"""Connections to the Jupyter servers behind their Unix sockets.

A socket lies in a directory that the sandbox may write to, so a learner can put anything in its place: a link
to the engine's socket would let them speak to the engine with the gateway's rights. So the name is resolved
once, without following links, and connections go to exactly the inode that was found, through `/proc/self/fd`.
"""

from __future__ import annotations

import os
import stat
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp

from sandboxes.gateway.route_table import Route

CONNECT_SECONDS = 5.0
READ_SECONDS = 180.0
"""How long Jupyter may be silent: starting a kernel on a busy machine takes a while."""
TOTAL_SECONDS = 900.0
KEEP_ALIVE_SECONDS = 30.0
MAX_ACTIVE = 192
"""Requests and WebSockets at one time to one sandbox."""
MAX_UPSTREAMS = 512


class SandboxUnreachableError(Exception):
    """Nothing listens behind the sandbox's socket."""


class SandboxBusyError(Exception):
    """More is going on at one time than one learner needs."""


class Upstream:
    """One sandbox's Jupyter: a pool of connections to one socket inode."""

    def __init__(self, socket: Path, descriptor: int, identity: tuple[int, int]) -> None:
        self.socket = socket
        self.active = 0
        self._identity = identity
        self._descriptor = descriptor
        pinned = f"/proc/self/fd/{descriptor}"
        self.session = aiohttp.ClientSession(
            connector=aiohttp.UnixConnector(path=pinned, limit=0, keepalive_timeout=KEEP_ALIVE_SECONDS),
            timeout=aiohttp.ClientTimeout(
                total=TOTAL_SECONDS, sock_connect=CONNECT_SECONDS, sock_read=READ_SECONDS
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
        )

    @contextmanager
    def use(self) -> Iterator[aiohttp.ClientSession]:
        """The session, counted; raises SandboxBusyError instead of queueing."""
        if self.active >= MAX_ACTIVE:
            raise SandboxBusyError
        self.active += 1
        try:
            yield self.session
        finally:
            self.active -= 1

    def is_current(self) -> bool:
        """Whether the socket is still the same inode."""
        try:
            now = os.lstat(self.socket)
        except OSError:
            return False
        return (now.st_dev, now.st_ino) == self._identity

    async def close(self) -> None:
        """Drop every connection."""
        await self.session.close()
        os.close(self._descriptor)


class UpstreamPool:
    """The upstreams in use, least recently used first."""

    def __init__(self) -> None:
        self._upstreams: OrderedDict[str, Upstream] = OrderedDict()

    async def get(self, route: Route) -> Upstream:
        """The upstream of a route's socket as it is now; raises SandboxUnreachableError when there is none."""
        known = self._upstreams.get(route.sandbox_id)
        if known is not None and known.socket == route.jupyter_socket and known.is_current():
            self._upstreams.move_to_end(route.sandbox_id)
            return known
        await self._drop(route.sandbox_id)
        upstream = _open(route.jupyter_socket)
        self._upstreams[route.sandbox_id] = upstream
        if len(self._upstreams) > MAX_UPSTREAMS:
            idle = [key for key, one in self._upstreams.items() if one.active == 0 and one is not upstream]
            for sandbox_id in idle[: len(self._upstreams) - MAX_UPSTREAMS]:
                await self._drop(sandbox_id)
        return upstream

    async def sweep(self) -> None:
        """Drop those whose socket is gone or another: their sandboxes have ended."""
        for sandbox_id, upstream in list(self._upstreams.items()):
            if not upstream.is_current():
                await self._drop(sandbox_id)

    async def close(self) -> None:
        """Drop all of them."""
        for sandbox_id in list(self._upstreams):
            await self._drop(sandbox_id)

    async def _drop(self, sandbox_id: str) -> None:
        upstream = self._upstreams.pop(sandbox_id, None)
        if upstream is not None:
            await upstream.close()


def _open(socket: Path) -> Upstream:
    """Pin the socket's inode; raises SandboxUnreachableError for anything that is not a socket itself."""
    try:
        descriptor = os.open(socket, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise SandboxUnreachableError from error
    status = os.fstat(descriptor)
    if not stat.S_ISSOCK(status.st_mode):
        os.close(descriptor)
        raise SandboxUnreachableError
    return Upstream(socket, descriptor, (status.st_dev, status.st_ino))
