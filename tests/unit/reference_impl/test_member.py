"""One service's process under the supervisor: it comes back after growing pauses, or stays away when told so."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from reference_impl.shared.settings import Settings
from reference_impl.topologies import member as members
from reference_impl.topologies import registry
from reference_impl.topologies.ground import Ground, Phase
from reference_impl.topologies.member import Member
from reference_impl.topologies.parts.base import launch

Make = Callable[..., Member]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """Members whose process is some Python, given as text."""
    made: list[Member] = []
    monkeypatch.setattr(members, "FIRST_PAUSE_SECONDS", 0.05)

    def make_it(code: str, **settings: Any) -> Member:
        def launch_code(_arguments: list[str], log: Path, **options: Any) -> Any:
            return launch([sys.executable, "-c", code], log, **options)

        monkeypatch.setattr(members, "launch", launch_code)
        made.append(Member(registry.entry("order"), Settings(**settings), Ground(tmp_path), {}))
        made[-1].start()
        return made[-1]

    yield make_it
    for member in made:
        member.end()


def ready(_request: httpx.Request) -> httpx.Response:
    return httpx.Response(200, json={"state": "up", "parts": [{"backlog": 3}, {"backlog": 4}]})


def refused(_request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("nobody there")


def look_until(
    member: Member, phase: Phase, answer: Callable[[httpx.Request], httpx.Response] = refused
) -> None:
    deadline = time.monotonic() + 60
    with httpx.Client(transport=httpx.MockTransport(answer)) as client:
        while member.phase is not phase:
            assert time.monotonic() < deadline, f"it stays {member.phase}"
            member.look(client)
            time.sleep(0.01)


def test_it_is_ready_when_it_says_so(make: Make) -> None:
    member = make("import time; time.sleep(60)")
    assert member.phase is Phase.STARTING
    look_until(member, Phase.READY, ready)
    with httpx.Client(transport=httpx.MockTransport(ready)) as client:
        assert member.backlog(client) == 7


def test_it_is_started_again_after_growing_pauses(make: Make) -> None:
    member = make("raise SystemExit(3)")
    pauses = []
    for _ in range(3):
        look_until(member, Phase.WAITING)
        assert "exit code 3" in member.detail
        pauses.append(float(member.detail.rsplit(" ", 2)[1]))
        look_until(member, Phase.STARTING)
    assert pauses == [0.05, 0.1, 0.2]
    assert member.state().restarts == 3


def test_it_stays_away_when_restarts_are_switched_off_until_somebody_asks(make: Make) -> None:
    member = make("import os; os.kill(os.getpid(), 9)", restart=False)
    look_until(member, Phase.FAILED)
    assert "SIGKILL" in member.detail
    assert member.state().pid is None
    member.restart()
    assert member.phase is Phase.STARTING


def test_what_ignores_the_request_to_end_is_ended_with_force(
    make: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(members, "STOP_SECONDS", 0.3)
    deaf = "import signal,time,pathlib; signal.signal(15, lambda *_: None); print('deaf', flush=True); time.sleep(60)"
    member = make(deaf)
    deadline = time.monotonic() + 60
    while "deaf" not in member.log.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    member.end()
    assert member.state().pid is None


def test_it_is_started_again_when_what_it_runs_on_has_moved(make: Make) -> None:
    member = make("import time; time.sleep(60)")
    first = member.state().pid
    member.move({})
    assert member.state().pid == first
    member.move({"MERIDIAN_KAFKA_BOOTSTRAP_SERVERS": "elsewhere:1"})
    assert member.state().pid != first
