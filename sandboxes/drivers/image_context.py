"""What goes into the build of an image: its Dockerfile, what that copies, the image below it, and tools of this machine.

An image is a folder below `sandboxes/images` with a Dockerfile. Its context holds what the Dockerfile copies and nothing else,
and its tag is a hash of all that: the same code never builds twice, and changed code is never missed.

One that builds on another of ours says so in its first line, `# builds on: base`, and starts from it with `ARG BASE_IMAGE` and
`FROM ${BASE_IMAGE}`: the tag of the image below is given to the build, and is part of its own tag's hash.

One with a `tools.yaml` finds in the context's folder `tools/` those programs of this machine that are the very ones pinned there;
what is missing its Dockerfile has to get by itself. See `sandboxes/drivers/image_tools.py`.

One that takes something out of an image of somebody else's, which the operator names, says so in its next line, `# takes from:
KAFKA_IMAGE`. See `sandboxes/drivers/image_sources.py`.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import IO

from sandboxes.drivers.image_sources import Source, read_source
from sandboxes.drivers.image_tools import TOOLS_FILE, TOOLS_FOLDER, Tool, read_tools
from sandboxes.interface import ImageBuildFailed

ROOT = Path(__file__).parents[2]
IMAGES = Path(__file__).parents[1] / "images"
REPOSITORY = "proving-ground"
BELOW_ARGUMENT = "BASE_IMAGE"
LEFT_OUT = frozenset(
    {
        "__pycache__",
        "images",
        "commands",
        "doctor",
        "node_modules",
        ".mypy_cache",
        ".ruff_cache",
        ".pytest_cache",
        ".env",
    }
)
"""Folders and files that are not copied along with the tree they are in: the operator's tools are of no use in a sandbox, and a
change to them must not make every image out of date; his passwords are nobody's business there."""


def image_names() -> list[str]:
    """The images that there are, by name."""
    return sorted(path.parent.name for path in IMAGES.glob("*/Dockerfile"))


def build_order() -> list[str]:
    """All images, each after the one it builds on. Raises ImageBuildFailed for a Dockerfile that can't be used."""
    return sorted(image_names(), key=lambda name: (len(ImageContext(name).lineage), name))


