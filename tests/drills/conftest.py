"""A product for each driver, and for containers an engine of its own that may be killed."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from sandboxes.drivers import open_driver
from sandboxes.drivers.images import ImageContext
from tests.conftest import ROOT
from tests.drills.engine import PrivateEngine
from tests.e2e.conftest import Product, start_product, stop_product

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
        self._run_dir = Path(tempfile.mkdtemp(prefix="pgd-", dir="/tmp"))
        self.product: Product
        self.start()

    def start(self) -> None:
        """Start the product, or start it again."""
        environment = {
            "RATE_LIMITS": "0",
            "POOL_TOTAL": "0",
            "STALE_SECONDS": "6",
            "SANDBOX_PLACES": "20",  # whatever this machine has: nobody stops what a drill leaves running
        }
        if self.engine is not None:
            environment["DOCKER_HOST"] = self.engine.host
        self.product = start_product(self.driver, self._instance, self._run_dir, root=self.root, **environment)

    def kill(self) -> None:
        """End every process of it at once, as a power cut does."""
        for pid in self._processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.product.process.wait(60)

    def kill_worker(self) -> None:
        os.kill(self.product.pid_of("portal worker"), signal.SIGKILL)

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
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def wanted(self) -> set[str]:
        """The sandboxes that sessions still have."""
        with closing(sqlite3.connect(self._instance / "portal.db", timeout=30)) as connection:
            rows = connection.execute(
                "SELECT sandbox_id FROM lab_sessions WHERE state IN ('ready', 'starting')"
            )
            return {row[0] for row in rows}

    def assert_no_orphans(self) -> None:
        """Nothing is left of any sandbox but of those that sessions have, once the reaper ran."""
        keep = self.wanted()
        with pytest.MonkeyPatch.context() as patch:
            if self.engine is not None:
                patch.setenv("DOCKER_HOST", self.engine.host)
            driver = open_driver(self.driver, self._run_dir)
            driver.reap(keep)
            assert {sandbox_id for sandbox_id, _ in driver.running()} <= keep
        for name in ("s", "doors", "records", "routes"):
            left = {path.name.removesuffix(".json") for path in (self._run_dir / name).iterdir()}
            assert left <= keep, f"{name}: {left - keep}"
        assert not list((self._run_dir / "adopting").iterdir())
        if self.engine is not None:
            names = [container["Names"][0] for container in self.engine.client().containers(all=True)]
            assert {name.removeprefix("/sandbox-") for name in names} <= keep

    def close(self) -> None:
        stop_product(self.product)
        shutil.rmtree(self._run_dir, ignore_errors=True)


def sandbox_processes(sandbox_id: str) -> list[int]:
    """Every process on this machine that belongs to a sandbox."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if f"SANDBOX_ID={sandbox_id}".encode() in (place / "environ").read_bytes().split(b"\0"):
                found.append(int(place.name))
    return found


@pytest.fixture(scope="session")
def engine() -> Iterator[PrivateEngine]:
    if os.geteuid() != 0:
        pytest.skip("only root can start a Docker engine of one's own")
    with tempfile.TemporaryDirectory(prefix="pgd-", dir="/tmp") as folder:
        open_driver("docker", Path(folder)).prepare("base", lambda progress: None)
    engine = PrivateEngine()
    try:
        engine.start()
        engine.load(ImageContext("base").tag)
        yield engine
    finally:
        engine.close()


@pytest.fixture(scope="session")
def own_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the product whose image is made in a moment, from the real one: so it can be removed and made again."""
    tree = tmp_path_factory.mktemp("tree") / "product"
    shutil.copytree(ROOT, tree, ignore=LEFT_OUT, symlinks=True)
    (tree / "sandboxes" / "images" / "base" / "Dockerfile").write_text(
        f"# fetching the real image\nFROM {ImageContext('base').tag}\n\n"
        "# copying a file for the drill\nCOPY requirements/sandbox.txt /opt/drill.txt\n"
    )
    return tree


@pytest.fixture(scope="session")
def docker_site(
    engine: PrivateEngine, own_tree: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    site = Site("docker", tmp_path_factory.mktemp("docker"), own_tree, engine)
    yield site
    site.close()


@pytest.fixture(scope="session")
def local_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
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
    """The product on each driver."""
    site: Site = request.getfixturevalue(f"{request.param}_site")
    return site


@pytest.fixture
def small_disk() -> Iterator[list[Path]]:
    """Folders that get a file system of their own, of 24 MB; unmounted afterwards."""
    places: list[Path] = []
    yield places
    for place in places:
        subprocess.run(["umount", "--lazy", str(place)], check=True)
