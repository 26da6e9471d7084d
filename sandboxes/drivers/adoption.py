"""Giving a running sandbox its learner's files without copying one: the directory that it has open takes the workspace's place.

A container's mount, and the working directory of a process, follow a directory when it is renamed. So the learner's files are
moved into the blank directory, and then that is moved to where they were. Every file is always in exactly one of the two, and a
note says which two, so that a crash at any moment can be mended (`finish_all`).
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import time
from pathlib import Path

from sandboxes.clearing import remove_tree
from sandboxes.drivers.run_dir import write_document
from sandboxes.interface import SandboxError

KEPT = ".kept"


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
    write_document(note, {"blank": str(blank), "workspace": str(workspace)})
    try:
        _finish(note, blank, workspace)
    except OSError as error:
        try:
            for entry in list(os.scandir(blank)):
                workspace.mkdir(exist_ok=True)
                Path(entry.path).rename(workspace / entry.name)
        except OSError:
            raise SandboxError(
                "Your files could not be given to the sandbox. They are kept; the portal puts them back when it starts again.",
                detail=str(error),
            ) from error
        note.unlink(missing_ok=True)
        raise


def finish_all(notes: Path, grace_seconds: float = 0.0) -> None:
    """Finish every adoption that a crash cut short; one begun less long ago than the grace may be under way. Raises OSError."""
    for note in sorted(notes.glob("*.json")):
        try:
            if grace_seconds and time.time() - note.stat().st_mtime < grace_seconds:
                continue
        except FileNotFoundError:
            continue  # it was finished meanwhile
        try:
            document = json.loads(note.read_text(encoding="utf-8"))
            blank, workspace = Path(document["blank"]), Path(document["workspace"])
        except (ValueError, KeyError, TypeError):
            note.unlink(missing_ok=True)  # not written to its end: nothing had been moved yet
            continue
        _finish(note, blank, workspace)


def _finish(note: Path, blank: Path, workspace: Path) -> None:
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
    note.unlink(missing_ok=True)


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
