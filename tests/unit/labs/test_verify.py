"""Proving a lab."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from labs.catalogue import Lab
from labs.verify import combined, verify_case
from tests.unit.labs.conftest import proven, write_other_answer, write_wrong_answer
from tests.unit.labs.fake_driver import FakeDriver


def test_a_sound_lab_holds_in_every_case(lab: Lab, driver: FakeDriver) -> None:
    proofs = proven(lab, driver)
    assert [proof.case.name for proof in proofs[:2]] == ["solution", "starter"]
    assert len(proofs) == 2 + len(lab.wrong_answers)
    assert [proof.problems for proof in proofs] == [[]] * len(proofs)
    assert all(sandbox.stops for sandbox in driver.sandboxes)


def test_a_wrong_answer_that_passes_or_loses_too_much_does_not_hold(
    lab_folder: Path, reload: Callable[[], Lab], driver: FakeDriver
) -> None:
    write_wrong_answer(lab_folder, "right", "add", "return b + a")
    write_wrong_answer(lab_folder, "too-much", "add", "return 0", loses="double")
    problems = {proof.case.name: proof.problems for proof in proven(reload(), driver)}
    assert problems["wrong answer right"] == ["add passed and must be lost"]
    assert problems["wrong answer too-much"] == [
        "add was lost and must pass: The sum is wrong.",
        "double passed and must be lost",
    ]


def test_what_is_right_in_another_way_must_lose_nothing(
    lab_folder: Path, reload: Callable[[], Lab], driver: FakeDriver
) -> None:
    write_other_answer(lab_folder, "turned-round", "add", "return b + a")
    write_other_answer(lab_folder, "not-so-right", "add", "return a")
    problems = {proof.case.name: proof.problems for proof in proven(reload(), driver)}
    assert problems["other answer turned-round"] == []
    assert problems["other answer not-so-right"] == ["add was lost and must pass: The sum is wrong."]


def test_a_check_that_breaks_does_not_count_as_a_lost_task(
    lab_folder: Path, reload: Callable[[], Lab], driver: FakeDriver
) -> None:
    checks = lab_folder / "checks.py"
    checks.write_text(checks.read_text().replace("    a, b = lab", "    a, b = 1 / 0, lab"))
    problems = [proof.problems for proof in proven(reload(), driver)]
    assert all("the check of add is broken" in some[0] for some in problems)


def test_a_case_whose_notebook_does_not_run_to_its_end_does_not_hold(
    lab_folder: Path, reload: Callable[[], Lab], driver: FakeDriver
) -> None:
    write_wrong_answer(lab_folder, "endless", "double", "x = 1  # LOOPS")
    problems = {proof.case.name: proof.problems for proof in proven(reload(), driver)}
    assert problems["wrong answer endless"][0].startswith("the notebook did not run to its end")


def test_the_combined_notebook_loses_some_tasks_and_keeps_others(lab: Lab, driver: FakeDriver) -> None:
    case = combined(lab)
    assert case is not None
    assert 0 < len(case.loses) < len(lab.tasks)
    assert case == combined(lab)
    proof = verify_case(lab, case, driver, seed=1)
    assert proof.problems == []
    assert proof.report.lost == case.loses


def test_which_tasks_it_loses_follows_from_the_checks(lab: Lab, lab_folder: Path) -> None:
    lost = set()
    for lot in range(8):
        (lab_folder / "support.py").write_text(f"# {lot}\n")
        case = combined(lab)
        assert case is not None
        lost |= case.loses
    assert lost == {"add", "double"}


def test_it_is_left_out_where_no_wrong_answer_loses_one_task_alone(lab: Lab) -> None:
    both = tuple(replace(answer, loses=frozenset({"add", "double"})) for answer in lab.wrong_answers)
    assert combined(replace(lab, wrong_answers=both)) is None
