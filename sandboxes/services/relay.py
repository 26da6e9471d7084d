"""A Unix socket for a service that speaks TCP only: `python -m sandboxes.services.relay SOCKET PORT -- COMMAND…`.

The program starts the command, leads connections to the socket on to the port of the loopback, passes on the signals that end
it, and ends with the command's exit code. Whoever can reach the socket may connect: the folder above it keeps others out.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from sandboxes.agent.processes import die_with_parent

CONNECTIONS = 64
"""Relayed at once; as many again wait in the socket's queue."""
IDLE_SECONDS = 300.0
"""A connection in which nothing moved for so long is closed."""
CONNECT_SECONDS = 5.0
CHUNK_BYTES = 65_536
ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP)
USAGE = "usage: python -m sandboxes.services.relay SOCKET PORT -- COMMAND…"


def listen_unix(path: Path) -> socket.socket:
    """A listening socket that every user may connect to who can pass through the folders above. Raises OSError."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0)
    try:
        listener.bind(str(path))
    finally:
        os.umask(before)
    listener.listen(CONNECTIONS)
    return listener


async def relay(listener: socket.socket, port: int, connections: int = CONNECTIONS) -> None:
    """Lead what connects to `listener` on to the loopback's port, until cancelled. What is too many waits."""
    loop = asyncio.get_running_loop()
    listener.setblocking(False)
    free = asyncio.Semaphore(connections)
    running: set[asyncio.Task[None]] = set()
    try:
        while True:
            await free.acquire()
            try:
                client, _ = await loop.sock_accept(listener)
            except OSError:  # out of descriptors, or the client has gone
                free.release()
                await asyncio.sleep(0.1)
                continue
            task = asyncio.create_task(_lead_on(client, port))
            running.add(task)
            task.add_done_callback(running.discard)
            task.add_done_callback(lambda _: free.release())
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def _lead_on(client: socket.socket, port: int) -> None:
    """One connection, both ways, until both sides have said all or nothing moves any more."""
    loop = asyncio.get_running_loop()
    with client, socket.socket() as server, contextlib.suppress(OSError, TimeoutError):
        for end in (client, server):
            end.setblocking(False)
        # Not wait_for, which forgets that it was cancelled when the connection comes about at the same moment.
        async with asyncio.timeout(CONNECT_SECONDS):
            await loop.sock_connect(server, ("127.0.0.1", port))
        moved = [loop.time()]
        ways = [
            asyncio.create_task(_copy(client, server, moved)),
            asyncio.create_task(_copy(server, client, moved)),
        ]
        try:
            while not all(way.done() for way in ways):
                left = moved[0] + IDLE_SECONDS - loop.time()
                if left <= 0 or any(way.done() and way.exception() for way in ways):
                    return
                await asyncio.wait(
                    [way for way in ways if not way.done()],
                    timeout=left,
                    return_when=asyncio.FIRST_COMPLETED,
                )
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)


async def _copy(source: socket.socket, target: socket.socket, moved: list[float]) -> None:
    loop = asyncio.get_running_loop()
    while data := await loop.sock_recv(source, CHUNK_BYTES):
        moved[0] = loop.time()
        await loop.sock_sendall(target, data)
        moved[0] = loop.time()
    target.shutdown(socket.SHUT_WR)


async def keep(command: subprocess.Popen[bytes], listener: socket.socket, port: int) -> int:
    """Relay as long as the command runs; its exit code, as a shell gives it."""
    loop = asyncio.get_running_loop()
    for number in ENDING:
        loop.add_signal_handler(number, command.send_signal, number)
    relaying = asyncio.create_task(relay(listener, port))
    try:
        code = await asyncio.to_thread(command.wait)
    finally:
        relaying.cancel()
        await asyncio.gather(relaying, return_exceptions=True)
    return code if code >= 0 else 128 - code


def main(arguments: Sequence[str]) -> int:
    """The program; 2 for arguments that make no sense, 127 when the command can't be started."""
    if len(arguments) < 4 or arguments[2] != "--" or not arguments[1].isdigit():
        print(USAGE, file=sys.stderr)  # noqa: T201 - a program's word to whoever starts it
        return 2
    with listen_unix(Path(arguments[0])) as listener:
        try:
            command = subprocess.Popen(arguments[3:], preexec_fn=die_with_parent(signal.SIGKILL))
        except OSError as error:
            print(f"{arguments[3]} can't be started: {error}", file=sys.stderr)  # noqa: T201
            return 127
        return asyncio.run(keep(command, listener, int(arguments[1])))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
