"""The machine around the sandboxes, with traps in it: files that nobody may read or change, doors that nobody may knock at."""

from __future__ import annotations

import contextlib
import hashlib
import random
import secrets
import socket
import threading
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sandboxes.drivers.docker_engine import container_name
from sandboxes.interface import Driver, ProgressListener, Sandbox, SandboxSpec

MARK = "attack-was-here"
"""The name under which attacks leave files outside of their workspace."""
_PLACES = ("/", "/tmp", "/var/tmp", "/dev/shm", "/root", "/etc", "/run", "/home")


class Watched(Driver):
    """A driver that notes which sandboxes were started through it."""

    name = "watched"
    isolated = False

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self.scratch = driver.scratch
        self.name = driver.name  # type: ignore[misc]  # a report says which driver it was
        self.started: list[SandboxSpec] = []

    def check(self) -> None:
        self._driver.check()

    def prepare(self, image: str, progress: ProgressListener) -> None:
        self._driver.prepare(image, progress)

    def start(self, spec: SandboxSpec, progress: ProgressListener) -> Sandbox:
        self.started.append(spec)
        return self._driver.start(spec, progress)

    def find(self, sandbox_id: str) -> Sandbox | None:
        return self._driver.find(sandbox_id)

    def running(self) -> list[tuple[str, Mapping[str, str]]]:
        return self._driver.running()

    def reap(self, keep: Collection[str], grace_seconds: float = 0.0) -> list[str]:
        return self._driver.reap(keep, grace_seconds)

    def close(self) -> None:
        """The real driver belongs to somebody else."""


@dataclass
class Host:
    """What must be the same after an attack as before."""

    work: Path
    """Where graders make their workspaces."""
    run_dir: Path
    secret: str = field(default_factory=lambda: f"HOST-SECRET-{secrets.token_hex(8)}")
    knocks: list[str] = field(default_factory=list)
    """Who came to one of the doors."""
    port: int = 0

    @property
    def secret_files(self) -> list[Path]:
        return [self.work / "host-secret.txt", self.run_dir / "host-secret.txt"]

    @property
    def abstract(self) -> str:
        return f"attacked-{hashlib.sha256(self.secret.encode()).hexdigest()[:12]}"

    def lay_traps(self) -> None:
        """Write the secrets."""
        for path in self.secret_files:
            path.write_text(self.secret)

    def known(self) -> dict[str, Any]:
        """What an attacker may have learned about the machine: places, not secrets."""
        return {
            "port": self.port,
            "abstract": self.abstract,
            "file": str(self.secret_files[0]),
            "run_dir": str(self.run_dir),
        }

    @contextlib.contextmanager
    def doors(self) -> Iterator[None]:
        """Listen like the host's other services do: on TCP, on all addresses, and on an abstract Unix socket."""
        tcp = _server()
        self.port = tcp.getsockname()[1]
        abstract = socket.socket(socket.AF_UNIX)
        abstract.bind(f"\0{self.abstract}")
        abstract.listen()
        for listener in (tcp, abstract):
            threading.Thread(target=self._wait, args=(listener,), daemon=True).start()
        try:
            yield
        finally:
            tcp.close()
            abstract.close()

    def _wait(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, address = listener.accept()
                self.knocks.append(f"{listener.family.name} {address!r}")
                connection.close()

    def harm(self, watched: Watched) -> list[str]:
        """What an attack changed that it must not: nothing, one hopes."""
        found = [f"somebody connected: {knock}" for knock in taken(self.knocks)]
        found += [f"{path} was changed" for path in self.secret_files if path.read_text() != self.secret]
        found += [str(path) for place in _PLACES for path in Path(place).glob(f"{MARK}*")]
        for spec in watched.started:
            found += self._left(spec)
            if watched.name == "docker" and _container_exists(spec.sandbox_id):
                found.append(f"the container of {spec.sandbox_id}")
        return found

    def _left(self, spec: SandboxSpec) -> list[str]:
        names = (f"s/{spec.sandbox_id}", f"doors/{spec.sandbox_id}", f"records/{spec.sandbox_id}.json",
                 f"routes/{spec.sandbox_id}.json")  # fmt: skip
        paths = [self.run_dir / name for name in names] + [spec.workspace]
        left = [f"{path} is still there" for path in paths if path.exists() or path.is_symlink()]
        mark = f"SANDBOX_ID={spec.sandbox_id}".encode()
        for path in Path("/proc").glob("[0-9]*/environ"):
            with contextlib.suppress(OSError):
                if mark in path.read_bytes().split(b"\0"):
                    left.append(f"process {path.parent.name} still runs")
        return left


def taken(notes: list[str]) -> list[str]:
    """What was noted so far; it is told once, so that the attacks behind it speak for themselves."""
    found = notes[:]
    del notes[: len(found)]
    return found


def _server() -> socket.socket:
    """A server at a port that nobody is given by chance: a client of something else may still look for what was there before."""
    for _ in range(100):
        with contextlib.suppress(OSError):
            return socket.create_server(("0.0.0.0", random.randrange(3_000, 9_000)))
    raise AssertionError("no port is free")


def _container_exists(sandbox_id: str) -> bool:
    import docker

    client = docker.from_env()
    try:
        return bool(client.containers.list(all=True, filters={"name": container_name(sandbox_id)}))
    finally:
        client.close()
