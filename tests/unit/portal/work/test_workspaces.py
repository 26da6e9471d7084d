"""Workspaces: learners' code can put anything there, and gains nothing by it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from portal.content import Content
from portal.files.learner_files import BACK
from portal.work.workspaces import NotebookUnreadable, Workspaces, read_regular


def test_the_lab_s_files_are_put_where_they_are_missing(tmp_path: Path, content: Content) -> None:
    lab = content.labs.labs["never-oversell"]
    workspaces = Workspaces(tmp_path)
    workspace = workspaces.prepare(7, lab)
    notebook = workspace / "never-oversell.ipynb"
    assert b'"nbformat"' in notebook.read_bytes()
    notebook.write_bytes(b"my work")
    workspaces.prepare(7, lab)
    assert workspaces.notebook(7, lab) == b"my work"


def test_files_on_their_way_back_are_there_before_the_lab_puts_its_own(
    tmp_path: Path, content: Content
) -> None:
    lab = content.labs.labs["never-oversell"]
    workspaces = Workspaces(tmp_path)
    back = tmp_path / ".reset" / "7" / lab.id / BACK
    back.mkdir(parents=True)
    (back / f"{lab.id}.ipynb").write_bytes(b"my work")
    workspaces.prepare(7, lab)
    assert workspaces.notebook(7, lab) == b"my work"
    assert not back.exists()


def test_links_lead_to_this_portal(tmp_path: Path, content: Content) -> None:
    lab = content.labs.labs["never-oversell"]
    workspace = Workspaces(tmp_path, "https://learn.example").prepare(7, lab)
    text = (workspace / "never-oversell.ipynb").read_text()
    assert "](https://learn.example/lessons/" in text
    assert "](http://localhost" not in text
    assert "](/" not in text


def test_learners_have_workspaces_of_their_own(tmp_path: Path, content: Content) -> None:
    lab = content.labs.labs["never-oversell"]
    assert Workspaces(tmp_path).prepare(7, lab) != Workspaces(tmp_path).prepare(8, lab)


def test_a_missing_notebook_says_how_to_get_it_back(tmp_path: Path) -> None:
    with pytest.raises(NotebookUnreadable, match="renamed"):
        read_regular(tmp_path / "lab.ipynb", 100)


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("host file")
    (tmp_path / "lab.ipynb").symlink_to(secret)
    with pytest.raises(NotebookUnreadable, match="link"):
        read_regular(tmp_path / "lab.ipynb", 100)


def test_a_pipe_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "lab.ipynb")
    with pytest.raises(NotebookUnreadable, match="not a file"):
        read_regular(tmp_path / "lab.ipynb", 100)


def test_a_directory_is_no_notebook(tmp_path: Path) -> None:
    (tmp_path / "lab.ipynb").mkdir()
    with pytest.raises(NotebookUnreadable, match="not a file"):
        read_regular(tmp_path / "lab.ipynb", 100)


def test_a_file_over_the_limit_is_refused(tmp_path: Path) -> None:
    (tmp_path / "lab.ipynb").write_bytes(b"x" * 101)
    with pytest.raises(NotebookUnreadable, match="larger"):
        read_regular(tmp_path / "lab.ipynb", 100)
    assert read_regular(tmp_path / "lab.ipynb", 101) == b"x" * 101
