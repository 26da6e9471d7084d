"""A worker in a container counts on the container's memory, not on the machine's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from portal.settings import Settings
from portal.work import memory
from portal.work.memory import control_group_limits, usable_memory_mb
from portal.work.places import RESERVE_MB, site_places

GB = 1024**3
UNBOUNDED = 9_223_372_036_854_771_712
"""What version 1 says when there is no bound."""


class Machine:
    """The files of a system, below one folder."""

    def __init__(self, root: Path) -> None:
        self.proc = root / "proc"
        self.mount = root / "sys" / "fs" / "cgroup"
        self.proc.mkdir()

    def version_2(self, path: str, root: str = "/") -> None:
        (self.proc / "cgroup").write_text(f"0::{path}\n")
        (self.proc / "mountinfo").write_text(
            "24 1 0:22 / /proc rw,nosuid - proc proc rw\n"
            f"31 24 0:27 {root} {self.mount} ro,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
        )

    def version_1(self, path: str, root: str = "/") -> None:
        (self.proc / "cgroup").write_text(f"9:memory:{path}\n4:cpu,cpuacct:{path}\n0::/\n")
        (self.proc / "mountinfo").write_text(
            f"32 31 0:28 {root} {self.mount}/cpu rw - cgroup cgroup rw,cpu,cpuacct\n"
            f"33 31 0:29 {root} {self.mount}/memory rw - cgroup cgroup rw,memory\n"
        )

    def limit(self, folder: str, value: str | int, name: str = "memory.max") -> None:
        place = self.mount / folder
        place.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(f"{value}\n")


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_in_a_container_of_version_2_its_own_group_is_the_root(machine: Machine) -> None:
    machine.version_2("/")
    machine.limit("", 2 * GB)
    assert control_group_limits(machine.proc) == [2 * GB]
    assert usable_memory_mb(machine.proc) == 2048


def test_of_groups_above_each_other_the_narrowest_counts(machine: Machine) -> None:
    machine.version_2("/system.slice/portal.service")
    machine.limit("system.slice/portal.service", "max")
    machine.limit("system.slice", GB)
    machine.limit("neighbour.slice", 1)
    assert control_group_limits(machine.proc) == [GB]
    assert usable_memory_mb(machine.proc) == 1024


def test_in_a_container_of_version_1_the_path_is_the_host_s(machine: Machine) -> None:
    machine.version_1("/docker/abc", root="/docker/abc")
    machine.limit("memory", 3 * GB, "memory.limit_in_bytes")
    machine.limit("cpu", 1, "memory.limit_in_bytes")
    assert control_group_limits(machine.proc) == [3 * GB]
    assert usable_memory_mb(machine.proc) == 3072


def test_version_1_on_the_machine_itself(machine: Machine) -> None:
    machine.version_1("/user/portal")
    machine.limit("memory", UNBOUNDED, "memory.limit_in_bytes")
    machine.limit("memory/user/portal", GB, "memory.limit_in_bytes")
    assert usable_memory_mb(machine.proc) == 1024


@pytest.mark.parametrize("path", ["/docker/abc", "/../elsewhere"])
def test_a_path_that_is_not_mounted_here_leaves_the_mounted_group(machine: Machine, path: str) -> None:
    machine.version_2(path, root="/other" if path.startswith("/d") else "/")
    machine.limit("", GB)
    assert usable_memory_mb(machine.proc) == 1024


def test_a_mount_with_a_blank_in_its_name_is_found(machine: Machine) -> None:
    machine.mount = machine.mount / "with blank"
    machine.version_2("/")
    text = (machine.proc / "mountinfo").read_text()
    (machine.proc / "mountinfo").write_text(text.replace("with blank", "with\\040blank"))
    machine.limit("", GB)
    assert usable_memory_mb(machine.proc) == 1024


@pytest.mark.parametrize("value", ["max", UNBOUNDED, "", "nonsense", "-1"])
def test_what_is_no_bound_leaves_the_machine_s_memory(machine: Machine, value: str | int) -> None:
    machine.version_2("/")
    machine.limit("", value)
    pages = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert usable_memory_mb(machine.proc) == pages // 1024 // 1024


def test_a_system_without_control_groups_has_its_memory(machine: Machine) -> None:
    assert control_group_limits(machine.proc) == []
    (machine.proc / "cgroup").write_text("garbage\n::\n")
    (machine.proc / "mountinfo").write_text("garbage\n- cgroup2\n")
    assert control_group_limits(machine.proc) == []


def test_places_come_from_what_is_usable(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.version_2("/")
    machine.limit("", RESERVE_MB * 1024**2 + 3 * GB)
    monkeypatch.setattr("portal.work.places.usable_memory_mb", lambda: memory.usable_memory_mb(machine.proc))
    assert site_places(Settings(sandbox_place_mb=1024)) == min(3, site_places(Settings(), 10**9))
