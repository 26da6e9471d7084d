"""Grading: what the learner did wrong is in the report, what the machinery did wrong is raised."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from labs.catalogue import Lab
from labs.errors import BrokenLab
from labs.grader import grade, grading_spec
from labs.notebook import dumps
from labs.report import NotebookStatus, Report, TaskStatus
from sandboxes.interface import Phase, SandboxError, SandboxGone, StartFailed, TooLarge
from sandboxes.pool import Pool
from tests.unit.labs.fake_driver import FakeDriver, FakeSandbox


def as_bytes(notebook: dict[str, Any]) -> bytes:
    return dumps(notebook).encode()


def with_cells(notebook: dict[str, Any], *before_index: tuple[int, str]) -> bytes:
    """The notebook with extra code cells inserted, positions counted in the original."""
    made = copy.deepcopy(notebook)
    for number, (index, source) in enumerate(sorted(before_index, reverse=True)):
        cell = {"cell_type": "code", "id": f"extra-{number}", "metadata": {}, "source": source, "outputs": []}
        made["cells"].insert(index, {**cell, "execution_count": None})
    return as_bytes(made)


def results(report: Report) -> dict[str, str]:
    return {task.id: task.status.value for task in report.tasks}


def messages(report: Report) -> dict[str, str]:
    return {task.id: task.message for task in report.tasks}


def test_the_solution_earns_every_point(lab: Lab, driver: FakeDriver) -> None:
    report = grade(lab, as_bytes(lab.source.solution()), seed=1, driver=driver)
    assert (report.score, report.max_score, report.percent) == (100, 100, 100)
    assert results(report) == {"add": "passed", "double": "passed"}
    assert messages(report)["add"] == "Adds any two numbers."
    assert report.notebook.status is NotebookStatus.COMPLETED
    assert (report.lab, report.content_hash, report.seed) == ("tiny", lab.content_hash, 1)
    assert (report.sandbox.driver, report.sandbox.image) == ("fake", "base")
    assert report.lost == frozenset()


def test_the_starter_earns_none_and_is_told_so_kindly(lab: Lab, driver: FakeDriver) -> None:
    report = grade(lab, as_bytes(lab.source.learner()), seed=1, driver=driver)
    assert report.score == 0
    # `add` raises when it is called, the cell of `double` raises by itself.
    assert all(message.startswith("Not started yet") for message in messages(report).values())
    assert {task.status for task in report.tasks} == {TaskStatus.FAILED}


def test_a_wrong_answer_loses_its_task_only(lab: Lab, driver: FakeDriver) -> None:
    report = grade(lab, as_bytes(lab.source.with_answers({"add": "return a - b"})), seed=1, driver=driver)
    assert results(report) == {"add": "failed", "double": "passed"}
    assert messages(report)["add"] == "The sum is wrong."
    assert (report.score, report.percent) == (40, 40)


def test_the_sandbox_is_fresh_stopped_and_labelled(lab: Lab, driver: FakeDriver) -> None:
    grade(lab, as_bytes(lab.source.solution()), seed=1, driver=driver, labels={"submission": "7"})
    (sandbox,) = driver.sandboxes
    assert sandbox.stops == 1
    assert not sandbox.spec.jupyter
    assert sandbox.spec.environment == {"LAB_SLUG": "tiny"}
    assert sandbox.spec.labels == {"purpose": "grading", "lab": "tiny", "submission": "7"}
    assert not sandbox.spec.workspace.exists()
    assert driver.prepared == ["base"]


def test_the_workspace_lies_where_the_driver_keeps_what_nobody_keeps(
    lab: Lab, driver: FakeDriver, tmp_path: Path
) -> None:
    driver.scratch = tmp_path / "scratch"
    driver.scratch.mkdir()
    grade(lab, as_bytes(lab.source.solution()), seed=1, driver=driver)
    (sandbox,) = driver.sandboxes
    assert sandbox.spec.workspace.parent == driver.scratch
    assert list(driver.scratch.iterdir()) == []


def test_a_waiting_grader_serves_one_grading_and_no_other(lab: Lab, driver: FakeDriver, tmp_path: Path) -> None:
    driver.scratch = tmp_path / "scratch"
    driver.scratch.mkdir()
    pool = Pool(driver, total=2)
    pool.want(grading_spec(lab, tmp_path), 2)
    pool.tend()
    pool.tend()
    first, second = driver.sandboxes
    for hits in (1, 2):
        assert grade(lab, as_bytes(lab.source.solution()), seed=1, driver=pool).percent == 100
        assert pool.status()["hits"] == hits
    pool.close()
    assert driver.sandboxes == [first, second]
    assert min(first.stops, second.stops) >= 1
    assert list(driver.scratch.iterdir()) == []


def test_starter_files_lie_in_the_workspace(
    lab_folder: Path, reload: Callable[[], Lab], driver: FakeDriver
) -> None:
    (lab_folder / "starter").mkdir()
    (lab_folder / "starter" / "numbers.txt").write_text("1 2 3")
    checks = lab_folder / "checks.py"
    checks.write_text(
        checks.read_text().replace(
            "    a, b = lab", '    require(lab.read("numbers.txt") == b"1 2 3", "gone")\n    a, b = lab'
        )
    )
    changed = reload()
    assert grade(changed, as_bytes(changed.source.solution()), seed=1, driver=driver).score == 100


def test_the_same_seed_draws_the_same_inputs(
    lab_folder: Path, reload: Callable[[], Lab], driver: FakeDriver
) -> None:
    checks = lab_folder / "checks.py"
    checks.write_text(checks.read_text().replace('"The sum is wrong."', 'f"{a} and {b}"'))
    lab = reload()
    wrong = as_bytes(lab.source.with_answers({"add": "return None"}))
    drawn = [messages(grade(lab, wrong, seed=seed, driver=driver))["add"] for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]


@pytest.mark.parametrize("data", [b"", b"not a notebook", b"{}", b'{"nbformat": 4, "cells": []}'])
def test_what_is_not_this_labs_notebook_costs_no_sandbox(lab: Lab, driver: FakeDriver, data: bytes) -> None:
    report = grade(lab, data, seed=1, driver=driver)
    assert report.score == 0
    assert report.notebook.status is NotebookStatus.INVALID
    assert report.notebook.message
    assert set(results(report).values()) == {"failed"}
    assert driver.sandboxes == []
    assert report.executed is None


def test_a_missing_cell_fails_only_its_task_and_says_how_to_get_it_back(lab: Lab, driver: FakeDriver) -> None:
    notebook = lab.source.solution()
    notebook["cells"] = [cell for cell in notebook["cells"] if cell["metadata"].get("task") != "double"]
    report = grade(lab, as_bytes(notebook), seed=1, driver=driver)
    assert results(report) == {"add": "passed", "double": "failed"}
    assert "cell of task double is missing" in messages(report)["double"]
    assert "Open a new copy of the lab's notebook" in messages(report)["double"]


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("LOOPS", NotebookStatus.TIMED_OUT),
        ("PRINTS", NotebookStatus.OUTPUT_LIMIT),
        ("DIES", NotebookStatus.KERNEL_DIED),
    ],
)
def test_a_cell_that_ends_the_run_is_left_out_and_the_rest_is_graded(
    lab: Lab, driver: FakeDriver, word: str, status: NotebookStatus
) -> None:
    report = grade(lab, with_cells(lab.source.solution(), (2, f"x = 1  # {word}")), seed=1, driver=driver)
    assert report.notebook.status is status
    assert "ell 3" in report.notebook.message
    assert "run again without that cell" in report.notebook.message
    assert results(report) == {"add": "passed", "double": "passed"}
    assert driver.runs == 2
    assert report.executed is not None
    assert report.executed["cells"][2]["source"] == f"x = 1  # {word}"


def test_a_cell_that_hoards_memory_is_left_out_too(lab: Lab, driver: FakeDriver) -> None:
    report = grade(lab, with_cells(lab.source.solution(), (2, "raise MemoryError")), seed=1, driver=driver)
    assert report.notebook.status is NotebookStatus.OUT_OF_MEMORY
    assert report.notebook.message.startswith("Cell 3 needed more memory than the 1024 MB")
    assert "It begins `raise MemoryError`." in report.notebook.message
    assert report.score == 100


def test_fresh_kernels_are_given_only_while_there_is_time_for_them(
    lab: Lab, driver: FakeDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("labs.run.MIN_SECONDS", 1_000.0)
    mistake = "if b > 9:\n    raise SystemExit\nreturn a + b"
    report = grade(lab, as_bytes(lab.source.with_answers({"add": mistake})), seed=1, driver=driver)
    assert results(report) == {"add": "failed", "double": "failed"}
    assert driver.runs == 1


def test_a_task_cell_that_ends_the_run_costs_its_own_task(lab: Lab, driver: FakeDriver) -> None:
    notebook = as_bytes(lab.source.with_answers({"double": "def double(a):\n    return 2 * a  # LOOPS"}))
    report = grade(lab, notebook, seed=1, driver=driver)
    assert results(report) == {"add": "passed", "double": "failed"}
    assert "was left out" in messages(report)["double"]
    assert "took longer than" in messages(report)["double"]


def test_a_notebook_of_bad_cells_only_is_given_up_after_a_few_runs(lab: Lab, driver: FakeDriver) -> None:
    bad = [(0, f"x = {number}  # DIES") for number in range(6)]
    report = grade(lab, with_cells(lab.source.solution(), *bad), seed=1, driver=driver)
    assert report.notebook.status is NotebookStatus.KERNEL_DIED
    assert report.score == 0
    assert driver.runs == 4
    assert all("never ran to its end" in message for message in messages(report).values())


def test_a_kernel_that_a_check_used_up_is_replaced_for_the_next_task(lab: Lab, driver: FakeDriver) -> None:
    for mistake, words in (
        ("raise SystemExit", "ended the Python kernel"),
        ("raise TimeoutError", "did not answer in time"),
    ):
        driver.runs = 0
        report = grade(
            lab,
            as_bytes(lab.source.with_answers({"add": f"if b > 9:\n    {mistake}\nreturn a + b"})),
            seed=1,
            driver=driver,
        )
        assert results(report) == {"add": "failed", "double": "passed"}
        assert words in messages(report)["add"]
        assert driver.runs == 2


def test_the_error_of_a_task_cell_is_told_first(lab: Lab, driver: FakeDriver) -> None:
    report = grade(
        lab, as_bytes(lab.source.with_answers({"double": "import nothing_of_the_kind"})), seed=1, driver=driver
    )
    first, second = messages(report)["double"].splitlines()
    assert first == "The cell of this task raised ModuleNotFoundError: No module named 'nothing_of_the_kind'"
    assert "defines no 'double'" in second
    assert report.notebook.message.startswith(
        "1 cell raised an error; the first is cell 5, `import nothing_of_the_kind`: ModuleNotFoundError"
    )


def test_a_copied_task_cell_counts_as_it_was_run_last(lab: Lab, driver: FakeDriver) -> None:
    notebook = lab.source.solution()
    copied = copy.deepcopy(notebook["cells"][2])
    copied |= {"id": "copy", "source": "def add(a, b):\n    return 0"}
    notebook["cells"].append(copied)
    assert results(grade(lab, as_bytes(notebook), seed=1, driver=driver)) == {
        "add": "failed",
        "double": "passed",
    }


def test_a_broken_check_is_an_error_and_not_the_learners_fault(
    lab_folder: Path, reload: Callable[[], Lab], driver: FakeDriver
) -> None:
    checks = lab_folder / "checks.py"
    checks.write_text(checks.read_text().replace("    a, b = lab", "    a, b = 1 / 0, lab"))
    lab = reload()
    report = grade(lab, as_bytes(lab.source.solution()), seed=1, driver=driver)
    assert results(report) == {"add": "error", "double": "passed"}
    assert "not your fault (ZeroDivisionError)" in messages(report)["add"]


def test_checks_that_do_not_load_are_raised_before_a_sandbox_starts(
    lab_folder: Path, reload: Callable[[], Lab], driver: FakeDriver
) -> None:
    checks = lab_folder / "checks.py"
    checks.write_text(checks.read_text() + "\nimport nothing_of_the_kind\n")
    lab = reload()
    with pytest.raises(BrokenLab, match="nothing_of_the_kind"):
        grade(lab, as_bytes(lab.source.solution()), seed=1, driver=driver)
    assert driver.sandboxes == []


def test_a_sandbox_that_does_not_start_is_raised(lab: Lab, driver: FakeDriver) -> None:
    driver.start_error = StartFailed("It did not start.", phase=Phase.STARTING_SERVICES)
    with pytest.raises(StartFailed):
        grade(lab, as_bytes(lab.source.solution()), seed=1, driver=driver)


def test_a_notebook_that_ends_its_sandbox_twice_gets_a_result(lab: Lab, driver: FakeDriver) -> None:
    report = grade(lab, with_cells(lab.source.solution(), (1, "VANISHES = 1")), seed=1, driver=driver)
    assert report.notebook.status is NotebookStatus.SANDBOX_LOST
    assert report.score == 0
    assert len(driver.sandboxes) == 2
    assert all(sandbox.stops for sandbox in driver.sandboxes)


@pytest.mark.parametrize(
    "error",
    [TooLarge("an answer that is too large"), SandboxError("an answer that makes no sense", detail="x")],
)
def test_a_sandbox_whose_answers_make_no_sense_gets_a_result_too(
    lab: Lab, driver: FakeDriver, monkeypatch: pytest.MonkeyPatch, error: SandboxError
) -> None:
    def nonsense(self: FakeSandbox, notebook: Any, limits: Any) -> Any:
        raise error

    monkeypatch.setattr(FakeSandbox, "execute", nonsense)
    report = grade(lab, as_bytes(lab.source.solution()), seed=1, driver=driver)
    assert report.notebook.status is NotebookStatus.SANDBOX_LOST
    assert [sandbox.stops for sandbox in driver.sandboxes] == [1, 1]


def test_names_of_the_labs_own_notebook_are_told(lab: Lab, driver: FakeDriver) -> None:
    report = grade(
        lab, as_bytes(lab.source.with_answers({"add": "return a.real.nothing_known"})), seed=1, driver=driver
    )
    assert "has no attribute 'nothing_known'" in messages(report)["add"]
    notebook = lab.source.solution()
    for cell in notebook["cells"]:
        cell["source"] = cell["source"].replace("def add(", "def plus(")
    assert (
        "the notebook defines no 'add'"
        in messages(grade(lab, as_bytes(notebook), seed=1, driver=driver))["add"]
    )


def test_a_sandbox_that_ends_once_is_replaced(
    lab: Lab, driver: FakeDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    call, calls = FakeSandbox.call, []

    def flaky(self: FakeSandbox, function: str, *arguments: Any, timeout: float = 10.0) -> Any:
        calls.append(function)
        if len(calls) == 1:
            raise SandboxGone("The sandbox is not there any more.")
        return call(self, function, *arguments, timeout=timeout)

    monkeypatch.setattr(FakeSandbox, "call", flaky)
    report = grade(lab, as_bytes(lab.source.solution()), seed=1, driver=driver)
    assert report.score == 100
    assert [sandbox.stops for sandbox in driver.sandboxes] == [1, 1]


def test_a_check_that_never_ends_is_given_up_and_later_tasks_say_so(
    lab_folder: Path, reload: Callable[[], Lab], driver: FakeDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("labs.judge.GRACE_SECONDS", 0.1)
    manifest = lab_folder / "lab.yaml"
    manifest.write_text(manifest.read_text().replace("check_seconds: 60", "check_seconds: 5"))
    checks = lab_folder / "checks.py"
    text = checks.read_text().replace(
        "    a, b = lab", "    import threading\n    threading.Event().wait(250)\n    a, b = lab"
    )
    checks.write_text(text)
    lab = reload()
    started = time.monotonic()
    report = grade(lab, as_bytes(lab.source.solution()), seed=1, driver=driver)
    assert time.monotonic() - started < 200
    assert "time for all checks was used up" in messages(report)["add"]
    assert "never ended" in messages(report)["double"]
    assert driver.sandboxes[0].stops == 1


def test_the_document_is_plain_json_of_schema_1_without_the_notebook(lab: Lab, driver: FakeDriver) -> None:
    report = grade(lab, as_bytes(lab.source.solution()), seed=1, driver=driver)
    document = json.loads(json.dumps(report.document()))
    assert document["schema"] == 1
    assert set(document) == {
        "schema", "lab", "content_hash", "seed", "score", "max_score", "percent", "notebook", "tasks", "sandbox", "seconds",
    }  # fmt: skip
    assert set(document["tasks"][0]) == {"id", "title", "points", "earned", "status", "message"}
    assert report.executed is not None
    assert report.executed["cells"][1]["execution_count"] == 1


def test_messages_are_capped(lab: Lab, driver: FakeDriver) -> None:
    report = grade(
        lab,
        as_bytes(lab.source.with_answers({"add": "raise ValueError('é' * 100_000)"})),
        seed=1,
        driver=driver,
    )
    assert len(json.dumps(report.document(), ensure_ascii=False).encode()) < 8_000
    assert results(report)["double"] == "passed"


def test_progress_is_told_in_steps(lab: Lab, driver: FakeDriver) -> None:
    steps: list[str] = []
    grade(lab, as_bytes(lab.source.solution()), seed=1, driver=driver, progress=steps.append)
    assert steps == ["ready: ready", "running the notebook", "checking: Add", "checking: Double"]


CHECKS_APART = '''\
from labs.checks import LabUnderTest, check, require


@check("add")
def adds(lab: LabUnderTest) -> None:
    """Adds any two numbers."""
    place = lab.apart()
    place.write("judge.txt", b"hidden")
    require(place.read("judge.txt") == b"hidden", "It is not there.")
    require(place.task == lab.task and place.random.random() == lab.random.random(), "It is another task.")
    try:
        lab.read("judge.txt")
    except FileNotFoundError:
        return
    require(False, "The notebook could have read it.")


@check("double")
def doubles(lab: LabUnderTest) -> None:
    """Doubles any number."""
    require(lab.apart().read("judge.txt") == b"hidden", "It is another sandbox than that of the first task.")
'''


def test_a_check_may_have_a_second_sandbox_in_which_no_notebook_ran(
    lab: Lab, lab_folder: Path, reload: Callable[[], Lab], driver: FakeDriver
) -> None:
    (lab_folder / "checks.py").write_text(CHECKS_APART)
    changed = reload()
    report = grade(changed, as_bytes(changed.source.solution()), seed=1, driver=driver)
    assert messages(report) == {"add": "Adds any two numbers.", "double": "Doubles any number."}
    first, apart = driver.sandboxes
    assert driver.runs == 1
    assert apart.namespace is None
    assert first.spec.workspace != apart.spec.workspace
    assert (first.spec.image, first.spec.services) == (apart.spec.image, apart.spec.services)
    assert first.stops == apart.stops == 1
    assert not apart.spec.workspace.exists()


def test_no_second_sandbox_is_started_that_no_check_asks_for(lab: Lab, driver: FakeDriver) -> None:
    grade(lab, as_bytes(lab.source.solution()), seed=1, driver=driver)
    assert len(driver.sandboxes) == 1
