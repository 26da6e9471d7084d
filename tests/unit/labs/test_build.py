"""Writing the learners' notebooks without destroying anybody's work."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from labs.build import build, notebook_path, stale
from labs.catalogue import Lab


def test_a_missing_notebook_is_stale_until_it_is_built(lab: Lab, tmp_path: Path) -> None:
    path = notebook_path(lab, tmp_path)
    assert stale([lab], tmp_path) == [path]
    assert build([lab], tmp_path).written == (path,)
    assert stale([lab], tmp_path) == []
    assert build([lab], tmp_path).written == ()


def test_a_notebook_follows_its_lab(
    lab: Lab, lab_folder: Path, reload: Callable[[], Lab], tmp_path: Path
) -> None:
    build([lab], tmp_path)
    text = lab_folder / "lab.md"
    text.write_text(text.read_text().replace("given = 1", "given = 2"))
    changed = reload()
    assert stale([changed], tmp_path) == [notebook_path(lab, tmp_path)]
    build([changed], tmp_path)
    assert "given = 2" in notebook_path(lab, tmp_path).read_text()


def test_a_notebook_in_which_somebody_has_worked_is_kept_unless_forced(lab: Lab, tmp_path: Path) -> None:
    build([lab], tmp_path)
    path = notebook_path(lab, tmp_path)
    notebook = json.loads(path.read_text())
    notebook["cells"][2]["source"] = "my work"
    path.write_text(json.dumps(notebook))
    assert build([lab], tmp_path).kept == (path,)
    assert "my work" in path.read_text()
    assert build([lab], tmp_path, force=True).written == (path,)
    assert "my work" not in path.read_text()


def test_a_file_that_is_no_notebook_is_kept_too(lab: Lab, tmp_path: Path) -> None:
    notebook_path(lab, tmp_path).write_text("not json")
    assert build([lab], tmp_path).kept == (notebook_path(lab, tmp_path),)


def test_other_notebooks_are_nobodys_business(lab: Lab, tmp_path: Path) -> None:
    other = tmp_path / "Untitled.ipynb"
    other.write_text("{}")
    build([lab], tmp_path)
    assert other.read_text() == "{}"
    assert stale([lab], tmp_path) == []
