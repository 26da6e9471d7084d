"""All checks together, here and where something is missing."""

from __future__ import annotations

import importlib.util
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandboxes.doctor import Finding, State, Surroundings, examine, usable_drivers
from sandboxes.doctor.finding import Check
from sandboxes.services import SERVICES
from sandboxes.services.postgres import Postgres


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """No check is given up because the machine is busy."""
    monkeypatch.setattr(Check.__init__, "__defaults__", (60.0,))


@pytest.fixture
def surroundings() -> Iterator[Surroundings]:
    folder = Path(tempfile.mkdtemp(prefix="pgd-"))
    yield Surroundings(folder / "run", folder / "workspaces")
    shutil.rmtree(folder)


@pytest.fixture
def no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent/engine.sock")


def by_name(findings: list[Finding]) -> dict[str, Finding]:
    assert len({finding.name for finding in findings}) == len(findings), "names are unique"
    return {finding.name: finding for finding in findings}


@pytest.mark.usefixtures("no_engine")
def test_without_an_engine_all_that_needs_none_is_still_checked(surroundings: Surroundings) -> None:
    found = by_name(examine(surroundings))
    assert found["engine"].state is State.PROBLEM
    assert "limits" not in found
    wanted = {"Python packages", "run directory", "workspaces' disk", "memory", "kernel limits", "clock"}
    assert wanted <= set(found)
    assert {f"local {name}" for name in SERVICES} <= set(found)
    assert not surroundings.run_dir.exists(), "an examination changes nothing"


@pytest.mark.usefixtures("no_engine")
def test_without_engine_and_database_no_driver_is_left(
    surroundings: Surroundings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Postgres, "missing", classmethod(lambda _cls: "Install PostgreSQL."))
    findings = examine(surroundings)
    assert by_name(findings)["local postgres"].todo == "Install PostgreSQL."
    assert usable_drivers(findings) == []


@pytest.mark.usefixtures("no_engine")
def test_a_missing_package_is_named(surroundings: Surroundings, monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "ipykernel" else real(name, *rest)
    )
    found = by_name(examine(surroundings))["Python packages"]
    assert (found.state, found.found, found.blocks) == (State.PROBLEM, "Missing: ipykernel.", ("local",))


def test_a_service_that_only_some_labs_need_is_a_warning(
    monkeypatch: pytest.MonkeyPatch, surroundings: Surroundings
) -> None:
    monkeypatch.setattr(SERVICES["meridian"], "missing", classmethod(lambda _cls: "Install it."))
    findings = examine(surroundings)
    assert by_name(findings)["local meridian"].state is State.WARNING
    assert "local" in usable_drivers(findings)


def test_only_problems_block() -> None:
    findings = [
        Finding("a", State.WARNING, "", blocks=("docker",)),
        Finding("b", State.PROBLEM, "", blocks=("local",)),
        Finding("c", State.PROBLEM, ""),
    ]
    assert usable_drivers(findings) == ["docker"]
