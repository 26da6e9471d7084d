"""Where learners' files are, and what is put aside when they are reset.

`<root>/<user>/<lab>` is a workspace. Names that start with a dot are reserved: `.reset/<user>/<lab>/<moment>` holds workspaces
that were reset. Everything moves by renaming a folder, so each file is always in exactly one place.

Two folders change places in one step where the file system can do that. Where it can't, `.reset/<user>/<lab>/.back` is what is on
its way back to the learner; `settle` ends a way that a crash cut short, and is called before the workspace is used again.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from portal.files.exchange import exchange
from sandboxes.clearing import remove_tree
from sandboxes.interface import Usage
from sandboxes.usage import workspace_usage

RESET = ".reset"
BACK = ".back"
REMOVING = ".removing"
MOMENT = "%Y%m%dT%H%M%S%fZ"
KEPT_PER_LAB = 3


@dataclass(frozen=True)
class Kept:
    """A workspace that was put aside."""

    path: Path
    at: datetime


class LearnerFiles:
    """All learners' files below one directory."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, user_id: int, lab_id: str) -> Path:
        """Where this learner's files of the lab are."""
        return self.root / str(user_id) / lab_id

    def exist(self, user_id: int, lab_id: str) -> bool:
        """Whether the learner has files of the lab."""
        return self.path(user_id, lab_id).is_dir()

    def usage(self, user_id: int, lab_id: str) -> Usage:
        """What they take."""
        return workspace_usage(self.path(user_id, lab_id))

    def reset(self, user_id: int, lab_id: str, now: datetime) -> bool:
        """Put the workspace aside; False when there is none. No sandbox may have it open. Raises OSError."""
        self.settle(user_id, lab_id, now)
        return self._put_aside(user_id, lab_id, now)

    def bring_back(self, user_id: int, lab_id: str, now: datetime) -> bool:
        """Swap the workspace with the newest one that was put aside; False when there is none.

        No sandbox may have it open. Raises OSError; each of the two is then the learner's or among those put aside.
        """
        self.settle(user_id, lab_id, now)
        kept = self.kept(user_id, lab_id)
        if not kept:
            return False
        workspace, aside = self.path(user_id, lab_id), self._aside(user_id, lab_id)
        if not workspace.is_dir():
            workspace.parent.mkdir(parents=True, exist_ok=True)
            kept[0].path.rename(workspace)
            return True
        # First the name that the other one is to have: it is kept for as long as if it had been put aside now.
        place = aside / _moment(now)
        kept[0].path.rename(place)
        if not exchange(workspace, place):
            place.rename(aside / BACK)
            self.settle(user_id, lab_id, now)
        return True

    def settle(self, user_id: int, lab_id: str, now: datetime) -> None:
        """Finish a `bring_back` that was cut short. No sandbox may have the workspace open. Raises OSError."""
        back = self._aside(user_id, lab_id) / BACK
        if back.is_dir():
            self._put_aside(user_id, lab_id, now)
            workspace = self.path(user_id, lab_id)
            workspace.parent.mkdir(parents=True, exist_ok=True)
            back.rename(workspace)

    def kept(self, user_id: int, lab_id: str) -> list[Kept]:
        """What was put aside for this lab, newest first."""
        return _kept_in(self._aside(user_id, lab_id))

    def prune(self, now: datetime, days: int, most: int = KEPT_PER_LAB) -> int:
        """Remove what was put aside `days` ago, and all but the newest `most` of a lab; how many were removed.

        Each is first renamed out of reach, so that nobody is brought back a half of it. Raises OSError.
        """
        going = self.root / RESET / REMOVING
        removed = 0
        for folder in self._asides():
            for number, kept in enumerate(_kept_in(folder), 1):
                if number > most or now - kept.at > timedelta(days=days):
                    going.mkdir(parents=True, exist_ok=True)
                    kept.path.rename(going / secrets.token_hex(8))
                    removed += 1
        if going.is_dir():  # also what an earlier run did not finish
            remove_tree(going)
        return removed

    def _put_aside(self, user_id: int, lab_id: str, now: datetime) -> bool:
        workspace = self.path(user_id, lab_id)
        if not workspace.is_dir():
            return False
        aside = self._aside(user_id, lab_id)
        aside.mkdir(parents=True, exist_ok=True)
        workspace.rename(aside / _moment(now))
        return True

    def _aside(self, user_id: int, lab_id: str) -> Path:
        return self.root / RESET / str(user_id) / lab_id

    def _asides(self) -> Iterator[Path]:
        for user in _folders(self.root / RESET):
            yield from _folders(user)


def _moment(now: datetime) -> str:
    return now.astimezone(UTC).strftime(MOMENT)


def _folders(path: Path) -> list[Path]:
    try:
        with os.scandir(path) as entries:
            return [
                Path(entry.path)
                for entry in entries
                if not entry.name.startswith(".") and entry.is_dir(follow_symlinks=False)
            ]
    except OSError:
        return []


def _kept_in(folder: Path) -> list[Kept]:
    found = []
    for path in _folders(folder):
        with contextlib.suppress(ValueError):
            found.append(Kept(path, datetime.strptime(path.name, MOMENT).replace(tzinfo=UTC)))
    return sorted(found, key=lambda kept: kept.at, reverse=True)
