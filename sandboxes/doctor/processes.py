"""Checks of what the local driver needs: packages, and each service's programs."""

from __future__ import annotations

import importlib.util
import sys

from sandboxes.doctor.finding import Finding, State
from sandboxes.drivers.local import NEEDED
from sandboxes.services import SERVICES
from sandboxes.services.postgres import Postgres


def packages() -> Finding:
    """Python and the packages that a sandbox's agent and Jupyter are made of."""
    name = "Python packages"
    if sys.platform == "win32":
        return Finding(
            name, State.PROBLEM, "Windows lacks Unix sockets.", "Run the portal in WSL.", ("local", "docker")
        )
    missing = [package for package in NEEDED if importlib.util.find_spec(package) is None]
    if missing:
        return Finding(
            name, State.PROBLEM, f"Missing: {', '.join(missing)}.", "Run `make run`, which installs them.", ("local",)
        )  # fmt: skip
    return Finding(name, State.OK, f"Python {sys.version.split()[0]} with all that local sandboxes need.")


def service(name: str) -> Finding:
    """Whether a service can run as processes of this machine."""
    lacking = SERVICES[name].missing()
    if lacking is None:
        return Finding(f"local {name}", State.OK, "Its programs are here.")
    if name == Postgres.name:  # the local driver refuses to work without it
        return Finding(f"local {name}", State.PROBLEM, "Not here.", lacking, ("local",))
    return Finding(f"local {name}", State.WARNING, "Not here: labs that use it need containers.", lacking)
