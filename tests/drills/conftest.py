"""A product for each driver, and for containers an engine of its own that may be killed."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import TypeVar

import pytest

from sandboxes.drivers import open_driver
from sandboxes.drivers.adoption import BLANK
from sandboxes.drivers.images import ImageContext
from sandboxes.drivers.processes import lives, start_time
from sandboxes.drivers.run_dir import RunDirectory
from sandboxes.interface import Driver
from tests.conftest import ROOT
from tests.drills.engine import PrivateEngine
from tests.drills.learner import WAIT_SECONDS
from tests.e2e.conftest import Product, start_product, stop_product

Found = TypeVar("Found")
POOL = 2
"""So many sandboxes wait: one for a learner, the others for grading."""
LOOK_SECONDS = 0.05
"""Between two looks at what waits, which ask the engine."""
REAL_IMAGE = "drills/base:real"
"""What the private engine calls the image: under a name of ours a build would tidy it away, once it is an hour old."""
LEFT_OUT = shutil.ignore_patterns(
    ".*", "tests", "node_modules", "instance", "docs", "test-results", "__pycache__"
)


class Site:
    """One installation of the product: a run of it can end, and the next goes on."""

    def __init__(self, driver: str, folder: Path, root: Path, engine: PrivateEngine | None) -> None:
        self.driver = driver
        self.engine = engine
        self.root = root
        self._instance = folder / "instance"
        self.run_dir = Path(tempfile.mkdtemp(prefix="pgd-", dir="/tmp"))
        self.product: Product
        self.waiting = 0
        self.start()

    def start(self) -> None:
        """Start the product, or start it again."""
        environment = {
            "RATE_LIMITS": "0",
            "STALE_SECONDS": "60",  # who stands still is not dead; who was killed is noticed by the next worker
            "POOL_TOTAL": str(self.waiting),
            "POOL_LEARNERS": "1",
            "POOL_GRADERS": str(max(0, self.waiting - 1)),
            "SANDBOX_PLACES": "20",  # whatever this machine has: nobody stops what a drill leaves running
        }
        if self.engine is not None:
            environment["DOCKER_HOST"] = self.engine.host
        self.product = start_product(self.driver, self._instance, self.run_dir, root=self.root, **environment)

    def keep_waiting(self, count: int) -> None:
        """Go on with a pool of so many, one for a learner and the others for grading; 0 means none."""
        if count != self.waiting:
            assert stop_product(self.product) == 0, self.product.output()[-5000:]
            assert not self.running(), "a clean end leaves nothing that runs"
            self.waiting = count
            self.start()

    def kill(self) -> None:
        """End every process of it at once, as a power cut does."""
        # Each is stopped first, so that none ends in peace, or starts another one again, because it sees that one dead.
        found: dict[int, str] = {}
        while fresh := set(self._processes()) - set(found):
            for pid in fresh:
                found[pid] = start_time(pid)
                send(pid, signal.SIGSTOP)
        for pid in found:
            send(pid, signal.SIGKILL)
        self.product.process.wait(60)
        soon(
            lambda: not any(began and start_time(pid) == began for pid, began in found.items()),
            "not all of them ended",
        )

    def worker(self) -> int:
        """The process of the worker."""
        return self.product.pid_of("portal worker")

    def kill_worker(self) -> None:
        os.kill(self.worker(), signal.SIGKILL)

    def _processes(self) -> list[int]:
        found = []
        for place in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                variables = (place / "environ").read_bytes().split(b"\0")
                if f"INSTANCE_DIR={self._instance}".encode() in variables:
                    found.append(int(place.name))
        return found

    def kill_sandbox(self, sandbox_id: str) -> None:
        """End a sandbox from outside, as an engine that runs out of memory does."""
        if self.engine is not None:
            self.engine.client().kill(f"sandbox-{sandbox_id}")
        else:
            for pid in sandbox_processes(sandbox_id):
                send(pid, signal.SIGKILL)

    def wanted(self) -> set[str]:
        """The sandboxes that sessions still have."""
        with closing(sqlite3.connect(self._instance / "portal.db", timeout=30)) as connection:
            rows = connection.execute(
                "SELECT sandbox_id FROM lab_sessions WHERE state IN ('ready', 'starting')"
            )
            return {row[0] for row in rows}

    def until_one_waits(self) -> str:
        """The id of the sandbox that waits for the next learner, once there is one."""
        return soon(lambda: self._waiting("session"), "no sandbox waits", LOOK_SECONDS).pop()

    def until_pool_is_full(self) -> set[str]:
        """The ids of all that wait, once as many do as may; each was started by the worker that runs now."""

        def full() -> set[str]:
            learners, graders = self._waiting("session"), self._waiting("grading")
            return learners | graders if (len(learners), len(graders)) == (1, self.waiting - 1) else set()

        return soon(full, "the pool was not filled", LOOK_SECONDS)

    def _waiting(self, purpose: str) -> set[str]:
        """Those that wait for this, when nothing is being started or ended."""
        try:
            note = json.loads((self.run_dir / "pool.json").read_text())
        except FileNotFoundError:
            return set()  # the worker has only just begun
        shelves = [flavour for flavour in note["flavours"] if flavour["purpose"] == purpose]
        warm = sum(flavour["warm"] for flavour in shelves)
        if not warm:
            return set()
        found = set()
        for sandbox_id, _labels in self.running():
            record = RunDirectory(self.run_dir).record(sandbox_id)  # once: it may be handed out just now
            if record is not None and record.labels["purpose"] == "pool" and lives(record.starter):
                assert record.blank
                if record.jupyter == (purpose == "session"):
                    found.add(sandbox_id)
        return found if len(found) == warm else set()

    @contextlib.contextmanager
    def _driver(self) -> Iterator[Driver]:
        """A driver of our own, beside the worker's."""
        with pytest.MonkeyPatch.context() as patch:
            if self.engine is not None:
                patch.setenv("DOCKER_HOST", self.engine.host)
            yield open_driver(self.driver, self.run_dir)

    def running(self) -> list[tuple[str, Mapping[str, str]]]:
        """Ids and labels of all sandboxes that run."""
        with self._driver() as driver:
            return driver.running()

    def assert_no_orphans(self) -> None:
        """Nothing is left of any sandbox but of those that sessions have and those that wait, once the reaper ran.

        And as many wait as may.
        """
        waiting = self.until_pool_is_full() if self.waiting else set()
        keep = self.wanted() | waiting
        with self._driver() as driver:
            driver.reap(keep)
            assert {sandbox_id for sandbox_id, _ in driver.running()} <= keep
        for name in ("s", "doors", "records", "routes"):
            left = {path.name.removesuffix(".json") for path in (self.run_dir / name).iterdir()}
            assert left <= keep, f"{name}: {left - keep}"
        assert not list((self.run_dir / "adopting").iterdir())
        for blanks in (self._instance / "workspaces" / ".blank", self.run_dir / "scratch"):
            assert {path.name for path in blanks.glob("*")} <= {f"{BLANK}{each}" for each in waiting}, blanks
        if self.engine is not None:
            names = [container["Names"][0] for container in self.engine.client().containers(all=True)]
            assert {name.removeprefix("/sandbox-") for name in names} <= keep

    def close(self) -> None:
        stop_product(self.product)
        shutil.rmtree(self.run_dir, ignore_errors=True)


