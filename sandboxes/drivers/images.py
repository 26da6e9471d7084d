"""Building the images that the docker driver runs: on demand, each after the one it builds on, each step told.

What an image is made of, and its tag, is the business of `sandboxes/drivers/image_context.py`.
"""

from __future__ import annotations

import fcntl
import os
import re
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import requests
from docker.utils import kwargs_from_env

from sandboxes.drivers.image_context import REPOSITORY, ImageContext, step_descriptions
from sandboxes.drivers.image_sources import not_wanted
from sandboxes.drivers.starting import Reporter
from sandboxes.interface import ImageBuildFailed, Phase

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
FETCHING: Mapping[str, str] = {
    "fetching Debian": "Where no registry can be reached, ci/base-image makes the base image from Debian's packages.",
    "fetching Kafka": "Where no registry can be reached, bring the image by `docker save` and `docker load`, or set "
    "KAFKA_IMAGE to the name of one that this engine has.",
}
"""How our Dockerfiles describe the steps that need a registry → what to do without one."""


@dataclass(frozen=True)
class BuiltImage:
    """An image that is there."""

    tag: str
    size: int
    """In bytes, with everything below it."""
    below: str | None = None
    """The image that it builds on."""
    added: int | None = None
    """What it adds to that one, in bytes; None when it builds on none, or that one is not there to compare with."""


def built_image(image: str, named: Mapping[str, str] | None = None) -> BuiltImage:
    """An image that was built. Raises ImageBuildFailed when it was not."""
    context = ImageContext(image, named)
    client = docker.APIClient(**kwargs_from_env())
    try:
        size = _size(client, context.tag)
        if size is None:
            raise ImageBuildFailed(f"The image {image} was not built.")
        if context.below is None:
            return BuiltImage(context.tag, size)
        below = _size(client, context.below.tag)
        added = None if below is None else size - below
        return BuiltImage(context.tag, size, context.below.image, added)
    finally:
        client.close()


def why_not_wanted(image: str, named: Mapping[str, str] | None = None) -> str | None:
    """Why an image is not to be built unless somebody asks for it, and how to ask; else None. Raises ImageBuildFailed."""
    client = docker.APIClient(**kwargs_from_env())
    try:
        return not_wanted(ImageContext(image, named), lambda name: exists(client, name))
    finally:
        client.close()


def _size(client: docker.APIClient, tag: str) -> int | None:
    try:
        return int(client.inspect_image(tag)["Size"])
    except docker.errors.ImageNotFound:
        return None


def build(client: docker.APIClient, context: ImageContext, reporter: Reporter, lock_dir: Path) -> str:
    """Make sure that the image is there, and those it is made of, and return its tag. Raises ImageBuildFailed.

    What takes from an image of somebody else's is built when that is wanted (`sandboxes/drivers/image_sources.py`).
    """
    if exists(client, context.tag):
        return context.tag
    unwanted = not_wanted(context, lambda name: exists(client, name))
    if unwanted:
        raise ImageBuildFailed(unwanted)
    reporter.tell(Phase.BUILDING_IMAGE, "preparing the build")
    with _one_at_a_time(lock_dir):
        missing: list[ImageContext] = []
        for each in reversed(context.lineage):
            if exists(client, each.tag):
                break
            missing.insert(0, each)
        for number, each in enumerate(missing, start=1):
            prefix = f"image {number} of {len(missing)}, " if len(missing) > 1 else ""
            _build(each, reporter, prefix)
            _forget_older(client, each.image, each.tag)
    return context.tag


def exists(client: docker.APIClient, tag: str) -> bool:
    """Whether the engine has an image. Raises the engine's errors."""
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


def _build(context: ImageContext, reporter: Reporter, prefix: str) -> None:
    descriptions = step_descriptions(context.dockerfile)
    log: deque[str] = deque(maxlen=LOG_LINES)
    detail, told = "preparing the build", time.monotonic()
    client = docker.APIClient(timeout=BUILD_SECONDS, **kwargs_from_env())
    archive = context.archive()
    try:
        for message in client.build(
            fileobj=archive,
            custom_context=True,
            tag=context.tag,
            rm=True,
            forcerm=True,
            decode=True,
            buildargs=context.arguments
            | {name: os.environ[name] for name in PASSED_ON if os.environ.get(name)},
        ):
            for line in _lines(message):
                log.append(line)
                step = re.match(r"Step (\d+)/(\d+) : (.*)", line)
                if step:
                    number, count = int(step[1]), int(step[2])
                    words = descriptions[number - 1] if number <= len(descriptions) else step[3]
                    detail = f"{prefix}step {number} of {count}: {words}"
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
        archive.close()
        client.close()


def _failed(image: str, detail: str, log: deque[str]) -> ImageBuildFailed:
    log.extend(words for step, words in FETCHING.items() if detail.endswith(step))
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
