from __future__ import annotations

from pathlib import Path

import pytest

from sandboxes.drivers import DRIVERS, choose_driver, driver_class, open_driver
from sandboxes.interface import DriverUnavailable

NOWHERE = "unix:///nonexistent/engine.sock"


def test_every_name_leads_to_a_driver_of_that_name() -> None:
    for name in DRIVERS:
        assert driver_class(name).name == name


def test_only_containers_are_for_strangers() -> None:
    assert {name for name in DRIVERS if driver_class(name).isolated} == {"docker"}


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    for attempt in (lambda: open_driver("cloud", Path("/tmp/x")), lambda: choose_driver("cloud")):
        with pytest.raises(DriverUnavailable, match="docker, local"):
            attempt()


def test_without_an_engine_auto_is_local_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", NOWHERE)
    choice = choose_driver("auto")
    assert choice.name == "local"
    assert "engine" in choice.reason


def test_a_wanted_driver_is_taken_at_its_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", NOWHERE)
    assert choose_driver("docker").name == "docker"
    with pytest.raises(DriverUnavailable, match="Docker"):
        open_driver("docker", Path("/tmp/x"))
