"""Real drivers on a run directory of their own."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from labs.catalogue import Catalogue, load
from sandboxes.drivers import open_driver
from sandboxes.interface import Driver


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    """All labs of the product."""
    return load()


@pytest.fixture(scope="session")
def run_dir() -> Iterator[Path]:
    """A run directory with a name short enough for sockets."""
    path = Path(tempfile.mkdtemp(prefix="pg-labs-", dir="/tmp"))
    path.chmod(0o711 if os.geteuid() == 0 else 0o700)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def real_driver(run_dir: Path) -> Iterator[Callable[[str], Driver]]:
    """A driver by its name; all its sandboxes are stopped at the end."""
    opened: dict[str, Driver] = {}

    def get(name: str) -> Driver:
        if name not in opened:
            opened[name] = open_driver(name, run_dir)
        return opened[name]

    yield get
    for driver in opened.values():
        driver.close()
