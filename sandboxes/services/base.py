"""What a service inside a sandbox is: how it is prepared, started, known to be ready, and reached.

One class per service; `sandboxes.services.SERVICES` names them all. The same class speaks on both sides: inside, the agent starts
it; outside, the driver asks it for the endpoint. Adding one is one module and one line in that dict.
"""

from __future__ import annotations

import signal
import socket
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from sandboxes.interface import Endpoint


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


def free_port() -> int:
    """A TCP port of the loopback that nobody listens on. In a container only this sandbox's services share the loopback."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Service(ABC):
    """One service of one sandbox. Methods block; the agent calls them in a thread."""

    name: ClassVar[str]
    option_names: ClassVar[frozenset[str] | None]
    """The options it knows; None when any name is taken."""
    sockets: ClassVar[tuple[str, ...]]
    """Paths of its sockets, relative to the run directory."""

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

    @abstractmethod
    def environment(self) -> dict[str, str]:
        """Variables that tell the learner's code how to reach it."""

    @abstractmethod
    def prepare(self) -> Command:
        """Lay out its data and say what to start. Raises ServiceFailed."""

    @abstractmethod
    def probe(self) -> None:
        """Return when it answers and is set up for the learner. Raises NotReady; called again and again until then."""

    @classmethod
    @abstractmethod
    def endpoint(cls, options: Mapping[str, str], folder: Path) -> Endpoint:
        """How to reach it from outside, its sockets being in `folder`."""
