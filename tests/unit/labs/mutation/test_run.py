"""Grading mutants, and which of them count."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from labs.catalogue import Lab
from labs.errors import BrokenLab
from labs.mutation import equivalent
from labs.mutation.mutants import Mutant, mutants_of
from labs.mutation.run import Fate, Trial, impatient, share_killed, solution_holds, try_out
from tests.unit.labs.fake_driver import FakeDriver


def fates(lab: Lab, driver: FakeDriver) -> dict[str, Fate]:
    trials = try_out(lab, mutants_of(lab), driver, seed=1, parallel=2)
    return {trial.mutant.after.split("\n")[-1].strip(): trial.fate for trial in trials}


def test_a_mutant_that_loses_its_task_is_killed(lab: Lab, driver: FakeDriver) -> None:
    assert set(fates(lab, driver).values()) == {Fate.KILLED}


def test_a_weak_check_lets_mutants_survive(
    lab_folder: Path, reload: Callable[[], Lab], driver: FakeDriver
) -> None:
    checks = lab_folder / "checks.py"
    strong, weak = "== [2 * number for number in numbers]", "!= []"
    checks.write_text(checks.read_text().replace(strong, weak))
    found = fates(reload(), driver)
    assert found["return a * 3"] is Fate.SURVIVED
    assert found["return total"] is Fate.KILLED


def test_a_check_that_breaks_has_not_noticed(
    lab_folder: Path, reload: Callable[[], Lab], driver: FakeDriver
) -> None:
    checks = lab_folder / "checks.py"
    checks.write_text(checks.read_text().replace("== a + b", "- a == 1 / 0"))
    assert fates(reload(), driver)["return total"] is Fate.BROKEN_CHECK


def test_one_that_never_ends_is_killed_by_time(lab: Lab, driver: FakeDriver) -> None:
    endless = Mutant("double", "x", "", "x = 1  # LOOPS", "0" * 12)
    trial = try_out(lab, [endless], driver, seed=1, parallel=1)[0]
    assert trial.fate is Fate.KILLED_BY_TIME


def test_losing_another_task_does_not_count(lab: Lab, driver: FakeDriver) -> None:
    elsewhere = Mutant("add", "x", "", "globals()['double'] = None\nreturn a + b", "0" * 12)
    assert try_out(lab, [elsewhere], driver, seed=1, parallel=1)[0].fate is Fate.SURVIVED


def test_the_solution_must_hold_first(lab_folder: Path, reload: Callable[[], Lab], driver: FakeDriver) -> None:
    path = lab_folder / "lab.md"
    path.write_text(path.read_text().replace("return a * 2", "return a * 3"))
    with pytest.raises(BrokenLab, match="does not pass"):
        solution_holds(reload(), driver, seed=1)


def test_patience_follows_from_the_solution_and_never_exceeds_the_labs_own(lab: Lab) -> None:
    limits = lab.manifest.limits.model_copy(
        update={"total_seconds": 300, "cell_seconds": 60, "check_seconds": 25}
    )
    patient = replace(lab, manifest=lab.manifest.model_copy(update={"limits": limits}))
    hasty = impatient(patient, seconds=10.0).manifest.limits
    assert (hasty.total_seconds, hasty.cell_seconds, hasty.check_seconds) == (40, 40, 25)
    assert impatient(patient, seconds=0.1).manifest.limits.total_seconds == 20


def test_what_go_refuses_is_no_mutant() -> None:
    mutant = Mutant("a", "x", "", "", "0" * 12)
    trials = [Trial(mutant, fate, "", 1.0) for fate in (Fate.KILLED, Fate.SURVIVED, Fate.NOT_COMPILED)]
    assert share_killed(trials) == 0.5
    assert share_killed([]) == 1.0


def test_equivalent_mutants_are_read_with_their_reasons(tmp_path: Path) -> None:
    (tmp_path / equivalent.FILE).write_text(
        "equivalent:\n  - mutant: m0123456789a\n    reason: Nobody reads this column.\n"
    )
    assert equivalent.read(tmp_path, {"m0123456789a"}) == ({"m0123456789a": "Nobody reads this column."}, [])
    _, faults = equivalent.read(tmp_path, set())
    assert [(fault.line, "no mutant of this lab" in fault.message) for fault in faults] == [(2, True)]
    assert equivalent.read(tmp_path / "nowhere", set()) == ({}, [])


def test_a_list_with_faults_says_where(tmp_path: Path) -> None:
    (tmp_path / equivalent.FILE).write_text("equivalent:\n  - mutant: xyz\n    reason: short\n")
    reasons, faults = equivalent.read(tmp_path, set())
    assert reasons == {}
    assert {fault.line for fault in faults} == {2, 3}
