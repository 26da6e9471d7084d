"""Reading and writing the learner's files without following a link or waiting on a special file."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path

from sandboxes.protocol import FILE_BYTES, AgentError, ErrorKind

PATH_CHARACTERS = 1_000


def _parts(path: str) -> list[str]:
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if not parts or ".." in parts or "\0" in path or path.startswith("/") or len(path) > PATH_CHARACTERS:
        raise AgentError(ErrorKind.NOT_FOUND, f"{path[:100]!r} is not a path inside the workspace")
    return parts


@contextlib.contextmanager
def _folder(root: Path, parts: list[str], *, make: bool) -> Iterator[int]:
    """A descriptor of the folder at `parts`, opened step by step so that no step can be a link."""
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for part in parts:
            if make:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(part, 0o755, dir_fd=descriptor)
            below = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = below
        yield descriptor
    finally:
        os.close(descriptor)


def read_file(root: Path, path: str, max_bytes: int) -> bytes:
    """A regular file below `root`. Raises AgentError: NOT_FOUND, TOO_LARGE."""
    *above, name = _parts(path)
    limit = max(0, min(max_bytes, FILE_BYTES))
    try:
        with _folder(root, above, make=False) as folder:
            # Non-blocking: a FIFO without a writer would hold the agent up.
            descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY, dir_fd=folder)
    except OSError as error:
        raise AgentError(ErrorKind.NOT_FOUND, f"There is no readable file {path}: {error.strerror}") from error
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise AgentError(ErrorKind.NOT_FOUND, f"{path} is not a regular file")
    with os.fdopen(descriptor, "rb") as file:
        data = file.read(limit + 1) if status.st_size <= limit else None
    if data is None or len(data) > limit:
        raise AgentError(ErrorKind.TOO_LARGE, f"The file {path} is larger than the {limit} bytes that are read")
    return data


def write_file(root: Path, path: str, data: bytes) -> None:
    """Put a file below `root` in one step, replacing what has its name. Raises AgentError: NOT_FOUND, INVALID."""
    *above, name = _parts(path)
    try:
        with _folder(root, above, make=True) as folder:
            half = f".{secrets.token_hex(8)}.half"
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
            try:
                with os.fdopen(os.open(half, flags, 0o644, dir_fd=folder), "wb") as file:
                    os.fchmod(file.fileno(), 0o644)
                    file.write(data)
                os.rename(half, name, src_dir_fd=folder, dst_dir_fd=folder)
            except OSError:
                with contextlib.suppress(OSError):
                    os.unlink(half, dir_fd=folder)
                raise
    except OSError as error:
        raise AgentError(ErrorKind.INVALID, f"{path} can't be written: {error.strerror}") from error
