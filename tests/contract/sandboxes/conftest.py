"""Drivers over a run directory of their own, and a sandbox to share by tests that leave it as they found it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandboxes.drivers import open_driver
from sandboxes.interface import Driver, Limits, Progress, Sandbox, SandboxSpec, SandboxState

DRIVERS = [
    pytest.param("local", marks=pytest.mark.postgres),
    pytest.param("docker", marks=pytest.mark.docker),
]


def quiet(_: Progress) -> None:
    """A listener for starts that nobody watches."""


@pytest.fixture(scope="session")
def run_dir() -> Iterator[Path]:
    """Short, because sockets live below it."""
    folder = Path(tempfile.mkdtemp(prefix="pgt-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module", params=DRIVERS)
def driver(request: pytest.FixtureRequest, run_dir: Path) -> Iterator[Driver]:
    """Each driver in turn, its image built."""
    driver = open_driver(request.param, run_dir)
    driver.prepare("base", quiet)
    yield driver
    driver.close()


@pytest.fixture(scope="module")
def docker_driver(run_dir: Path) -> Iterator[Driver]:
    """The docker driver alone, for what only containers promise."""
    driver = open_driver("docker", run_dir)
    driver.prepare("base", quiet)
    yield driver
    driver.close()


@pytest.fixture(scope="module")
def kept(driver: Driver) -> dict[str, Sandbox]:
    """The sandbox that the tests of a module share."""
    return {}


@pytest.fixture
def sandbox(driver: Driver, kept: dict[str, Sandbox], tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    """A grader's sandbox with a database; each test runs a notebook of its own in it. One that a test broke is replaced."""
    shared = kept.get("sandbox")
    if shared is None or shared.status().state is not SandboxState.READY:
        if shared is not None:
            shared.stop()
        kept["sandbox"] = shared = driver.start(
            SandboxSpec(
                workspace=tmp_path_factory.mktemp("workspace"),
                services={"postgres": {"database": "shop"}},
                environment={"LAB_SLUG": "the-lab"},
                limits=Limits(memory_mb=1024, pids=200),
                jupyter=False,
            ),
            quiet,
        )
    return shared
