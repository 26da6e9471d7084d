"""Finding the notebook's file, and refusing one that is older than what was run."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from labkit import checking, lab
from labkit.checking import CheckingError, check, find_notebook, refuse_unsaved

DOCUMENT = {
    "score": 5, "max_score": 10, "seed": 3, "notebook": {"status": "completed", "message": ""},
    "tasks": [{"id": "a", "title": "A", "points": 10, "earned": 5, "status": "failed", "message": "no"}],
}  # fmt: skip


@pytest.fixture(autouse=True)
def nobody_claims_a_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LAB_NOTEBOOK", "JPY_SESSION_NAME", "LAB_SANDBOX", "LAB_SLUG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(checking, "_executed", [])
    monkeypatch.setattr(checking, "_shell", lambda: None)


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    """A saved notebook with one cell."""
    path = tmp_path / "notebooks" / "never-oversell.ipynb"
    path.parent.mkdir()
    path.write_text(json.dumps({"cells": [{"cell_type": "code", "source": ["x = 1\n", "y = 2"]}]}))
    return path


def test_a_given_path_wins_and_must_exist(notebook: Path, tmp_path: Path) -> None:
    assert find_notebook(notebook, "never-oversell", tmp_path) == notebook
    with pytest.raises(CheckingError, match="There is no file"):
        find_notebook(tmp_path / "none.ipynb", "never-oversell", tmp_path)


@pytest.mark.parametrize("claim", ["absolute", "relative to the server", "relative to notebooks"])
def test_jupyter_says_which_file_it_is(
    notebook: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, claim: str
) -> None:
    claims = {
        "absolute": str(notebook),
        "relative to the server": "notebooks/never-oversell.ipynb",
        "relative to notebooks": "never-oversell.ipynb",
    }
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JPY_SESSION_NAME", claims[claim])
    assert find_notebook(None, "never-oversell", tmp_path) == notebook


def test_visual_studio_code_says_which_file_it_is(
    notebook: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell = SimpleNamespace(user_ns={"__vsc_ipynb_file__": str(notebook)})
    monkeypatch.setattr(checking, "_shell", lambda: shell)
    assert find_notebook(None, "never-oversell", tmp_path) == notebook


def test_under_jupyter_execute_it_is_the_labs_own_notebook_in_the_folder(
    notebook: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(notebook.parent)
    assert find_notebook(None, "never-oversell", tmp_path) == notebook
    with pytest.raises(CheckingError, match="does not tell"):
        find_notebook(None, "another-lab", tmp_path)


def test_when_nobody_says_it_the_learner_is_asked_to(notebook: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckingError, match=r'lab\.check\("never-oversell\.ipynb"\)'):
        find_notebook(None, "never-oversell", tmp_path)


@pytest.mark.parametrize(
    ("ran", "refused"),
    [
        ("x = 1\ny = 2\n", False),  # run after saving, as it was saved
        ("x = 1\ny = 3", True),  # edited, run and not saved
        ("lab.check()", False),
    ],
)
def test_a_file_older_than_what_was_run_is_refused(notebook: Path, ran: str, refused: bool) -> None:
    checking._remember(SimpleNamespace(info=SimpleNamespace(raw_cell=ran)))
    os.utime(notebook, (time.time() - 60,) * 2)
    if refused:
        with pytest.raises(CheckingError, match=r"last saved 6\d s ago.*Save it \(Ctrl\+S\)"):
            refuse_unsaved(notebook)
    else:
        refuse_unsaved(notebook)


def test_what_was_run_before_the_file_was_saved_does_not_matter(notebook: Path) -> None:
    checking._remember(SimpleNamespace(info=SimpleNamespace(raw_cell="old = 1")))
    os.utime(notebook, (time.time() + 1,) * 2)
    refuse_unsaved(notebook)


def test_the_grader_runs_in_the_checkout_and_its_document_comes_back(
    notebook: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, Any] = {}

    def run(command: list[str], **options: Any) -> subprocess.CompletedProcess[bytes]:
        seen.update(command=command, **options)
        return subprocess.CompletedProcess(command, 0, json.dumps(DOCUMENT).encode(), b"")

    monkeypatch.setattr(subprocess, "run", run)
    report = check(notebook, "never-oversell")
    assert seen["command"][1:] == ["-m", "labs", "grade", "never-oversell", str(notebook), "--json"]
    assert (seen["cwd"] / "labs" / "cli.py").is_file()
    assert (report.score, report.passed, report.tasks) == (5, False, {"a": "failed"})


def test_a_grader_that_fails_is_quoted(notebook: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = subprocess.CompletedProcess([], 1, b"{}", b"Install PostgreSQL.")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(CheckingError, match=r"could not be graded\.\nInstall PostgreSQL\."):
        check(notebook, "never-oversell")


def test_in_a_sandbox_nothing_is_graded(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LAB_SANDBOX", "1")
    assert lab.check() is None
    assert "press Check beside the notebook" in capsys.readouterr().out


def test_before_the_first_cell_every_door_says_what_to_run() -> None:
    for door in (lab.connect, lab.meridian, lab.check):
        with pytest.raises(lab.LabError, match="run its first cell"):
            door()
