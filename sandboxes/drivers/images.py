"""Building the images that the docker driver runs: on demand, tagged by what goes in, each step told.

An image is a folder below `sandboxes/images` with a Dockerfile. The build context holds only what the Dockerfiles copy,
and the tag is a hash of all of it: the same code never builds twice, and changed code is never missed.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import os
import re
import tarfile
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import docker
import requests
from docker.utils import kwargs_from_env

from sandboxes.drivers.starting import Reporter
from sandboxes.interface import ImageBuildFailed, Phase

ROOT = Path(__file__).parents[2]
IMAGES = Path(__file__).parents[1] / "images"
REPOSITORY = "proving-ground"
CONTEXT = ("requirements/sandbox.txt", "reference_impl", "notebooks/labkit", "sandboxes")
LEFT_OUT = frozenset(
    # The operator's tools are of no use in a sandbox, and a change to them must not make every image out of date.
    {
        "__pycache__",
        "images",
        "commands",
        "doctor",
        "node_modules",
        ".mypy_cache",
        ".ruff_cache",
        ".pytest_cache",
    }
)
PASSED_ON = (
    "PIP_CERT",
    "SSL_CERT_FILE",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
)
"""Variables of the builder that the build gets, when they are set: certificates and proxies of the operator's network."""
BUILD_SECONDS = 1_800
KEEP_SECONDS = 3_600
LOG_LINES = 80
TELL_SECONDS = 1.0


def image_names() -> list[str]:
    """The images that there are."""
    return sorted(path.parent.name for path in IMAGES.glob("*/Dockerfile"))


class ImageContext:
    """What goes into the build of one image."""

    def __init__(self, image: str) -> None:
        """Raises ImageBuildFailed when there is no such image."""
        dockerfile = IMAGES / image / "Dockerfile"
        if image not in image_names():
            raise ImageBuildFailed(f"There is no image {image!r}; there are {', '.join(image_names())}.")
        self.image = image
        self.dockerfile = dockerfile.read_text(encoding="utf-8")
        self._files = {"Dockerfile": dockerfile} | dict(_files())

    @property
    def tag(self) -> str:
        """`proving-ground/<image>:<hash>`."""
        digest = hashlib.sha256()
        for name, path in sorted(self._files.items()):
            content = path.read_bytes()
            digest.update(f"{name}\0{len(content)}\0".encode() + content)
        return f"{REPOSITORY}/{self.image}:{digest.hexdigest()[:16]}"

    def archive(self) -> io.BytesIO:
        """The context as a tar file, the same for the same files."""
        data = io.BytesIO()
        with tarfile.open(fileobj=data, mode="w") as archive:
            for folder in CONTEXT:
                if not (ROOT / folder).is_file():
                    entry = tarfile.TarInfo(folder)
                    entry.type, entry.mode = tarfile.DIRTYPE, 0o755
                    archive.addfile(entry)
            for name, path in sorted(self._files.items()):
                content = path.read_bytes()
                entry = tarfile.TarInfo(name)
                entry.size, entry.mode = len(content), 0o644
                archive.addfile(entry, io.BytesIO(content))
        data.seek(0)
        return data


def _files() -> Iterator[tuple[str, Path]]:
    for part in CONTEXT:
        start = ROOT / part
        for path in [start] if start.is_file() else start.rglob("*"):
            inside = path.relative_to(ROOT)
            if path.is_file() and not LEFT_OUT.intersection(inside.parts) and not path.is_symlink():
                yield inside.as_posix(), path


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


def image_size(image: str) -> tuple[str, int]:
    """The tag and the size in bytes of an image that was built. Raises ImageBuildFailed when it was not."""
    tag = ImageContext(image).tag
    client = docker.APIClient(**kwargs_from_env())
    try:
        return tag, int(client.inspect_image(tag)["Size"])
    except docker.errors.ImageNotFound as error:
        raise ImageBuildFailed(f"The image {image} was not built.") from error
    finally:
        client.close()


def build(client: docker.APIClient, context: ImageContext, reporter: Reporter, lock_dir: Path) -> str:
    """Make sure the image is there and return its tag. Raises ImageBuildFailed."""
    tag = context.tag
    if _exists(client, tag):
        return tag
    reporter.tell(Phase.BUILDING_IMAGE, "preparing the build")
    with _one_at_a_time(lock_dir):
        if not _exists(client, tag):
            _build(context, tag, reporter)
            _forget_older(client, context.image, tag)
    return tag


def _exists(client: docker.APIClient, tag: str) -> bool:
    try:
        client.inspect_image(tag)
    except docker.errors.ImageNotFound:
        return False
    return True


def _forget_older(client: docker.APIClient, image: str, tag: str) -> None:
    """Remove what earlier versions of the code built, but not what somebody may be starting or running right now."""
    for found in client.images(name=f"{REPOSITORY}/{image}"):
        if found["Created"] < time.time() - KEEP_SECONDS:
            for old in set(found["RepoTags"] or ()) - {tag}:
                with suppress(docker.errors.APIError):
                    client.remove_image(old)


def _build(context: ImageContext, tag: str, reporter: Reporter) -> None:
    descriptions = step_descriptions(context.dockerfile)
    log: deque[str] = deque(maxlen=LOG_LINES)
    detail, told = "preparing the build", time.monotonic()
    client = docker.APIClient(timeout=BUILD_SECONDS, **kwargs_from_env())
    try:
        for message in client.build(
            fileobj=context.archive(),
            custom_context=True,
            tag=tag,
            rm=True,
            forcerm=True,
            decode=True,
            buildargs={name: os.environ[name] for name in PASSED_ON if os.environ.get(name)},
        ):
            for line in _lines(message):
                log.append(line)
                step = re.match(r"Step (\d+)/(\d+) : (.*)", line)
                if step:
                    number, count = int(step[1]), int(step[2])
                    words = descriptions[number - 1] if number <= len(descriptions) else step[3]
                    detail = f"step {number} of {count}: {words}"
                # Also between the steps, so that whoever waits sees that it goes on.
                if step or time.monotonic() - told > TELL_SECONDS:
                    told = time.monotonic()
                    reporter.tell(Phase.BUILDING_IMAGE, detail)
            if "error" in message:
                log.append(str(message["error"])[:2000])
                raise _failed(context.image, detail, log)
    except (docker.errors.DockerException, requests.RequestException) as error:
        log.append(str(error)[:2000])
        raise _failed(context.image, detail, log) from error
    finally:
        client.close()


def _failed(image: str, detail: str, log: deque[str]) -> ImageBuildFailed:
    if detail.startswith("step 1 "):
        log.append(
            "Where no registry can be reached, ci/base-image makes the base image from Debian's packages."
        )
    return ImageBuildFailed(
        f"The image {image} could not be built, at {detail}.", detail=log[-1], log="\n".join(log)
    )


def _lines(message: Mapping[str, Any]) -> list[str]:
    text = str(message.get("stream") or message.get("status") or "")
    return [line.rstrip()[:500] for line in text.splitlines() if line.strip()]


@contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    """Two processes that need the same image: the second waits and then finds it."""
    with (folder / "build.lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
