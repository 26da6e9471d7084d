"""Reads zip files that strangers made: bounded in entries, in size, in ratio, and in what names may be."""

from __future__ import annotations

import io
import re
import stat
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from question_bank.formats.interface import FormatRefused

MAX_ENTRIES = 20_000
MAX_ENTRY = 16 * 1024 * 1024
"""Bytes of one file, unpacked."""
MAX_TOTAL = 128 * 1024 * 1024
"""Bytes of all files, unpacked."""
MAX_RATIO = 200
"""Unpacked to packed bytes; text rarely comes to 20."""
RATIO_FROM = 1024 * 1024
"""Smaller files may be packed as tightly as they like."""
_CHUNK = 64 * 1024
_DRIVE = re.compile(r"^[A-Za-z]:")


@dataclass(frozen=True)
class Package:
    """The files of a zip, by their path with `/`; folders are left out."""

    files: Mapping[str, zipfile.ZipInfo]
    refused: tuple[tuple[str, str], ...]
    """(name, sentence) of entries that can't be used."""
    _zip: zipfile.ZipFile
    _read: list[int]

    def read(self, path: str) -> bytes:
        """The bytes of a file. Raises `FormatRefused` when it is too large or damaged, `KeyError` when it isn't there."""
        info = self.files[path]
        try:
            with self._zip.open(info) as file:
                return self._bounded(file, path, info)
        except (
            zipfile.BadZipFile,
            zlib.error,
            OSError,
            ValueError,
            NotImplementedError,
            RuntimeError,
            EOFError,
        ) as error:
            raise FormatRefused(f"{path} is damaged: {error or type(error).__name__}.") from error

    def _bounded(self, file: io.BufferedIOBase | object, path: str, info: zipfile.ZipInfo) -> bytes:
        """Reads in pieces: what a header says of its size may be a lie."""
        found = bytearray()
        while chunk := file.read(_CHUNK):  # type: ignore[union-attr]
            found += chunk
            self._read[0] += len(chunk)
            if len(found) > MAX_ENTRY:
                raise FormatRefused(f"{path} is larger than {MAX_ENTRY // 1024 // 1024} MiB when unpacked.")
            if len(found) > RATIO_FROM and len(found) > MAX_RATIO * max(info.compress_size, 1):
                raise FormatRefused(
                    f"{path} unpacks to more than {MAX_RATIO} times its size: that is no question."
                )
            if self._read[0] > MAX_TOTAL:
                raise FormatRefused(
                    f"The package is larger than {MAX_TOTAL // 1024 // 1024} MiB when unpacked."
                )
        return bytes(found)


def open_package(data: bytes, name: str) -> Package:
    """The contents of a zip. Raises `FormatRefused` when it is none, or too large as a whole.

    Nothing is written to a disk. Entries whose names lead elsewhere, links, encrypted files and second entries of one
    name are in `refused`.
    """
    # Counted before Python makes an object of each.
    if (count := data.count(b"PK\x01\x02")) > MAX_ENTRIES:
        raise FormatRefused(f"{name} has {count:,} entries, more than {MAX_ENTRIES:,}: export fewer at once.")
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
        entries = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, zlib.error) as error:
        raise FormatRefused(
            f"{name} is no zip file, or it is damaged: {error or 'it can not be opened'}."
        ) from error
    if sum(entry.file_size for entry in entries) > MAX_TOTAL:
        raise FormatRefused(f"{name} is larger than {MAX_TOTAL // 1024 // 1024} MiB when unpacked.")
    files: dict[str, zipfile.ZipInfo] = {}
    refused: list[tuple[str, str]] = []
    for entry in entries:
        if entry.is_dir():
            continue
        path = entry.filename.replace("\\", "/")
        if problem := _problem(entry, path):
            refused.append((entry.filename[:200], problem))
        elif path in files:
            refused.append((path, "A second file has this name: only the first was read."))
        else:
            files[path] = entry
    return Package(files, tuple(refused), archive, [0])


def _problem(entry: zipfile.ZipInfo, path: str) -> str | None:
    if not path or path.startswith("/") or _DRIVE.match(path) or ".." in PurePosixPath(path).parts:
        return "Its name leads out of the package: it was left out."
    if any(ord(sign) < 32 for sign in path) or len(path) > 500:
        return "Its name is none that a file should have: it was left out."
    if stat.S_ISLNK(entry.external_attr >> 16):
        return "It is a link to another file: it was left out."
    if entry.flag_bits & 0x1:
        return "It is encrypted: unpack the package and zip it without a password."
    return None
