"""The process of the service kafka: starts the cluster, makes the topics, opens the door.

With the mock it also leads the promised port on to one of its brokers, whose own ports nobody can choose: a client asks
there once and is told of all brokers.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import socket
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from aiohttp import web

from sandboxes.services.kafka import parse_topics
from sandboxes.services.kafka.broker import KafkaBroker
from sandboxes.services.kafka.clients import Clients, Cluster, ClusterFailed
from sandboxes.services.kafka.door import Door
from sandboxes.services.kafka.mock import MockCluster
from sandboxes.services.relay import listen_unix, relay

LOOK_SECONDS = 0.2
REPLICATION = 3


async def serve(cluster: Cluster, door: socket.socket, bootstrap: socket.socket | None) -> int:
    """Until told to stop (0) or the broker ends (its exit code, or 1)."""
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    leading = asyncio.create_task(_lead(cluster, bootstrap))
    runner = web.AppRunner(Door(Clients(cluster)).app(), access_log=None)
    await runner.setup()
    try:
        await web.SockSite(runner, door, shutdown_timeout=0.2).start()
        while not stopping.is_set():
            if isinstance(cluster, KafkaBroker) and cluster.process.poll() is not None:
                print(f"Kafka ended with exit code {cluster.process.returncode}.", file=sys.stderr)  # noqa: T201
                return cluster.process.returncode or 1
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), LOOK_SECONDS)
        return 0
    finally:
        leading.cancel()
        await asyncio.gather(leading, return_exceptions=True)
        await runner.cleanup()


async def _lead(cluster: Cluster, bootstrap: socket.socket | None) -> None:
    if isinstance(cluster, MockCluster) and bootstrap is not None:
        await relay(bootstrap, cluster.first_port)


def main(arguments: Sequence[str]) -> int:
    """The program; 1 with a word on standard error when the cluster can't be started."""
    parser = argparse.ArgumentParser(prog="python -m sandboxes.services.kafka.server")
    parser.add_argument("--socket", type=Path, required=True, help="of the door")
    parser.add_argument("--port", type=int, required=True, help="where clients find the cluster")
    parser.add_argument("--data", type=Path, required=True, help="folder for a real broker's data")
    parser.add_argument("--brokers", type=int, default=3, help="of the mock")
    parser.add_argument("--topics", default="", help="name:partitions,…")
    parser.add_argument("--home", default="", help="of a real Kafka; empty for the mock")
    asked = parser.parse_args(arguments)
    bootstrap: socket.socket | None = None
    try:
        cluster: Cluster
        if asked.home:
            cluster = KafkaBroker(Path(asked.home), asked.data, asked.port)
        else:
            bootstrap = socket.create_server(("127.0.0.1", asked.port))
            cluster = MockCluster(asked.brokers)
        with closing(cluster), listen_unix(asked.socket) as door:
            for name, partitions in parse_topics(asked.topics).items():
                cluster.create_topic(name, partitions, REPLICATION)
            return asyncio.run(serve(cluster, door, bootstrap))
    except (ClusterFailed, OSError) as error:
        print(error, file=sys.stderr)  # noqa: T201 - a program's word to whoever starts it
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
