"""The mutants of a lab: different from each other, the same each time, spread over the tasks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

from labs.catalogue import Lab
from labs.mutation.mutants import choose, mutants_of


def test_each_mutant_is_the_solution_with_one_change(lab: Lab) -> None:
    mutants = mutants_of(lab)
    assert {(mutant.task, mutant.after) for mutant in mutants} == {
        ("add", "total = a - b\nreturn total"),
        ("add", "total = a + b\nreturn None"),
        ("double", "def double(a):\n    return a / 2"),
        ("double", "def double(a):\n    return a * 3"),
        ("double", "def double(a):\n    return a * 1"),
        ("double", "def double(a):\n    return None"),
    }
    minus = next(mutant for mutant in mutants if "a - b" in mutant.after)
    assert minus.diff().splitlines() == ["-total = a + b", "+total = a - b", " return total"]
    cell = next(cell for cell in minus.notebook(lab)["cells"] if cell["id"] == "task-add")
    assert "    total = a - b\n    return total" in cell["source"]
    double = next(cell for cell in minus.notebook(lab)["cells"] if cell["id"] == "task-double")
    assert "a * 2" in double["source"]


def test_fingerprints_stay_when_other_lines_change(
    lab_folder: Path, lab: Lab, reload: Callable[[], Lab]
) -> None:
    before = {
        mutant.after.split("\n")[0]: mutant.fingerprint for mutant in mutants_of(lab) if mutant.task == "add"
    }
    path = lab_folder / "lab.md"
    path.write_text(path.read_text().replace("    total = a + b\n", "    seen = [a]\n    total = a + b\n"))
    after = {
        mutant.after.split("\n")[1]: mutant.fingerprint
        for mutant in mutants_of(reload())
        if mutant.task == "add"
    }
    assert after["total = a - b"] == before["total = a - b"]


def test_the_same_change_of_two_equal_lines_is_two_mutants(lab_folder: Path, reload: Callable[[], Lab]) -> None:
    path = lab_folder / "lab.md"
    path.write_text(path.read_text().replace("    total = a + b\n", "    total = a + b\n    total = a + b\n"))
    mutants = [mutant for mutant in mutants_of(reload()) if "a - b" in mutant.after]
    assert len({mutant.fingerprint for mutant in mutants}) == 2


def test_a_few_are_chosen_from_every_task_and_the_same_each_time(lab: Lab) -> None:
    mutants = mutants_of(lab)
    chosen = choose(mutants, 4)
    assert Counter(mutant.task for mutant in chosen) == {"add": 2, "double": 2}
    assert choose(list(reversed(mutants)), 4)[::-1] == chosen
    assert choose(mutants, 100) == mutants
    assert {mutant.operator for mutant in chosen if mutant.task == "add"} == {"arithmetic", "nothing returned"}
