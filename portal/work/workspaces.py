"""Learners' files: one directory a learner and lab, which outlives every sandbox.

Learners' code can put anything there, links and pipes too, so nothing in a workspace is opened without care.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from labs.catalogue import Lab
from labs.notebook import DEFAULT_PORTAL
from portal.files import LearnerFiles
from portal.models import utcnow

MAX_NOTEBOOK_BYTES = 10 * 1024 * 1024


class NotebookUnreadable(Exception):
    """The notebook in the workspace can't be taken; the message is for the learner."""


class Workspaces:
    """All workspaces below one directory."""

    def __init__(self, root: Path, portal_origin: str = DEFAULT_PORTAL) -> None:
        self.root = root
        self.files = LearnerFiles(root)
        self._link = f"]({portal_origin}/".encode()

    def path(self, user_id: int, lab_id: str) -> Path:
        """Where this learner's files for the lab are."""
        return self.files.path(user_id, lab_id)

    def prepare(self, user_id: int, lab: Lab) -> Path:
        """The workspace, with the lab's files where they are missing; what the learner has stays as it is.

        No sandbox may have it open. Raises OSError.
        """
        self.files.settle(user_id, lab.id, utcnow())
        workspace = self.path(user_id, lab.id)
        workspace.mkdir(parents=True, exist_ok=True)
        for name, data in lab.workspace_files().items():
            linked = (
                data.replace(f"]({DEFAULT_PORTAL}/".encode(), self._link) if name.endswith(".ipynb") else data
            )
            _write_new(workspace, name, linked)
        return workspace

    def notebook(self, user_id: int, lab: Lab) -> bytes:
        """The learner's notebook as it is saved now. Raises NotebookUnreadable."""
        return read_regular(self.path(user_id, lab.id) / f"{lab.id}.ipynb", MAX_NOTEBOOK_BYTES)


def read_regular(path: Path, max_bytes: int) -> bytes:
    """The bytes of a regular file, never through a link and never waiting for a pipe. Raises NotebookUnreadable."""
    try:
        # The folder itself must not be a link either: it would lead to somebody else's file.
        folder = os.open(path.parent, os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            handle = os.open(path.name, flags, dir_fd=folder)
        finally:
            os.close(folder)
    except FileNotFoundError:
        raise NotebookUnreadable(
            f"There is no {path.name} in your workspace. If you renamed it, give it its name back; "
            "if you deleted it, stop the lab and launch it again for a fresh copy."
        ) from None
    except OSError as error:
        # A folder that is a link is "not a directory" to the system.
        is_link = error.errno in (errno.ELOOP, errno.ENOTDIR)
        what = "is a link or lies behind one" if is_link else f"can't be opened ({error.strerror})"
        raise NotebookUnreadable(
            f"{path.name} in your workspace {what}. Put the notebook itself there."
        ) from None
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise NotebookUnreadable(f"{path.name} in your workspace is not a file. Put the notebook itself there.")
    with os.fdopen(handle, "rb") as file:
        data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise NotebookUnreadable(
            f"{path.name} is larger than {max_bytes // 1024 // 1024} MB. "
            "Clear its outputs (Edit → Clear Outputs of All Cells), save it and try again."
        )
    return data


def _write_new(workspace: Path, name: str, data: bytes) -> None:
    target = workspace / name
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
    except FileExistsError:
        return
    with os.fdopen(handle, "wb") as file:
        file.write(data)
