"""Which services there are, how they are built, and where each one listens when it has a process of its own."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass

from reference_impl.shared.runtime import Context, Service
from reference_impl.shared.settings import Settings

PACKAGE = "reference_impl.services"
Builder = Callable[[Context], Service]


@dataclass(frozen=True)
class Entry:
    """One service of the platform."""

    name: str
    offset: int
    """Its port is this far behind the platform's base port."""
    paths: tuple[str, ...]
    """The first parts of the paths that it answers, by which a client of the whole platform finds it."""

    @property
    def exists(self) -> bool:
        """Whether this Meridian has the service."""
        return importlib.util.find_spec(f"{PACKAGE}.{self.name}") is not None

    def builder(self) -> Builder:
        """How it is built. Imports the service, and no other one."""
        build: Builder = importlib.import_module(f"{PACKAGE}.{self.name}").build
        return build

    def port(self, settings: Settings) -> int:
        """Where it listens in the topology `services`."""
        return settings.base_port + self.offset

    def address(self, settings: Settings) -> str:
        """Where the other services find it in the topology `services`."""
        return settings.peer_url.format(service=self.name, port=self.port(settings))


ENTRIES = (
    Entry("gateway", 0, ("api",)),
    Entry("user", 1, ("users", "auth", "api-keys")),
    Entry("product", 2, ("products", "categories", "v1", "v2")),
    Entry("inventory", 3, ("inventory",)),
    Entry("order", 4, ("orders", "sagas")),
    Entry("payment", 5, ("payments", "ledger")),
    Entry("shipping", 6, ("shipments",)),
    Entry("notification", 7, ("notifications", "preferences")),
)


def entries() -> list[Entry]:
    """The services that this Meridian has; the gateway is the first."""
    return [entry for entry in ENTRIES if entry.exists]


def entry(name: str) -> Entry:
    """One service by name. Raises KeyError with a message that names them all."""
    found = {entry.name: entry for entry in entries()}
    if name not in found:
        raise KeyError(f"There is no service {name}; there are {', '.join(found)}.")
    return found[name]
