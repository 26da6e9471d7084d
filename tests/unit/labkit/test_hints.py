"""One hint after the other, from the checkout's labs."""

from __future__ import annotations

import pytest
from labkit import hints, lab
from labkit.lab import LabError

from labs.catalogue import load

TASK = "measure-oversell"


@pytest.fixture(autouse=True)
def nothing_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hints, "_shown", {})
    monkeypatch.setattr(hints, "SECONDS", 240.0)
    monkeypatch.delenv("LAB_SANDBOX", raising=False)
    monkeypatch.setenv("LAB_SLUG", "never-oversell")


def test_hints_come_one_at_a_time_and_then_from_the_start(capsys: pytest.CaptureFixture[str]) -> None:
    task = next(task for task in load().labs["never-oversell"].tasks if task.id == TASK)
    for step in (1, 2, 3, 1):
        lab.hint(TASK)
        said = capsys.readouterr().out
        assert said.splitlines()[0] == f"{task.title}: hint {step} of 3"
        assert task.hints[step - 1] in said
        assert (f'lab.hint("{TASK}") once more' in said) == (step < 3)


def test_a_task_that_there_is_not_is_told_with_those_that_there_are() -> None:
    with pytest.raises(LabError, match=r"no task 'no-such'(.|\n)*measure-oversell"):
        lab.hint("no-such")


def test_in_a_sandbox_the_portal_has_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LAB_SANDBOX", "1")
    lab.hint(TASK)
    assert "stand beside the notebook" in capsys.readouterr().out