def soon(true: Callable[[], Found], what: str, pause: float = 0.005) -> Found:
    """Wait until something is so, and return it.

    The pause is short for what must be hit at its moment, long for what takes work to tell.
    """
    deadline = time.monotonic() + WAIT_SECONDS
    while not (found := true()):
        assert time.monotonic() < deadline, what
        time.sleep(pause)
    return found


def send(pid: int, number: signal.Signals) -> None:
    """Send a signal to a process that may have ended."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def until_nothing_runs(sandbox_id: str) -> None:
    """Return once no process of a sandbox is left: one that was killed takes a moment to end."""
    soon(lambda: not sandbox_processes(sandbox_id), f"processes of {sandbox_id} are left", LOOK_SECONDS)


def sandbox_processes(sandbox_id: str) -> list[int]:
    """Every process on this machine that belongs to a sandbox."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if f"SANDBOX_ID={sandbox_id}".encode() in (place / "environ").read_bytes().split(b"\0"):
                found.append(int(place.name))
    return found


@pytest.fixture(scope="module")
def engine() -> Iterator[PrivateEngine]:
    if os.geteuid() != 0:
        pytest.skip("only root can start a Docker engine of one's own")
    with tempfile.TemporaryDirectory(prefix="pgd-", dir="/tmp") as folder:
        open_driver("docker", Path(folder)).prepare("base", lambda progress: None)
    engine = PrivateEngine()
    try:
        engine.start()
        engine.load(ImageContext("base").tag, REAL_IMAGE)
        yield engine
    finally:
        engine.close()


@pytest.fixture(scope="module")
def own_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the product whose image is made in a moment, from the real one: so it can be removed and made again."""
    tree = tmp_path_factory.mktemp("tree") / "product"
    shutil.copytree(ROOT, tree, ignore=LEFT_OUT, symlinks=True)
    (tree / "sandboxes" / "images" / "base" / "Dockerfile").write_text(
        f"# fetching the real image\nFROM {REAL_IMAGE}\n\n"
        "# copying a file for the drill\nCOPY requirements/sandbox.txt /opt/drill.txt\n"
    )
    return tree


@pytest.fixture(scope="module")
def the_docker_site(
    engine: PrivateEngine, own_tree: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    site = Site("docker", tmp_path_factory.mktemp("docker"), own_tree, engine)
    yield site
    site.close()


@pytest.fixture(scope="module")
def the_local_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    site = Site("local", tmp_path_factory.mktemp("local"), ROOT, None)
    yield site
    site.close()


@pytest.fixture(
    params=[
        pytest.param("local", marks=pytest.mark.postgres),
        pytest.param("docker", marks=pytest.mark.docker),
    ]
)
def site(request: pytest.FixtureRequest) -> Site:
    """The product on each driver, with sandboxes that wait where the drill is marked so."""
    return _site(request, request.param)


@pytest.fixture
def docker_site(request: pytest.FixtureRequest) -> Site:
    """The product on containers, with sandboxes that wait where the drill is marked so."""
    return _site(request, "docker")


def _site(request: pytest.FixtureRequest, driver: str) -> Site:
    site: Site = request.getfixturevalue(f"the_{driver}_site")
    site.keep_waiting(POOL if _has_pool(request.node) else 0)
    return site


def _has_pool(item: pytest.Item) -> bool:
    return item.get_closest_marker("pool") is not None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Drills with a pool come last: so each product is started anew for it once."""
    places = [number for number, item in enumerate(items) if item.path.parent == Path(__file__).parent]
    drills = sorted((items[number] for number in places), key=_has_pool)
    for number, item in zip(places, drills, strict=True):
        items[number] = item


@pytest.fixture
def small_disk() -> Iterator[list[Path]]:
    """Folders that get a file system of their own, of 24 MB; unmounted afterwards."""
    places: list[Path] = []
    yield places
    for place in places:
        subprocess.run(["umount", "--lazy", str(place)], check=True)
