"""The proof of a lab: each case that holds stands in it, for what was graded as it is now."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from labs import proof
from labs.catalogue import Lab
from labs.verify import combined, verify_case
from tests.unit.labs.conftest import proven, write_wrong_answer
from tests.unit.labs.fake_driver import FakeDriver


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.fixture
def proven_lab(lab: Lab, driver: FakeDriver) -> Lab:
    """A lab with a proof of all cases on one driver."""
    proof.record(lab, "local", proven(lab, driver), seed=1)
    return lab


def test_a_lab_that_holds_is_proven_and_the_proof_is_no_part_of_it(
    lab: Lab, driver: FakeDriver, reload: Callable[[], Lab]
) -> None:
    proof.record(lab, "local", proven(lab, driver), seed=1)
    path = proof.record(lab, "docker", proven(lab, driver), seed=1)
    first = path.read_text()
    again = reload()
    assert again.content_hash == lab.content_hash
    assert proof.problems(again, ["local", "docker"]) == []
    proof.record(again, "docker", reversed(proven(again, driver)), seed=1)
    assert path.read_text() == first, "the same results give the same file"
    results = json.loads(first)["drivers"]["local"]
    assert results["solution"]["lost"] == []
    assert results["starter"]["lost"] == ["add", "double"]
    assert results["starter"]["seed"] == 1
    assert results["starter"]["graded"] != results["solution"]["graded"]


def test_what_only_people_read_is_not_proven_again(
    proven_lab: Lab, lab_folder: Path, reload: Callable[[], Lab]
) -> None:
    replace(lab_folder / "lab.md", "Some text", "Other text")
    replace(lab_folder / "lab.yaml", "It is one operator.", "It is one sign.")
    changed = reload()
    assert changed.content_hash != proven_lab.content_hash
    assert proof.problems(changed, ["local"]) == []
    before, after = combined(proven_lab), combined(changed)
    assert before is not None
    assert after is not None
    assert before.why == after.why


def test_a_changed_wrong_answer_is_proven_again_alone(
    proven_lab: Lab, lab_folder: Path, driver: FakeDriver, reload: Callable[[], Lab]
) -> None:
    replace(lab_folder / "wrong_answers" / "first-only.md", "return a", "return a + 0")
    changed = reload()
    assert proof.missing(changed, "local") == {"wrong answer first-only"}
    (problem,) = proof.problems(changed, ["local"])
    assert "changed since proven on local: wrong answer first-only" in problem
    assert f"make labs NAME={changed.id}" in problem
    proof.record(changed, "local", proven(changed, driver, {"wrong answer first-only"}), seed=1)
    assert proof.problems(changed, ["local"]) == []


@pytest.mark.parametrize("file", ["checks.py", "support.py", "judge/main.py", "starter/data.csv"])
def test_a_change_of_what_all_cases_share_makes_all_of_them_stale(
    proven_lab: Lab, lab_folder: Path, reload: Callable[[], Lab], file: str
) -> None:
    path = lab_folder / file
    path.parent.mkdir(exist_ok=True)
    path.write_text((path.read_text() if path.exists() else "") + "\n# changed\n")
    changed = reload()
    assert proof.missing(changed, "local") == set(proof.wanted(changed))
    assert "and 3 more" in proof.problems(changed, ["local"])[0]


def test_limits_services_and_code_that_is_given_are_part_of_what_is_graded(
    proven_lab: Lab, lab_folder: Path, reload: Callable[[], Lab]
) -> None:
    manifest, text = lab_folder / "lab.yaml", lab_folder / "lab.md"
    original = manifest.read_text()
    replace(manifest, "cell_seconds: 5", "cell_seconds: 4")
    assert proof.missing(reload(), "local") == set(proof.wanted(proven_lab))
    manifest.write_text(original)
    assert proof.missing(reload(), "local") == set()
    text.write_text(text.read_text() + "\n```python\nprint(1)\n```\n")
    assert proof.missing(reload(), "local") == set(proof.wanted(proven_lab))


def test_what_other_drivers_gave_is_kept_while_it_fits(
    proven_lab: Lab, lab_folder: Path, driver: FakeDriver, reload: Callable[[], Lab]
) -> None:
    proof.record(proven_lab, "docker", proven(proven_lab, driver), seed=1)
    assert proof.problems(proven_lab, ["local", "docker"]) == []
    replace(lab_folder / "wrong_answers" / "first-only.md", "return a", "return a + 0")
    changed = reload()
    proof.record(changed, "local", proven(changed, driver), seed=1)
    assert proof.problems(changed, ["local"]) == []
    assert proof.missing(changed, "docker") == {"wrong answer first-only"}


def test_a_case_that_does_not_hold_is_not_written_and_loses_what_stood_there(
    proven_lab: Lab, lab_folder: Path, reload: Callable[[], Lab], driver: FakeDriver
) -> None:
    write_wrong_answer(lab_folder, "right", "add", "return b + a")
    lab = reload()
    proof.record(lab, "local", proven(lab, driver), seed=1)
    (problem,) = proof.problems(lab, ["local"])
    assert "not proven on local: wrong answer right:" in problem
    results = proven(lab, driver, {"solution"})
    failing = [type(one)(one.case, verify_case(lab, one.case, driver, seed=1).report) for one in results]
    object.__setattr__(failing[0].case, "loses", frozenset({"add"}))
    proof.record(lab, "local", failing, seed=1)
    assert "solution" in proof.missing(lab, "local")


def test_the_combined_notebook_is_no_case(lab: Lab, driver: FakeDriver) -> None:
    mixed = combined(lab)
    assert mixed is not None
    path = proof.record(lab, "local", [verify_case(lab, mixed, driver, seed=1)], seed=1)
    assert json.loads(path.read_text())["drivers"]["local"] == {}


def test_a_proof_must_name_every_case_and_no_other(proven_lab: Lab, lab_folder: Path) -> None:
    path = lab_folder / proof.FILE
    document = json.loads(path.read_text())
    results = document["drivers"]["local"]
    results["wrong answer of old"] = results.pop("wrong answer subtracts")
    path.write_text(json.dumps(document))
    first, second = proof.problems(proven_lab, ["local"])
    assert "not proven on local: wrong answer subtracts" in first
    assert "what there is not: wrong answer of old" in second
    (other,) = proof.problems(proven_lab, ["docker"])
    assert "not proven on docker" in other


def test_a_file_that_is_no_proof_counts_as_none(lab: Lab, lab_folder: Path) -> None:
    for text in (
        "",
        "[]",
        '{"schema": 3, "drivers": {}}',
        '{"schema": 2}',
        '{"schema": 2, "drivers": {"local": 1}}',
        "{" * 100,
    ):
        (lab_folder / proof.FILE).write_text(text)
        assert "that can be read" in proof.problems(lab, ["local"])[0]