class ImageContext:
    """What goes into the build of one image."""

    def __init__(
        self, image: str, named: Mapping[str, str] | None = None, _above: tuple[str, ...] = ()
    ) -> None:
        """`named`: the operator's names of others' images, by build argument; None for those of the environment.

        Raises ImageBuildFailed, naming the file, when there is no such image or its Dockerfile can't be used.
        """
        if image not in image_names():
            raise ImageBuildFailed(f"There is no image {image!r}; there are {', '.join(image_names())}.")
        self.image = image
        self._path = IMAGES / image / "Dockerfile"
        self.dockerfile = self._path.read_text(encoding="utf-8")
        self.tools: tuple[Tool, ...] = read_tools(IMAGES / image / TOOLS_FILE)
        self._named = os.environ if named is None else named
        self.below = self._below((*_above, image))
        try:
            self.source: Source | None = read_source(self.dockerfile, self._named)
        except ValueError as error:
            raise self._wrong(str(error)) from error
        self._files = {"Dockerfile": self._path} | dict(self._copied())

    @property
    def lineage(self) -> tuple[ImageContext, ...]:
        """The images it is made of, the lowest first and itself last."""
        return (*(self.below.lineage if self.below else ()), self)

    @cached_property
    def tag(self) -> str:
        """`proving-ground/<image>:<hash>`."""
        digest = hashlib.sha256()
        for name, path in sorted(self._files.items()):
            content = path.read_bytes()
            digest.update(f"{name}\0{_mode(path):o}\0{len(content)}\0".encode() + content)
        if self.below:
            digest.update(f"{BELOW_ARGUMENT}\0{self.below.tag}\0".encode())
        for argument, value in sorted(self._pins.items()):
            digest.update(f"{argument}\0{value}\0".encode())
        return f"{REPOSITORY}/{self.image}:{digest.hexdigest()[:16]}"

    @property
    def arguments(self) -> dict[str, str]:
        """The build arguments that its Dockerfile expects of us."""
        return ({BELOW_ARGUMENT: self.below.tag} if self.below else {}) | self._pins

    @property
    def _pins(self) -> dict[str, str]:
        found = {key: value for tool in self.tools for key, value in tool.arguments().items()}
        return found | ({self.source.argument: self.source.image} if self.source else {})

    def archive(self) -> IO[bytes]:
        """The context as a tar file on disk, the same for the same files; closing it removes it."""
        data = tempfile.TemporaryFile()  # noqa: SIM115 - the caller's to close
        with tarfile.open(fileobj=data, mode="w") as archive:
            for folder in sorted(self._folders()):
                entry = tarfile.TarInfo(folder)
                entry.type, entry.mode = tarfile.DIRTYPE, 0o755
                archive.addfile(entry)
            for name, path in sorted(self._files.items()):
                _add(archive, name, path.read_bytes(), _mode(path))
            for tool in self.tools:
                content = tool.content()
                if content is not None:
                    _add(archive, f"{TOOLS_FOLDER}/{tool.name}", content, 0o755)
        data.seek(0)
        return data

    def _below(self, names: tuple[str, ...]) -> ImageContext | None:
        """The image that this one builds on; `names` leads from the one that was asked for to this one."""
        lines = self.dockerfile.splitlines()
        said = re.fullmatch(r"#\s*builds on:\s*(\S+)\s*", lines[0]) if lines else None
        starts = any(re.match(rf"FROM\s+\${{?{BELOW_ARGUMENT}}}?(\s|$)", line) for line in lines)
        if said is None:
            if starts:
                raise self._wrong(
                    f"starts from {BELOW_ARGUMENT}, so its first line must be `# builds on: <image>`"
                )
            return None
        if not starts or not any(re.match(rf"ARG\s+{BELOW_ARGUMENT}(\s|=|$)", line) for line in lines):
            needs = f"`ARG {BELOW_ARGUMENT}` and `FROM ${{{BELOW_ARGUMENT}}}`"
            raise self._wrong(f"builds on {said[1]}, so it needs {needs}")
        if said[1] in names:
            circle = " → ".join((*names[names.index(said[1]) :], said[1]))
            raise self._wrong(f"builds on itself ({circle})")
        if said[1] not in image_names():
            known = ", ".join(image_names())
            raise self._wrong(f"builds on {said[1]!r}, but there is no such image; there are {known}")
        return ImageContext(said[1], self._named, names)

    def _sources(self) -> Iterator[str]:
        """The first words of its COPY instructions, but not what comes from another stage."""
        for line in re.sub(r"\\\n", " ", self.dockerfile).splitlines():
            words = line.split()
            if words and words[0] == "COPY" and not any(word.startswith("--from=") for word in words):
                yield from [word for word in words[1:] if not word.startswith("--")][:-1]

    def _copied(self) -> Iterator[tuple[str, Path]]:
        for source in self._sources():
            if source == TOOLS_FOLDER:
                continue
            if PurePosixPath(source).is_absolute() or ".." in PurePosixPath(source).parts:
                raise self._wrong(f"copies {source!r}, which is outside of the project")
            start = ROOT / source
            if start.is_file():
                yield source, start
            for path in start.rglob("*"):
                left_out = LEFT_OUT.intersection(path.relative_to(start).parts)
                if path.is_file() and not left_out and not path.is_symlink():
                    yield path.relative_to(ROOT).as_posix(), path
            if not start.exists():
                raise self._wrong(f"copies {source!r}, which does not exist")

    def _folders(self) -> set[str]:
        """Folders that are copied whole, so that they exist even when they are empty."""
        found = {source for source in self._sources() if (ROOT / source).is_dir()}
        return found | ({TOOLS_FOLDER} if TOOLS_FOLDER in self._sources() else set())

    def _wrong(self, words: str) -> ImageBuildFailed:
        return ImageBuildFailed(f"The Dockerfile {_shown(self._path)} {words}.")


def _shown(path: Path) -> str:
    return (path.relative_to(ROOT) if path.is_relative_to(ROOT) else path).as_posix()


def _mode(path: Path) -> int:
    """What a file may be used for in the image: of the checkout's modes only whether it is a program counts."""
    return 0o755 if path.stat().st_mode & 0o100 else 0o644


def _add(archive: tarfile.TarFile, name: str, content: bytes, mode: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), mode
    archive.addfile(entry, io.BytesIO(content))


def step_descriptions(dockerfile: str) -> list[str]:
    """What each instruction does: the last comment above it, else the instruction itself."""
    found: list[str] = []
    comment = ""
    continued = False
    for line in dockerfile.splitlines():
        text = line.strip()
        if continued:
            continued = text.endswith("\\") or text.startswith("#")
        elif text.startswith("#"):
            if not text.startswith("# hadolint"):
                comment = text.lstrip("# ")
        elif text:
            found.append(comment or text)
            comment = ""
            continued = text.endswith("\\")
    return found
