"""What the engine's own words mean for labs."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from sandboxes.doctor import engine
from sandboxes.doctor.engine import EngineFacts
from sandboxes.doctor.finding import Finding, State
from sandboxes.drivers.docker import DockerDriver
from sandboxes.drivers.image_context import ImageContext, image_names

GOOD: Mapping[str, Any] = {
    "ServerVersion": "27.1",
    "OperatingSystem": "Debian GNU/Linux 12 (bookworm)",
    "OSType": "linux",
    "NCPU": 4,
    "CgroupVersion": "2",
    "MemoryLimit": True,
    "SwapLimit": True,
    "CpuCfsQuota": True,
    "PidsLimit": True,
    "SecurityOptions": ["name=apparmor", "name=seccomp,profile=builtin", "name=cgroupns"],
    "SystemTime": "2026-05-04T12:00:00.123456789Z",
    "DockerRootDir": "/",
}


def facts(images: Mapping[str, int] | None = None, address: str = "", **changes: Any) -> EngineFacts:
    return EngineFacts({**GOOD, **changes}, images or {}, address)


def test_an_engine_as_it_should_be_is_fine() -> None:
    for check in (engine.engine, engine.limits, engine.confinement, engine.shared_folders):
        assert check(facts()).state is State.OK, check


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("unix:///nonexistent/engine.sock", "no such file or directory"),
        ("tcp://127.0.0.1:1", "connection refused"),
    ],
)
def test_no_engine_says_where_it_was_sought_and_what_to_do(
    monkeypatch: pytest.MonkeyPatch, address: str, words: str
) -> None:
    monkeypatch.setenv("DOCKER_HOST", address)
    found = engine.ask_engine()
    assert isinstance(found, Finding)
    assert found.state is State.PROBLEM
    assert found.blocks == ("docker",)
    assert address in found.found
    assert words in found.found
    assert "Install or start Docker" in found.todo


def test_a_rootless_engine_is_named() -> None:
    told = engine.engine(facts(SecurityOptions=["name=seccomp,profile=builtin", "name=rootless"]))
    assert told.found.startswith("rootless Docker 27.1")


@pytest.mark.parametrize("address", ["tcp://engine.example:2376", "ssh://me@engine.example"])
def test_an_engine_on_another_machine_has_to_see_our_folders(address: str) -> None:
    found = engine.engine(facts(address=address))
    assert found.state is State.WARNING
    assert "INSTANCE_DIR" in found.todo
    assert engine.engine(facts(address="tcp://127.0.0.1:2375")).state is State.OK


def test_docker_desktop_is_reached_by_a_tunnel() -> None:
    found = engine.shared_folders(facts(OperatingSystem="Docker Desktop"))
    assert "by a tunnel" in found.found
    assert "tunnel" not in engine.shared_folders(facts()).found


def test_windows_containers_are_no_place_for_labs() -> None:
    found = engine.engine(facts(OSType="windows"))
    assert (found.state, found.blocks) == (State.PROBLEM, ("docker",))


def test_an_engine_that_can_not_limit_is_a_problem() -> None:
    found = engine.limits(facts(MemoryLimit=False, PidsLimit=False, CgroupVersion="1"))
    assert found.state is State.PROBLEM
    assert "memory, processes" in found.found


@pytest.mark.parametrize("options", [[], ["name=apparmor"], ["name=seccomp,profile=unconfined"]])
def test_containers_that_may_make_every_system_call_are_a_problem(options: list[str]) -> None:
    assert engine.confinement(facts(SecurityOptions=options)).state is State.PROBLEM


def test_an_image_is_there_stale_or_missing() -> None:
    tag = ImageContext("base").tag
    built = engine.image(facts({tag: 900_000_000}), "base")
    assert (built.state, built.found) == (State.OK, f"{tag}, 900 MB.")
    stale = engine.image(facts({"proving-ground/base:0123456789abcdef": 1}), "base")
    assert "other code" in stale.found
    missing = engine.image(facts(), "base")
    assert "not built" in missing.found
    assert "make images" in missing.todo


def test_an_image_that_takes_from_another_s_is_left_alone_until_somebody_asks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("KAFKA_IMAGE", raising=False)
    unasked = engine.image(facts(), "kafka")
    assert unasked.state is State.WARNING
    assert "not by itself" in unasked.found
    assert "`docker pull apache/kafka:" in unasked.todo
    others = {ImageContext(name).tag: 1 for name in image_names() if name != "kafka"}
    assert engine.base_images(facts(others)).state is State.OK, "all others are built"
    monkeypatch.setenv("KAFKA_IMAGE", "mine/kafka:3")
    assert "The first launch builds it" in engine.image(facts(), "kafka").todo
    assert engine.base_images(facts(others)).state is State.WARNING


def test_a_base_image_that_a_build_needs_is_missed() -> None:
    found = engine.base_images(facts())
    assert found.state is State.WARNING
    assert "ci/base-image" in found.todo
    assert engine.base_images(facts({"debian:bookworm-slim": 1})).state is State.OK


def test_the_engine_s_clock_is_read() -> None:
    assert facts().time == pytest.approx(1_777_896_000.123456)
    assert facts(SystemTime="nonsense").time is None
    assert facts(SystemTime=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())).time is not None


def test_one_user_in_a_container_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    driver = DockerDriver(tmp_path)
    monkeypatch.setattr(DockerDriver, "separates_users", True, raising=False)
    assert engine.two_users(driver).state is State.OK
    monkeypatch.setattr(DockerDriver, "separates_users", False, raising=False)
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    found = engine.two_users(driver)
    assert found.state is State.WARNING
    assert "as root" in found.todo
