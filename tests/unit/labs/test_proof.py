"""The proof of a lab: written when every case holds, and fitting the lab's folder as it is."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from labs import proof
from labs.catalogue import Lab
from tests.unit.labs.conftest import proven, write_wrong_answer
from tests.unit.labs.fake_driver import FakeDriver


def test_a_lab_that_holds_is_proven_and_the_proof_is_no_part_of_it(
    lab: Lab, driver: FakeDriver, reload: Callable[[], Lab]
) -> None:
    path = proof.record(lab, {"local": proven(lab, driver), "docker": proven(lab, driver)}, seed=1)
    assert path is not None
    first = path.read_text()
    again = reload()
    assert again.content_hash == lab.content_hash
    assert proof.problems(again, ["local", "docker"]) == []
    proof.record(again, {"docker": proven(again, driver), "local": proven(again, driver)}, seed=1)
    assert path.read_text() == first, "the same results give the same file"
    document = json.loads(first)
    assert document["drivers"]["local"]["solution"] == []
    assert document["drivers"]["local"]["starter"] == ["add", "double"]


def test_what_other_drivers_gave_is_kept_for_the_same_content_only(
    lab: Lab, lab_folder: Path, driver: FakeDriver, reload: Callable[[], Lab]
) -> None:
    proof.record(lab, {"docker": proven(lab, driver)}, seed=1)
    proof.record(lab, {"local": proven(lab, driver)}, seed=1)
    assert proof.problems(lab, ["local", "docker"]) == []
    (lab_folder / "lab.md").write_text((lab_folder / "lab.md").read_text().replace("Some text", "Other text"))
    changed = reload()
    assert "has changed since it was proven" in proof.problems(changed, ["local"])[0]
    proof.record(changed, {"local": proven(changed, driver)}, seed=1)
    assert proof.problems(changed, ["local"]) == []
    assert "was not proven on the driver docker" in proof.problems(changed, ["docker"])[0]


def test_nothing_is_written_when_a_case_does_not_hold(
    lab_folder: Path, reload: Callable[[], Lab], driver: FakeDriver
) -> None:
    write_wrong_answer(lab_folder, "right", "add", "return b + a")
    lab = reload()
    assert proof.record(lab, {"local": proven(lab, driver)}, seed=1) is None
    assert not (lab_folder / proof.FILE).exists()


def test_a_proof_must_name_every_case_with_what_it_must_lose(
    lab: Lab, lab_folder: Path, driver: FakeDriver
) -> None:
    path = proof.record(lab, {"local": proven(lab, driver)}, seed=1)
    assert path is not None
    document = json.loads(path.read_text())
    results = document["drivers"]["local"]
    name = next(name for name in results if name.startswith("wrong answer"))
    lost = results.pop(name)
    results["wrong answer of old"] = []
    path.write_text(json.dumps(document))
    first, second = proof.problems(lab, ["local"])
    assert f"{name}, on local: the proof says nothing, and it must lose {lost}" in first
    assert "wrong answer of old" in second
    assert f"make labs NAME={lab.id}" in first


def test_a_file_that_is_no_proof_counts_as_none(lab: Lab, lab_folder: Path) -> None:
    for text in ("", "[]", '{"schema": 2, "drivers": {}}', '{"schema": 1}', "{" * 100):
        (lab_folder / proof.FILE).write_text(text)
        assert "that can be read" in proof.problems(lab, ["local"])[0]
