"""What the tool `go` gives to those who use it."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandboxes.services import go
from sandboxes.services.base import Place, ServiceFailed


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A place with nothing in it."""
    return Place(tmp_path, tmp_path / "data", tmp_path / "no cache", tmp_path)


def test_without_the_race_detector_there_is_no_c(place: Place) -> None:
    variables = go.Go({}, place).environment()
    assert variables["CGO_ENABLED"] == "0"
    assert "-tags" not in variables["GOFLAGS"]
    assert go.Go({"race": "off"}, place).environment() == variables


def test_with_it_nothing_else_uses_c(place: Place) -> None:
    variables = go.Go({"race": "on"}, place).environment()
    assert variables["CGO_ENABLED"] == "1"
    assert "-tags=netgo,osusergo" in variables["GOFLAGS"]


def test_a_lab_that_needs_it_does_not_start_without_a_c_compiler(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(go, "find_program", lambda name: "/bin/true" if name == "go" else None)
    with pytest.raises(ServiceFailed, match="apt-get install gcc libc6-dev"):
        go.Go({"race": "on"}, place).probe()
    go.Go({}, place).probe()


def test_what_the_option_can_not_take_is_refused(place: Place) -> None:
    with pytest.raises(ValueError, match="race of the service go is on or off"):
        go.Go({"race": "1"}, place)
