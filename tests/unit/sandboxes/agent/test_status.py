from __future__ import annotations

import json
from pathlib import Path

from sandboxes.agent.status import STEPS, StatusBoard
from sandboxes.drivers.handle import parse_status
from sandboxes.interface import Phase, SandboxState, ServiceState, ServiceStatus


def test_the_driver_reads_what_the_agent_wrote(tmp_path: Path) -> None:
    board = StatusBoard(tmp_path / "status.json", ["postgres"])
    board.step(Phase.STARTING_SERVICES, "starting postgres")
    board.service("postgres", ServiceState.FAILED, "no room")
    board.become(SandboxState.FAILED, "it did not start")
    status = parse_status(json.loads((tmp_path / "status.json").read_text()))
    assert (status.state, status.phase) == (SandboxState.FAILED, Phase.STARTING_SERVICES)
    assert status.services == (ServiceStatus("postgres", ServiceState.FAILED, "no room"),)
    assert status.detail == "it did not start"


def test_the_story_of_a_start_does_not_grow_without_bound(tmp_path: Path) -> None:
    board = StatusBoard(tmp_path / "status.json", [])
    for number in range(STEPS + 10):
        board.step(Phase.STARTING_SERVICES, f"step {number}")
    assert len(board.document()["steps"]) == STEPS


def test_a_disk_that_is_full_does_not_end_the_agent(tmp_path: Path) -> None:
    board = StatusBoard(tmp_path / "missing" / "status.json", [])
    board.become(SandboxState.READY)
    assert board.state is SandboxState.READY
