"""The drivers, by name, and which one to use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from sandboxes.interface import Driver, DriverUnavailable

DRIVERS: Mapping[str, str] = {
    "docker": "sandboxes.drivers.docker:DockerDriver",
    "local": "sandboxes.drivers.local:LocalDriver",
}
"""Name → module and class; imported when chosen, so that local sandboxes don't cost the import of an engine's client."""


@dataclass(frozen=True)
class Choice:
    """Which driver to use, and why, in a sentence for the operator."""

    name: str
    reason: str


def driver_class(name: str) -> type[Driver]:
    """The class of a driver. Raises DriverUnavailable for a name that is none."""
    if name not in DRIVERS:
        raise DriverUnavailable(f"There is no driver {name!r}; there are {', '.join(DRIVERS)}.")
    module, _, attribute = DRIVERS[name].partition(":")
    found: type[Driver] = getattr(import_module(module), attribute)
    return found


def open_driver(
    name: str, run_dir: Path, transport: str = "auto", named: Mapping[str, str] | None = None
) -> Driver:
    """A driver over a run directory, checked. Raises DriverUnavailable.

    `transport` says how containers are reached: sockets, tunnel, or auto for what the engine needs. `named` holds the operator's
    names of others' images that ours take from, by build argument (KAFKA_IMAGE); None for those of the environment.
    """
    options: dict[str, Any] = {"transport": transport, "named": named} if name == "docker" else {}
    driver = driver_class(name)(run_dir, **options)  # type: ignore[call-arg]
    driver.check()
    return driver


def choose_driver(wanted: str = "auto", run_dir: Path | None = None) -> Choice:
    """The driver to use: the wanted one, or for `auto` docker where an engine answers, else local. Raises DriverUnavailable."""
    if wanted != "auto":
        driver_class(wanted)
        return Choice(wanted, "as the settings say")
    try:
        driver_class("docker")(run_dir or Path("/nonexistent")).check()  # type: ignore[call-arg]
    except DriverUnavailable as error:
        return Choice("local", f"no container engine: {error.learner}")
    return Choice("docker", "a container engine answers")
