"""The mock cluster for clients on other machines, as a container of it has them::

    python -m reference_impl.topologies.parts.kafka_door broker 9092

The cluster itself listens on the loopback alone, on a port that it chooses. So this listens on the given port of every address
and passes on what comes, byte for byte; and the cluster tells its clients to come here, by the given name. Events are in
memory only, as `topologies/parts/kafka.py` says.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from contextlib import suppress

from reference_impl.topologies.parts.kafka import open_cluster

EVERYWHERE = "0.0.0.0"  # noqa: S104 - to be reached from other machines is what it is for
MOST_CONNECTIONS = 512
CHUNK = 65_536
END_SECONDS = 2.0


class Door:
    """Passes connections on to one address."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._open: set[asyncio.Task[None]] = set()

    async def enter(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client until one of the two ends closes; too many at once are turned away."""
        task = asyncio.current_task()
        if task is None or len(self._open) >= MOST_CONNECTIONS:
            writer.close()
            return
        self._open.add(task)
        try:
            inside, to_inside = await asyncio.open_connection(self._host, self._port)
            ways = [asyncio.create_task(_copy(reader, to_inside)), asyncio.create_task(_copy(inside, writer))]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                to_inside.close()
        except (OSError, asyncio.CancelledError):
            pass  # the client tries again, as it does with any broker; or we end
        finally:
            writer.close()
            self._open.discard(task)

    async def close(self) -> None:
        """End all connections."""
        for task in list(self._open):
            task.cancel()
        if self._open:
            await asyncio.wait(list(self._open), timeout=END_SECONDS)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()


async def run(name: str, port: int) -> None:
    """Serve until SIGTERM."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    host, _, inside = open_cluster((name, port)).rpartition(":")
    door = Door(host, int(inside))
    server = await asyncio.start_server(door.enter, EVERYWHERE, port)
    print(f"The broker is ready at {name}:{port}; it keeps events in memory only.", flush=True)  # noqa: T201
    await stop.wait()
    server.close()
    await door.close()


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1], int(sys.argv[2])))
