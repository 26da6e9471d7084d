"""Drivers over a run directory of their own, and a sandbox to share by tests that leave it as they found it.

The docker driver comes twice: reached by sockets in a shared folder, and by a tunnel through the engine. The second time only
some tests run, those that `TUNNELLED` names; with `EVERY_TRANSPORT=1` all do.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from sandboxes.drivers import open_driver
from sandboxes.drivers.handle import AgentSandbox
from sandboxes.interface import Driver, Limits, Progress, Sandbox, SandboxSpec, SandboxState

DRIVERS = [
    pytest.param("local", marks=pytest.mark.postgres),
    pytest.param("docker", marks=pytest.mark.docker),
    pytest.param("docker-tunnel", marks=pytest.mark.docker),
]
TUNNELLED = frozenset(
    {
        "test_a_blank_sandbox_opens_when_it_is_adopted_and_not_before",
        "test_the_grader_and_the_learner_see_one_database",
        "test_many_connections_fit",
        "test_meridian_answers_from_outside_and_from_within",
    }
)
Value = TypeVar("Value")

PATIENCE = 60.0
"""Seconds for what takes a moment, unless the machine stands still meanwhile."""
LONGEST_TEST = 900
"""In seconds: starts and waits have deadlines of their own, of a minute and more each."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Give the tests here time for their own deadlines, and leave out what need not run through the tunnel."""
    for item in items:
        if item.path.parent == Path(__file__).parent and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(LONGEST_TEST))
    if os.environ.get("EVERY_TRANSPORT") == "1":
        return
    left_out = [
        item
        for item in items
        if "[docker-tunnel" in item.name and getattr(item, "originalname", "") not in TUNNELLED
    ]
    if left_out:
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=left_out)


def quiet(_: Progress) -> None:
    """A listener for starts that nobody watches."""


def until(condition: Callable[[], Value], seconds: float = PATIENCE) -> Value:
    """What it gives as soon as that is true; after so long, what it gave last."""
    deadline = time.monotonic() + seconds
    while not (found := condition()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return found


@pytest.fixture(scope="module", autouse=True)
def patience() -> Iterator[None]:
    """Questions for which a test names no deadline wait for longer than a busy machine stands still."""
    with pytest.MonkeyPatch.context() as patch:
        for question in (AgentSandbox.call, AgentSandbox.call_many):
            patch.setitem(question.__kwdefaults__, "timeout", PATIENCE)
        for question in (AgentSandbox.value, AgentSandbox.run):
            patch.setattr(question, "__defaults__", (PATIENCE,))
        yield


@pytest.fixture(scope="session")
def run_dir() -> Iterator[Path]:
    """Short, because sockets live below it."""
    folder = Path(tempfile.mkdtemp(prefix="pgt-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module", params=DRIVERS)
def driver(request: pytest.FixtureRequest, run_dir: Path) -> Iterator[Driver]:
    """Each driver in turn, its image built."""
    name, _, tunnelled = request.param.partition("-")
    driver = open_driver(name, run_dir, transport=tunnelled or "sockets")
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
