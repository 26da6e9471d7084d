"""What a service inside a sandbox is: how it is prepared, started, known to be ready, and reached.

One class per service; `sandboxes.services.SERVICES` names them all. The same class speaks on both sides: inside, the agent starts
it; outside, the driver asks it for the endpoint. Adding one is one module and one line in that dict.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from sandboxes.interface import Endpoint
from sandboxes.unix_http import UnixConnection


@dataclass(frozen=True)
class Place:
    """Where a service lives; paths as the agent sees them."""

    run_dir: Path
    """Its sockets."""
    data_dir: Path
    """Its data, empty at first and lost with the sandbox."""
    cache_dir: Path
    """Things made once and shared by sandboxes; may be read-only."""
    code_dir: Path
    """The folder that holds our packages."""
    services: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """All services of the sandbox with their options, in the order of their start."""


@dataclass(frozen=True)
class Account:
    """An unprivileged user that a service runs as."""

    uid: int
    gid: int


@dataclass(frozen=True)
class Command:
    """How to start a service's process."""

    arguments: Sequence[str]
    working_dir: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    """Added to the sandbox's own variables."""
    account: Account | None = None
    """Another user to run as; only when the agent is root."""
    stop_signal: signal.Signals = signal.SIGTERM
    """Ends it quickly and cleanly; also what it gets when the agent dies."""


class NotReady(Exception):
    """A service does not answer yet; the text says what was tried."""


class ServiceFailed(Exception):
    """A service can't be started here; the text tells the operator what to do."""


PORTS = range(10_000, 32_000)
"""Below those that the system gives to outgoing connections: one of them could take a port before its service does."""


def free_port() -> int:
    """A TCP port of the loopback that nobody listens on. In a container only this sandbox's services share the loopback.

    Raises ServiceFailed when there is none.
    """
    for _ in range(200):
        port = secrets.choice(PORTS)
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port
    raise ServiceFailed(
        "no TCP port of the loopback is free: see what listens on this machine (ss -ltn) and end what is not needed"
    )


def probe_http(path: Path, target: str, seconds: float, *, called: str = "") -> None:
    """Return when whoever listens on the Unix socket at `path` answers a GET with 200 within so many seconds. Raises NotReady.

    `called` stands in the error for a target that must not be told.
    """
    connection = UnixConnection(str(path), timeout=seconds)
    try:
        connection.request("GET", target)
        answer = connection.getresponse()
        if answer.status != 200:
            raise NotReady(f"{called or target} answers {answer.status}")
    except (OSError, http.client.HTTPException) as error:
        raise NotReady(f"no answer on its socket: {error}") from error
    finally:
        connection.close()


class Service(ABC):
    """One service of one sandbox. Methods block; the agent calls them in a thread."""

    name: ClassVar[str]
    option_names: ClassVar[frozenset[str] | None]
    """The options it knows; None when any name is taken."""
    sockets: ClassVar[tuple[str, ...]]
    """Paths of its sockets, relative to the run directory."""
    uses: ClassVar[tuple[str, ...]] = ()
    """Services that it makes use of when the lab asks for them too: they have to be named before it."""
    never_beside: ClassVar[frozenset[str]] = frozenset()
    """Services whose data it would let the learner reach: it does what their files say, as the services' user."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        missing = [key for key in ("name", "option_names", "sockets") if not hasattr(cls, key)]
        if missing:
            raise TypeError(f"{cls.__name__} lacks {', '.join(missing)}")

    def __init__(self, options: Mapping[str, str], place: Place) -> None:
        self.check_options(options)
        self.options = options
        self.place = place

    @classmethod
    def check_options(cls, options: Mapping[str, str]) -> None:
        """Raise ValueError, naming the option, for one that the service does not know or can't take."""
        unknown = set(options) - cls.option_names if cls.option_names is not None else set()
        if unknown:
            raise ValueError(f"the service {cls.name} has no option {', '.join(sorted(unknown))}")

    @classmethod
    def missing(cls) -> str | None:
        """What this machine lacks to run it without a container, and how to get it; else None. Quick, changes nothing."""
        return None

    @classmethod
    def image(cls, options: Mapping[str, str]) -> str | None:
        """The image that a container is made from instead of the lab's, where it can be had, for these options; else None."""
        return None

    @abstractmethod
    def environment(self) -> dict[str, str]:
        """Variables that tell the learner's code how to reach it."""

    @abstractmethod
    def prepare(self) -> Command | None:
        """Lay out its data and say what to start; None when there is nothing to start. Raises ServiceFailed."""

    @abstractmethod
    def probe(self) -> None:
        """Return when it answers and is set up for the learner.

        Raises NotReady, and is called again and again until then; ServiceFailed when waiting is of no use.
        """

    @classmethod
    @abstractmethod
    def endpoint(cls, options: Mapping[str, str], folder: Path) -> Endpoint:
        """How to reach it from outside, its sockets being in `folder`."""


class Tool(Service):
    """A service without a process: a program that the learner runs. It has no socket, so it can't be reached from outside."""

    name = ""
    option_names: ClassVar[frozenset[str] | None] = frozenset()
    sockets = ()

    def prepare(self) -> None:
        """Lay out what the program needs; nothing is started."""

    @classmethod
    def endpoint(cls, options: Mapping[str, str], folder: Path) -> Endpoint:
        """Raises KeyError."""
        raise KeyError(f"{cls.name} is a tool: it has no socket")


def find_program(name: str) -> str | None:
    """The program that the learner would run by this name: beside our Python, else on PATH."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    return shutil.which(name, path=path)


def run_tool(arguments: Sequence[str], environment: Mapping[str, str], seconds: float) -> str:
    """What a program prints. Raises ServiceFailed with its words when it fails or takes longer."""
    try:
        done = subprocess.run(
            list(arguments), env=dict(environment), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, timeout=seconds, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ServiceFailed(f"{Path(arguments[0]).name} could not run: {error}") from error
    said = done.stdout.decode("utf-8", "replace").strip()
    if done.returncode != 0:
        raise ServiceFailed(f"{Path(arguments[0]).name} failed: {said[-1000:]}")
    return said


def open_to_the_learner(*folders: Path) -> None:
    """Make folders that the learner's code, which may run as another user, can pass through, but not list."""
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(folder.stat().st_mode | 0o011)
