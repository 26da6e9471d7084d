"""Tools of this machine that an image's build may take, because they are the very ones that the image pins.

`tools.yaml` beside a Dockerfile names them::

    terraform:
      version: 1.11.4
      binary: {amd64: <SHA-256 of the program for Linux>}
      archive: {amd64: <SHA-256 of the publisher's archive>, arm64: ...}

A program on PATH whose checksum is pinned goes into the context; without one the Dockerfile gets the archive from its publisher
and checks it against the other pin. Either way the image holds the same bytes, so its tag depends on the pins alone. The
Dockerfile gets them as build arguments: TERRAFORM_VERSION, TERRAFORM_BINARY_AMD64, TERRAFORM_ARCHIVE_AMD64, ...
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from sandboxes.interface import ImageBuildFailed

TOOLS_FILE = "tools.yaml"
TOOLS_FOLDER = "tools"
MAX_BYTES = 268_435_456
NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")
VERSION = re.compile(r"[0-9][0-9A-Za-z.+-]{0,31}")
CHECKSUM = re.compile(r"[0-9a-f]{64}")
MACHINES = frozenset({"amd64", "arm64"})


@dataclass(frozen=True)
class Tool:
    """One program, pinned."""

    name: str
    version: str
    binary: Mapping[str, str]
    """Machine → SHA-256 of the program for Linux."""
    archive: Mapping[str, str]
    """Machine → SHA-256 of the archive that its publisher offers."""

    def arguments(self) -> dict[str, str]:
        """The pins as build arguments."""
        prefix = self.name.upper().replace("-", "_")
        found = {f"{prefix}_VERSION": self.version}
        for kind, pins in (("BINARY", self.binary), ("ARCHIVE", self.archive)):
            found |= {f"{prefix}_{kind}_{machine.upper()}": checksum for machine, checksum in pins.items()}
        return found

    def content(self) -> bytes | None:
        """The program on PATH, when its checksum is pinned; else None."""
        place = shutil.which(self.name)
        if place is None:
            return None
        try:
            if Path(place).stat().st_size > MAX_BYTES:
                return None
            content = Path(place).read_bytes()
        except OSError:
            return None
        return content if hashlib.sha256(content).hexdigest() in self.binary.values() else None


def read_tools(path: Path) -> tuple[Tool, ...]:
    """The tools of a file; none where there is no file. Raises ImageBuildFailed, naming the file and what is wrong."""
    if not path.is_file():
        return ()
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        if not isinstance(document, dict):
            raise ValueError("it must map names of tools to their pins")
        return tuple(_tool(name, pins) for name, pins in document.items())
    except (ValueError, yaml.YAMLError) as error:
        raise ImageBuildFailed(f"The file {path.parent.name}/{path.name} can't be used: {error}.") from error


def _tool(name: Any, pins: Any) -> Tool:
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise ValueError(f"{name!r} can't be the name of a tool")
    if not isinstance(pins, dict) or set(pins) != {"version", "binary", "archive"}:
        raise ValueError(f"{name} needs `version`, `binary` and `archive`, and nothing else")
    if not isinstance(pins["version"], str) or not VERSION.fullmatch(pins["version"]):
        raise ValueError(f"the version of {name} must be a text such as 1.11.4")
    for kind in ("binary", "archive"):
        checksums = pins[kind]
        if not isinstance(checksums, dict) or not checksums or not MACHINES.issuperset(checksums):
            raise ValueError(f"`{kind}` of {name} must map {' or '.join(sorted(MACHINES))} to a checksum")
        for checksum in checksums.values():
            if not isinstance(checksum, str) or not CHECKSUM.fullmatch(checksum):
                raise ValueError(f"`{kind}` of {name} holds {checksum!r}, which is no SHA-256")
    return Tool(name, pins["version"], pins["binary"], pins["archive"])
