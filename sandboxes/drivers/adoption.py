"""Giving a running sandbox its learner's files without copying one: the directory that it has open takes the workspace's place.

A container's mount, and the working directory of a process, follow a directory when it is renamed. So the learner's files are
moved into the blank directory, and then that is moved to where they were. Every file is always in exactly one of the two. A
note in the run directory says which two, and so does, because a restart of the machine may empty that, a link beside the blank
directory. So a crash at any moment can be mended: by `settle` before the files are used again, by `finish_all` at the latest.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import threading
import time
from collections.abc import Collection, Iterable
from pathlib import Path

from sandboxes.clearing import remove_tree
from sandboxes.drivers.run_dir import write_document
from sandboxes.interface import SandboxError

BLANK = "blank-"
"""How a pool names the directories of those that wait; the id follows."""
KEPT = ".kept"
MARK = ".to"
"""Of the link beside a blank directory. A link is there or not: unlike a file, it can't be cut off by a power failure."""
HALF_DONE = (
    "Your files could not be given to the sandbox. They are kept, and the next launch puts them back: try again, "
    "or tell the person who runs this portal."
)
_finishing = threading.Lock()
"""The reaper and a launch may find the same note."""


def swap_in(note: Path, blank: Path, workspace: Path) -> None:
    """Make `blank` the directory at `workspace`, holding what was there.

    Raises OSError with everything as it was, and SandboxError when a failing file system left it half done: the note stays then.
    """
    workspace.mkdir(parents=True, exist_ok=True)
    if workspace.is_symlink() or blank.is_symlink():
        raise OSError(errno.ELOOP, f"{workspace} is a link, not a directory")
    if os.lstat(blank).st_dev != os.lstat(workspace).st_dev:
        raise OSError(errno.EXDEV, f"{workspace} is on another file system than the sandboxes that wait")
    for entry in os.scandir(blank):  # whatever the sandbox put there while it waited is nobody's work
        remove_tree(Path(entry.path)) if entry.is_dir(follow_symlinks=False) else Path(entry.path).unlink()
    _mark(blank).unlink(missing_ok=True)
    _mark(blank).symlink_to(workspace.absolute())
    write_document(note, {"blank": str(blank), "workspace": str(workspace)})
    try:
        _finish(note, blank, workspace)
    except OSError as error:
        try:
            for entry in list(os.scandir(blank)):
                workspace.mkdir(exist_ok=True)
                Path(entry.path).rename(workspace / entry.name)
        except OSError:
            raise SandboxError(HALF_DONE, detail=str(error)) from error
        _forget(note, blank)
        raise


def settle(notes: Path, below: Path) -> None:
    """Finish every adoption into a workspace at or below a directory, however young; none may be under way there.

    Raises SandboxError when the file system does not let it.
    """
    _settle(((note, _read(note)) for note in sorted(notes.glob("*.json"))), below)


def settle_marked(blanks: Path, below: Path) -> None:
    """The same by the links beside blank directories, for when the notes are gone. Raises SandboxError."""
    marks = (mark for mark in sorted(blanks.glob(f"*{MARK}")) if mark.is_symlink())
    _settle(((None, (mark.with_suffix(""), mark.readlink())) for mark in marks), below)


def marked(blank: Path) -> bool:
    """Whether an adoption by this blank directory was begun and not finished."""
    return _mark(blank).is_symlink()


def remove_left_blanks(blanks: Path, keep: Collection[str]) -> None:
    """Remove the directories of all that waited but the ids to `keep`; not those in which files were left half moved."""
    for blank in blanks.glob(f"{BLANK}*"):
        waits = blank.name.removeprefix(BLANK) in keep
        if not waits and blank.is_dir() and not blank.is_symlink() and not marked(blank):
            remove_tree(blank)


def finish_all(notes: Path, grace_seconds: float = 0.0) -> None:
    """Finish every adoption that a crash cut short; one begun less long ago than the grace may be under way. Raises OSError."""
    with _finishing:
        for note in sorted(notes.glob("*.json")):
            try:
                if grace_seconds and time.time() - note.stat().st_mtime < grace_seconds:
                    continue
            except FileNotFoundError:
                continue  # it was finished meanwhile
            pair = _read(note)
            if pair is None:
                note.unlink(missing_ok=True)  # not written to its end: nothing had been moved yet
            else:
                _finish(note, *pair)


def _read(note: Path) -> tuple[Path, Path] | None:
    """The blank directory and the workspace that a note names; None when it names none."""
    try:
        document = json.loads(note.read_text(encoding="utf-8"))
        return Path(document["blank"]), Path(document["workspace"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def _settle(found: Iterable[tuple[Path | None, tuple[Path, Path] | None]], below: Path) -> None:
    try:
        with _finishing:
            for note, pair in found:
                if pair is not None and pair[1].resolve().is_relative_to(below.resolve()):
                    _finish(note, *pair)
    except OSError as error:
        raise SandboxError(HALF_DONE, detail=str(error)) from error


def _finish(note: Path | None, blank: Path, workspace: Path) -> None:
    if blank.is_dir():
        if workspace.is_dir():
            for entry in list(os.scandir(workspace)):
                target = blank / entry.name
                if os.path.lexists(target):
                    # Made anew while the learner's own was on its way: both are kept, and the learner's keeps the name.
                    target = _free_name(target)
                Path(entry.path).rename(target)
            workspace.rmdir()
        workspace.parent.mkdir(parents=True, exist_ok=True)
        blank.rename(workspace)
        _sync(workspace.parent)
    _forget(note, blank)


def _forget(note: Path | None, blank: Path) -> None:
    _mark(blank).unlink(missing_ok=True)
    if note is not None:
        note.unlink(missing_ok=True)


def _mark(blank: Path) -> Path:
    return blank.with_name(f"{blank.name}{MARK}")


def _free_name(target: Path) -> Path:
    number = 1
    while os.path.lexists(candidate := target.with_name(f"{target.name}{KEPT}{number}")):
        number += 1
    return candidate


def _sync(folder: Path) -> None:
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
