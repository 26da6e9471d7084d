"""An adoption that is cut short anywhere is mended before the files are used again, also when the run directory was emptied."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandboxes.drivers.adoption import (
    BLANK,
    finish_all,
    marked,
    remove_left_blanks,
    settle,
    settle_marked,
    swap_in,
)
from sandboxes.interface import SandboxError

FILES = {"a.txt", "b.txt", "c.txt"}


class Killed(BaseException):
    """What ends a process at once."""


class Place:
    """A learner's workspace, a sandbox that waits, and where its note goes."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.workspaces = root / "workspaces"
        self.workspace = self.workspaces / "7" / "lab"
        self.blanks = self.workspaces / ".blank"
        self.blank = self.blanks / f"{BLANK}one"
        self.notes = root / "adopting"
        self.note = self.notes / "one.json"
        for folder in (self.workspace, self.blank, self.notes):
            folder.mkdir(parents=True)
        for name in FILES:
            (self.workspace / name).write_text(name)

    def cut_short(self, patch: pytest.MonkeyPatch, renames: int) -> None:
        """Adopt, and die before the rename that comes after so many."""
        real, left = Path.rename, renames

        def rename(path: Path, target: Path) -> Path:
            nonlocal left
            if self.workspaces in path.parents:
                left -= 1
                if left < 0:
                    raise Killed
            return real(path, target)

        with patch.context() as inner:
            inner.setattr(Path, "rename", rename)
            with pytest.raises(Killed):
                swap_in(self.note, self.blank, self.workspace)

    def assert_mended(self) -> None:
        assert {path.name: path.read_text() for path in self.workspace.iterdir()} == {n: n for n in FILES}
        assert list(self.blanks.iterdir()) == []


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.mark.parametrize("renames", range(len(FILES) + 1))
def test_a_young_one_is_settled_before_the_workspace_is_used(
    place: Place, monkeypatch: pytest.MonkeyPatch, renames: int
) -> None:
    place.cut_short(monkeypatch, renames)
    finish_all(place.notes, grace_seconds=60)
    assert place.blank.is_dir(), "to the reaper it may be under way"
    settle(place.notes, place.workspace)
    place.assert_mended()
    assert list(place.notes.iterdir()) == []
    settle(place.notes, place.workspace)
    place.assert_mended()


@pytest.mark.parametrize("renames", range(len(FILES) + 1))
def test_the_run_directory_may_be_gone(place: Place, monkeypatch: pytest.MonkeyPatch, renames: int) -> None:
    place.cut_short(monkeypatch, renames)
    place.note.unlink()
    remove_left_blanks(place.blanks, ())
    assert place.blank.is_dir(), "a learner's files are in it"
    settle_marked(place.blanks, place.workspaces)
    place.assert_mended()


def test_an_adoption_leaves_neither_note_nor_mark(place: Place) -> None:
    swap_in(place.note, place.blank, place.workspace)
    place.assert_mended()
    assert list(place.notes.iterdir()) == []
    assert not marked(place.blank)


def test_a_neighbour_s_adoption_is_left_alone(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.cut_short(monkeypatch, 1)
    for below in (place.workspaces / "7" / "la", place.workspaces / "8"):
        settle(place.notes, below)
        settle_marked(place.blanks, below)
    assert place.blank.is_dir()
    assert place.note.exists()


def test_what_the_file_system_refuses_is_told_and_kept(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.cut_short(monkeypatch, 1)

    def full(path: Path, target: Path) -> None:
        raise OSError("the disk fails")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", full)
        with pytest.raises(SandboxError, match="They are kept"):
            settle(place.notes, place.workspaces)
    settle(place.notes, place.workspaces)
    place.assert_mended()


def test_directories_of_those_that_waited_are_removed_and_no_others(place: Place) -> None:
    (place.blank / ".ipynb_checkpoints").mkdir()
    waits = place.blanks / f"{BLANK}two"
    waits.mkdir()
    (place.blanks / "else").mkdir()
    (place.blanks / f"{BLANK}link").symlink_to(place.workspace)
    remove_left_blanks(place.blanks, {"two"})
    assert {path.name for path in place.blanks.iterdir()} == {waits.name, "else", f"{BLANK}link"}
    assert {path.name for path in place.workspace.iterdir()} == FILES
    remove_left_blanks(place.root / "nowhere", ())
