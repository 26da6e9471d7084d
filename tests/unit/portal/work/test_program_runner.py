"""What the runner does when a sandbox fails it, with sandboxes that say what the test wants."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from portal.work.programs import SandboxRunner, runner
from question_bank.runner import Ended, RunRequest
from question_bank.schema import RunnerUnavailable
from sandboxes.interface import (
    CommandResult,
    Phase,
    ProgressListener,
    Sandbox,
    SandboxGone,
    SandboxSpec,
    StartFailed,
)
from tests.unit.labs.fake_driver import FakeDriver, FakeSandbox

Script = Callable[[dict[str, Any]], str]
"""Order → what the sandbox prints."""


class ScriptedSandbox(FakeSandbox):
    """Prints what the test says."""

    def run(self, command: Sequence[str], timeout: float = 30.0) -> CommandResult:
        assert isinstance(self.driver, ScriptedDriver)
        assert command[:4] == ["python", "-I", "-B", "-c"]
        order = json.loads(zlib.decompress(base64.b64decode("".join(command[5:]))))
        self.driver.orders.append((self.id, order, timeout))
        return CommandResult(0, self.driver.script(order))


class ScriptedDriver(FakeDriver):
    """Starts them."""

    def __init__(self, script: Script, scratch: Path) -> None:
        super().__init__()
        self.script = script
        self.scratch = scratch
        self.orders: list[tuple[str, dict[str, Any], float]] = []

    def start(self, spec: SandboxSpec, progress: ProgressListener) -> Sandbox:
        if self.start_error is not None:
            raise self.start_error
        sandbox = ScriptedSandbox(spec, self)
        self.sandboxes.append(sandbox)
        return sandbox


def well(order: dict[str, Any], **more: Any) -> str:
    return "noise\n" + json.dumps(
        {"ended": "well", "output": order["given"].upper(), "error": "", "clean": True, **more}
    )


def ask(driver: ScriptedDriver, *inputs: str, language: str = "python") -> list[tuple[str, str]]:
    seen: list[int] = []
    request = RunRequest(language, {"solution.py": "x"}, inputs, 2.0)  # type: ignore[arg-type]
    result = SandboxRunner(driver, {"instance": "i"}).run(request, seen.append)
    assert seen == list(range(1, len(inputs) + 1))
    assert all(sandbox.stops == 1 for sandbox in driver.sandboxes)  # nobody uses them afterwards
    assert driver.scratch is not None
    assert list(driver.scratch.iterdir()) == []
    return [(str(outcome.ended), outcome.output) for outcome in result.outcomes]


def test_one_sandbox_and_one_command_a_case_that_knows_no_other(tmp_path: Path) -> None:
    driver = ScriptedDriver(well, tmp_path)
    assert ask(driver, "a", "b", "c") == [("well", "A"), ("well", "B"), ("well", "C")]
    (sandbox,) = driver.sandboxes
    assert sandbox.spec.labels["purpose"] == "program"
    assert not sandbox.spec.jupyter
    assert [order["given"] for _id, order, _seconds in driver.orders] == ["a", "b", "c"]
    assert all("inputs" not in order for _id, order, _seconds in driver.orders)


@pytest.mark.parametrize("nonsense", ["", "no json", "[1]", '{"ended": "well"}\nlast', "[" * 100_000])
def test_who_ends_the_sandbox_twice_fails_its_case_alone(tmp_path: Path, nonsense: str) -> None:
    driver = ScriptedDriver(lambda order: nonsense if order["given"] == "b" else well(order), tmp_path)
    assert ask(driver, "a", "b", "c") == [("well", "A"), ("error", ""), ("well", "C")]
    assert len(driver.sandboxes) == 3


def test_a_sandbox_that_is_lost_once_costs_nothing(tmp_path: Path) -> None:
    lost: list[str] = []

    def script(order: dict[str, Any]) -> str:
        if order["given"] == "b" and not lost:
            lost.append("b")
            raise SandboxGone("It is gone.")
        return well(order)

    driver = ScriptedDriver(script, tmp_path)
    assert ask(driver, "a", "b", "c") == [("well", "A"), ("well", "B"), ("well", "C")]


def test_what_leaves_something_behind_counts_and_the_rest_runs_elsewhere(tmp_path: Path) -> None:
    driver = ScriptedDriver(lambda order: well(order, clean=order["given"] != "a"), tmp_path)
    assert ask(driver, "a", "b", "c") == [("well", "A"), ("well", "B"), ("well", "C")]
    first, second, third = (sandbox for sandbox, _order, _seconds in driver.orders)
    assert first != second == third


def test_a_program_does_not_use_up_sandboxes_without_end(tmp_path: Path) -> None:
    driver = ScriptedDriver(lambda _order: "", tmp_path)
    assert ask(driver, *"abcdefghijklmnopqrst") == [("error", "")] * 20
    assert len(driver.sandboxes) == runner.MOST_LOST + 1


def test_a_request_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "REQUEST_SECONDS", -1.0)
    driver = ScriptedDriver(well, tmp_path)
    assert ask(driver, "a", "b") == [("timeout", ""), ("timeout", "")]


def test_no_sandbox_is_no_fault_of_the_program(tmp_path: Path) -> None:
    driver = ScriptedDriver(well, tmp_path)
    driver.start_error = StartFailed("No place.", phase=Phase.CREATING)
    with pytest.raises(RunnerUnavailable, match="Nothing is lost"):
        ask(driver, "a")
    assert list(tmp_path.iterdir()) == []


def test_answers_are_cut_and_made_fit_for_every_database(tmp_path: Path) -> None:
    driver = ScriptedDriver(
        lambda _order: json.dumps({"ended": "well", "output": "\0\ud800" + "x" * 99_999, "clean": True}),
        tmp_path,
    )
    request = RunRequest("python", {}, ("a",), 2.0)
    (outcome,) = SandboxRunner(driver).run(request).outcomes
    assert outcome.output.startswith("\ufffd?xxx")
    assert len(outcome.output) == 16_384
    driver.script = lambda _order: json.dumps({"ended": "brilliant", "output": 7, "clean": True})
    (outcome,) = SandboxRunner(driver).run(request).outcomes
    assert outcome.ended is Ended.WITH_ERROR


def test_go_is_built_once_in_each_sandbox(tmp_path: Path) -> None:
    def script(order: dict[str, Any]) -> str:
        if order["do"] == "build":
            assert order["files"]["go.mod"].startswith("module solution")
            return json.dumps({"ended": "well", "output": "", "error": "", "digest": "d" * 64, "clean": True})
        assert (order["digest"], order["files"]) == ("d" * 64, {})
        return well(order, clean=order["given"] != "a")

    driver = ScriptedDriver(script, tmp_path)
    assert ask(driver, "a", "b", "c", language="go") == [("well", "A"), ("well", "B"), ("well", "C")]
    assert [order["do"] for _id, order, _seconds in driver.orders] == ["build", "run", "build", "run", "run"]


def test_what_does_not_build_is_not_run(tmp_path: Path) -> None:
    driver = ScriptedDriver(
        lambda _order: json.dumps({"ended": "error", "output": "", "error": "line 3", "clean": True}), tmp_path
    )
    result = SandboxRunner(driver).run(RunRequest("go", {"solution.go": "x"}, ("a",), 2.0))
    assert (result.outcomes, result.build_error) == ((), "line 3")
