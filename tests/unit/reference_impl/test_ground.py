"""The directory of a running Meridian: held by one, readable by all, honest after any end."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from reference_impl.topologies import ground as grounds
from reference_impl.topologies.ground import Ground, Held, Phase, PlatformState


def state(ground: Ground) -> PlatformState:
    told = PlatformState(
        topology="services", pid=os.getpid(), phase=Phase.READY, url="http://x", started_at=datetime.now(UTC)
    )
    ground.write(told)
    return told


def test_what_is_told_can_be_read_while_it_runs_and_not_afterwards(tmp_path: Path) -> None:
    ground = Ground(tmp_path)
    with ground.hold():
        told = state(ground)
        assert Ground(tmp_path).read() == told
    assert Ground(tmp_path).read() is None


def test_a_state_whose_teller_has_died_is_not_believed(tmp_path: Path) -> None:
    ground = Ground(tmp_path)
    with ground.hold():
        state(ground)
        left_behind = (tmp_path / "state.json").read_text()
    (tmp_path / "state.json").write_text(left_behind)
    assert ground.read() is None


def test_one_at_a_time_holds_a_directory(tmp_path: Path) -> None:
    with Ground(tmp_path).hold(), pytest.raises(Held, match="down"), Ground(tmp_path).hold():
        pass
    with Ground(tmp_path).hold():
        pass


def test_a_request_is_seen_once_and_forgotten_with_the_next_start(tmp_path: Path) -> None:
    ground = Ground(tmp_path)
    with ground.hold():
        ground.ask_restart("order")
        assert not ground.restart_asked("payment")
        assert [ground.restart_asked("order") for _ in range(2)] == [True, False]
        ground.ask_restart("order")
    with ground.hold():
        assert not ground.restart_asked("order")


def test_a_log_that_became_too_large_is_moved_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grounds, "LARGEST_LOG_BYTES", 10)
    ground = Ground(tmp_path)
    with ground.hold():
        with ground.log("order").open("ab", buffering=0) as writer:
            writer.write(b"one line\nand another\n")
            ground.log("product").write_text("short\n")
            ground.trim_logs()
            writer.write(b"the next\n")
        assert ground.log("order").read_text() == "the next\n"
        assert (ground.logs / "order.log.1").read_text() == "one line\nand another\n"
        assert ground.log("product").read_text() == "short\n"
