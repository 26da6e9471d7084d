"""One driver, one set of traps and one neighbour for all attacks of a module."""

from __future__ import annotations

import functools
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from labs.catalogue import Catalogue, Lab, load
from sandboxes.drivers import open_driver
from sandboxes.interface import Driver
from tests.attacks.host import Host
from tests.attacks.neighbour import Neighbour

TARGET = Path(__file__).parent / "lab"


@pytest.fixture(scope="session")
def labs() -> Catalogue:
    """The product's labs and the one that is made to be attacked."""
    target, real = load(TARGET), load()
    assert target.faults == ()
    return Catalogue({**{name: _impatient(lab) for name, lab in real.labs.items()}, **target.labs}, real.faults)


def _impatient(lab: Lab) -> Lab:
    """A lab with less time for those who waste it."""
    limits = lab.manifest.limits.model_copy(
        update={"cell_seconds": 6, "total_seconds": 20, "check_seconds": 20}
    )
    return replace(lab, manifest=lab.manifest.model_copy(update={"limits": limits}))


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    """A machine of our own inside this one: where workspaces and sandboxes lie, with traps laid out."""
    root = Path(tempfile.mkdtemp(prefix="pga-", dir="/tmp"))
    root.chmod(0o711)
    work, run_dir = root / "work", root / "run"
    for folder in (work, run_dir):
        folder.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700)
    made = Host(work, run_dir)
    made.lay_traps()
    with pytest.MonkeyPatch.context() as patch, made.doors():
        patch.setattr("labs.under_test.SQL_LOCK_SECONDS", 3)  # long enough for whoever means to let go
        # Only the graders' workspaces: other tests of this process have temporary folders of their own.
        inside = SimpleNamespace(mkdtemp=functools.partial(tempfile.mkdtemp, dir=str(work)))
        for module in ("labs.grader", "labs.bounded"):
            patch.setattr(f"{module}.tempfile", inside)
        yield made
    shutil.rmtree(root, ignore_errors=True)


@dataclass(frozen=True)
class Place:
    """Where attacks happen: a driver, and somebody honest on it."""

    driver: Driver
    neighbour: Neighbour


@pytest.fixture(scope="module")
def place(labs: Catalogue, host: Host) -> Iterator[Callable[[str], Place]]:
    """The place of a driver's name, opened once. When all is over, the neighbour was always well and nothing is left."""
    places: dict[str, Place] = {}

    def get(name: str) -> Place:
        if name not in places:
            driver = open_driver(name, host.run_dir)
            driver.prepare("base", lambda _: None)
            places[name] = Place(driver, Neighbour(labs.labs["target"], driver))
            places[name].neighbour.start()
        return places[name]

    yield get
    for each in places.values():
        each.neighbour.stop()
    running = [each.driver.running() for each in places.values()]
    for each in places.values():
        each.driver.close()
    assert [each.neighbour.harm for each in places.values()] == [[] for _ in places]
    assert all(each.neighbour.graded > 0 for each in places.values())
    assert running == [[] for _ in places]
    left = [
        path
        for name in ("s", "doors", "records", "routes", "scratch")
        for path in (host.run_dir / name).glob("*")
    ]
    left += [path for path in host.work.iterdir() if path not in host.secret_files]
    assert left == []
