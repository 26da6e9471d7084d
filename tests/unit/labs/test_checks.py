"""Loading checks.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from labs.checks import CheckFailed, load_checks, require
from labs.errors import BrokenLab


def test_checks_are_found_by_their_task_with_their_property(lab_folder: Path) -> None:
    checks = load_checks(lab_folder / "checks.py")
    assert {task: one.property for task, one in checks.items()} == {
        "add": "Adds any two numbers.",
        "double": "Doubles any number.",
    }


def test_checks_of_two_labs_do_not_meet(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        text = f'from labs.checks import check\n\n@check("{name}")\ndef it(lab):\n    """It."""\n'
        (tmp_path / name / "checks.py").write_text(text)
    assert set(load_checks(tmp_path / "one" / "checks.py")) == {"one"}
    assert set(load_checks(tmp_path / "two" / "checks.py")) == {"two"}


def test_checks_share_what_stands_in_support_and_see_its_changes(lab_folder: Path) -> None:
    checks = lab_folder / "checks.py"
    support = lab_folder / "support.py"
    checks.write_text(
        checks.read_text()
        .replace("from labs", "from .support import WORDS\nfrom labs", 1)
        .replace("is wrong.", "is")
    )
    for words in ("one", "another one"):
        support.write_text(f"WORDS = {words!r}\n")
        loaded = load_checks(checks)
        assert loaded["add"].function.__globals__["WORDS"] == words


def test_a_file_that_does_not_load_is_a_broken_lab(tmp_path: Path) -> None:
    (tmp_path / "checks.py").write_text("raise RuntimeError('no')")
    with pytest.raises(BrokenLab, match="RuntimeError: no"):
        load_checks(tmp_path / "checks.py")


def test_require_fails_with_its_message_only_when_it_does_not_hold() -> None:
    require([1], "not shown")
    with pytest.raises(CheckFailed, match="shown"):
        require([], "shown")
