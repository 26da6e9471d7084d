"""The worker's runner over each driver, shared by the tests of a module."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from portal.work.programs import SandboxRunner
from sandboxes.drivers import open_driver
from sandboxes.interface import Driver

DRIVERS = [
    pytest.param("local", marks=pytest.mark.postgres),
    pytest.param("docker", marks=pytest.mark.docker),
]


@contextlib.contextmanager
def opened(name: str) -> Iterator[Driver]:
    """A driver over a run directory of its own: short, because sockets live below it."""
    folder = Path(tempfile.mkdtemp(prefix="pgp-"))
    folder.chmod(0o755)  # PostgreSQL runs as somebody else when we are root
    driver = open_driver(name, folder, transport="sockets")
    driver.check()
    yield driver
    driver.close()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module", autouse=True)
def unhurried() -> Iterator[None]:
    """No test here is about these two: on a busy machine a build and all cases of a request take longer."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("portal.work.programs.runner.BUILD_SECONDS", 300.0)
        patch.setattr("portal.work.programs.runner.REQUEST_SECONDS", 600.0)
        yield


@pytest.fixture(scope="module", params=DRIVERS)
def driver(request: pytest.FixtureRequest) -> Iterator[Driver]:
    """Each driver in turn."""
    with opened(request.param) as driver:
        yield driver


@pytest.fixture(scope="module")
def docker_driver() -> Iterator[Driver]:
    """The one that seals off."""
    with opened("docker") as driver:
        yield driver


@pytest.fixture(scope="module")
def runner(driver: Driver) -> SandboxRunner:
    """What runs programs."""
    return SandboxRunner(driver, {"instance": "tests-of-programs"})
