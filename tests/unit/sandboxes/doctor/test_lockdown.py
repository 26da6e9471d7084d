"""What a look from inside a container means."""

from __future__ import annotations

from typing import Any

import pytest

from sandboxes.doctor.deep import LIMITS, lockdown
from sandboxes.doctor.finding import State

CLOSED: dict[str, Any] = {
    "uid": 1000,
    "capabilities": "0000000000000000",
    "bounding": "0000000000000000",
    "no_new_privileges": "1",
    "seccomp": "2",
    "interfaces": ["lo"],
    "root_writable": False,
    "memory": str(LIMITS.memory_mb * 1_048_576),
    "pids": str(LIMITS.pids),
}


def test_a_closed_container_is_fine() -> None:
    assert {finding.state for finding in lockdown(CLOSED)} == {State.OK}


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("network", {"interfaces": ["eth0", "lo"]}),
        ("root file system", {"root_writable": True}),
        ("user", {"uid": 0}),
        ("user", {"uid": "me"}),
        ("capabilities", {"capabilities": "00000000a80425fb"}),
        ("capabilities", {"bounding": "00000000a80425fb"}),
        ("capabilities", {"no_new_privileges": "0"}),
        ("capabilities", {"capabilities": ""}),
        ("system calls", {"seccomp": "0"}),
        ("memory limit", {"memory": "max"}),
        ("memory limit", {"memory": "9223372036854771712"}),
        ("process limit", {"pids": "max"}),
        ("process limit", {"pids": "4096"}),
    ],
)
def test_every_hole_is_a_problem_of_its_own(name: str, changes: dict[str, Any]) -> None:
    found = {finding.name: finding for finding in lockdown({**CLOSED, **changes})}
    holes = [key for key, finding in found.items() if finding.state is State.PROBLEM]
    assert holes == [f"container: {name}"]
    assert found[holes[0]].todo


def test_an_answer_without_facts_is_not_taken_for_a_closed_one() -> None:
    states = [finding.state for finding in lockdown({})]
    assert State.OK not in states[1:]
