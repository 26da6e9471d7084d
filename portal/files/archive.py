"""A workspace as a zip, written while it is sent: no copy on disk, and never more in memory than a chunk."""

from __future__ import annotations

import io
import os
import re
import time
import zipfile
from collections.abc import Generator, Iterator
from pathlib import Path

from portal.files.tree import Found, Kind, walk

CHUNK = 262_144
SKIPPED = "SKIPPED.txt"
SKIPPED_LINES = 500
_UNSAFE = re.compile(r"[\\:\x00-\x1f\x7f]")
"""What some system's unzip takes for a separator, a drive or a command to the terminal."""
_REASONS = {
    Kind.LINK: "a link",
    Kind.SPECIAL: "a pipe, socket or device",
    Kind.UNREADABLE: "could not be read",
    Kind.REST: "this and what follows: too many files",
}


class _Sink(io.RawIOBase):
    """Takes what the zip writer writes, until somebody fetches it."""

    def __init__(self) -> None:
        self._chunks: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self._chunks.append(bytes(data))
        return len(data)

    def fetch(self) -> bytes:
        """What came since the last call."""
        data, self._chunks = b"".join(self._chunks), []
        return data


def stream_zip(root: Path, folder: str, *, max_bytes: int, max_files: int) -> Iterator[bytes]:
    """The files below `root` as a zip, all in one folder; what is left out is listed in SKIPPED.txt beside it.

    At most `max_bytes` of content and `max_files` files. Raises OSError when `root` is no folder.
    """
    sink = _Sink()
    skipped: list[str] = []
    names: set[str] = set()
    files = 0
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for found in walk(root):
            name = _free(f"{folder}/{safe_name(found.path)}", names)
            if found.kind is Kind.FOLDER and found.status is not None:
                archive.writestr(_info(f"{name}/", found.status), b"")
                yield sink.fetch()
            elif found.kind is not Kind.FILE or found.status is None:
                skipped.append(f"{safe_name(found.path)}: {_REASONS[found.kind]}")
            elif files >= max_files or found.status.st_size > max_bytes:
                limit = "too many files" if files >= max_files else "over the size limit of a download"
                skipped.append(f"{safe_name(found.path)}: {limit}")
            else:
                files += 1
                try:
                    descriptor = found.open()
                except OSError:
                    skipped.append(f"{safe_name(found.path)}: {_REASONS[Kind.UNREADABLE]}")
                    continue
                with os.fdopen(descriptor, "rb") as source:
                    max_bytes -= yield from _add(archive, sink, source, name, found, skipped)
        if skipped:
            archive.writestr(_info(SKIPPED, None), _listing(skipped))
    yield sink.fetch()


def safe_name(path: str) -> str:
    """A name that means the same on every system: valid Unicode, no separators but slashes, nothing for a terminal."""
    return _UNSAFE.sub("_", path.encode("utf-8", "surrogateescape").decode("utf-8", "replace"))


def _add(
    archive: zipfile.ZipFile,
    sink: _Sink,
    source: io.BufferedReader,
    name: str,
    found: Found,
    skipped: list[str],
) -> Generator[bytes, None, int]:
    """One file, no longer than it was when it was found; returns how many bytes it had."""
    assert found.status is not None
    left = size = found.status.st_size
    info = _info(name, found.status)
    with archive.open(info, "w", force_zip64=size > 0x7000_0000) as target:
        while left > 0:
            try:
                data = source.read(min(CHUNK, left))
            except OSError:
                skipped.append(f"{safe_name(found.path)}: could not be read to its end")
                break
            if not data:
                break
            left -= len(data)
            target.write(data)
            if ready := sink.fetch():
                yield ready
    if ready := sink.fetch():
        yield ready
    return size - left


def _info(name: str, status: os.stat_result | None) -> zipfile.ZipInfo:
    moment = time.gmtime(max(315_532_800, min(status.st_mtime if status else time.time(), 4_354_819_198)))
    info = zipfile.ZipInfo(name, moment[:6])
    info.compress_type = zipfile.ZIP_DEFLATED
    info.create_system = 3
    mode = 0o040755 if name.endswith("/") else 0o100755 if status and status.st_mode & 0o100 else 0o100644
    info.external_attr = mode << 16
    return info


def _free(name: str, taken: set[str]) -> str:
    """The name, or with a number behind it when two names became one."""
    candidate, number = name, 1
    while candidate in taken:
        number += 1
        candidate = f"{name}~{number}"
    taken.add(candidate)
    return candidate


def _listing(skipped: list[str]) -> str:
    lines = skipped[:SKIPPED_LINES]
    if len(skipped) > SKIPPED_LINES:
        lines.append(f"and {len(skipped) - SKIPPED_LINES} more")
    return "Not in this archive:\n\n" + "\n".join(lines) + "\n"
