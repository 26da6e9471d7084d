"""What a learner can ask of their files in a lab: a download, a fresh start, and the way back from it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from labs.catalogue import Lab
from portal.errors import Conflict, NotFound, Unavailable
from portal.features.lab_sessions import queries
from portal.features.lab_sessions.service import new_session
from portal.files import LearnerFiles, stream_zip
from portal.models import EndReason, LabSession, SessionState, utcnow
from portal.settings import Settings

MOST_FILES = 10_000
MB = 1024 * 1024


class FilesService:
    """The files of labs, in one database session."""

    def __init__(self, db: Session, settings: Settings) -> None:
        self.db = db
        self.settings = settings
        self.files = LearnerFiles(settings.workspaces_dir)

    def reset(self, user_id: int, lab: Lab) -> None:
        """Put the files aside; fresh ones come with the next launch. Raises Conflict, NotFound, Unavailable."""
        with self._alone(user_id, lab, "Your files were put aside. Fresh ones come with the next launch."):
            self._move(self.files.reset, user_id, lab, "There are no files to reset yet.")

    def bring_back(self, user_id: int, lab: Lab) -> None:
        """Swap the files with those that were put aside last. Raises Conflict, NotFound, Unavailable."""
        with self._alone(user_id, lab, "Your earlier files are back, as you left them.") as row:
            self._move(self.files.bring_back, user_id, lab, "There are no files that could be brought back.")
            usage = self.files.usage(user_id, lab.id)
            row.usage_bytes, row.usage_files = usage.bytes, usage.files

    def download(self, user_id: int, lab: Lab) -> Iterator[bytes]:
        """The files as a zip. Raises NotFound when there are none, Conflict and Unavailable when too many downloads run."""
        if not self.files.exist(user_id, lab.id):
            raise NotFound("There are no files yet: launch the lab first.")
        body = _counted(
            user_id,
            max(1, self.settings.web_threads // 2),
            stream_zip(
                self.files.path(user_id, lab.id),
                lab.id,
                max_bytes=2 * self.settings.workspace_mb * MB,
                max_files=MOST_FILES,
            ),
        )
        next(body)
        return body

    def _move(self, move: Callable[[int, str, datetime], bool], user_id: int, lab: Lab, nothing: str) -> None:
        try:
            if not move(user_id, lab.id, utcnow()):
                raise NotFound(nothing)
        except OSError as error:
            raise Unavailable(
                "Your files could not be moved. Nothing is lost; tell the person who runs this portal.",
                detail=str(error),
            ) from error

    @contextmanager
    def _alone(self, user_id: int, lab: Lab, said: str) -> Iterator[LabSession]:
        """Hold the lab as an open session would, so that none can begin meanwhile; what was done stays noted on the row."""
        if queries.being_graded(self.db, user_id, lab.id):
            raise Conflict("Your notebook is being graded. Wait for its result, then try again.")
        row = new_session(user_id, lab, SessionState.STOPPING)
        row.end_reason, row.detail, row.ended_at = EndReason.RESET, said, utcnow()
        try:
            with self.db.begin_nested():
                self.db.add(row)
                self.db.flush()
                yield row
                row.state = SessionState.STOPPED
        except IntegrityError:
            raise Conflict("The sandbox has these files open. Stop it first.") from None


_lock = threading.Lock()
_downloading: set[int] = set()


def _counted(user_id: int, most: int, chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The chunks, while this learner has no other download and not too many do; the first one is empty.

    Each download holds a thread of the web process for as long as the reader takes.
    """
    with _lock:
        if user_id in _downloading:
            raise Conflict("Your files are being downloaded already. Wait until that is done.")
        if len(_downloading) >= most:
            raise Unavailable("Many people download their files just now. Try again in a minute.")
        _downloading.add(user_id)
    try:
        yield b""
        yield from chunks
    finally:
        with _lock:
            _downloading.discard(user_id)
