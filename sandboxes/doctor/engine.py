"""Checks of the container engine. The engine is asked once for its facts; each check reads them."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import docker
from docker.utils import kwargs_from_env

from sandboxes.doctor import machine
from sandboxes.doctor.finding import Finding, State
from sandboxes.drivers.docker import ENGINE_ERRORS, DockerDriver
from sandboxes.drivers.image_context import IMAGES, REPOSITORY, ImageContext, image_names
from sandboxes.drivers.image_sources import not_wanted

ASK_SECONDS = 5
DOCKER = ("docker",)
LIMITS = {
    "MemoryLimit": "memory",
    "SwapLimit": "swap",
    "CpuCfsQuota": "CPU",
    "PidsLimit": "processes",
}
"""What the engine says of its limits → in words."""


@dataclass(frozen=True)
class EngineFacts:
    """What the engine says of itself."""

    info: Mapping[str, Any]
    images: Mapping[str, int] = field(default_factory=dict)
    """Tag → size in bytes."""
    address: str = ""

    @property
    def security(self) -> str:
        """Its security options, as one text."""
        return " ".join(str(option) for option in self.info.get("SecurityOptions") or ())

    @property
    def is_desktop(self) -> bool:
        """Docker Desktop runs containers in a virtual machine."""
        return "Docker Desktop" in str(self.info.get("OperatingSystem", ""))

    @property
    def is_rootless(self) -> bool:
        return "name=rootless" in self.security

    @property
    def time(self) -> float | None:
        """Its clock, in seconds since 1970."""
        text = re.sub(r"(\.\d{6})\d*", r"\1", str(self.info.get("SystemTime", "")))
        try:
            return datetime.fromisoformat(text).timestamp()
        except ValueError:
            return None


def ask_engine() -> EngineFacts | Finding:
    """The engine's facts, or the finding that there is no engine."""
    try:
        client = docker.APIClient(timeout=ASK_SECONDS, **kwargs_from_env())
        try:
            info = client.info()
            images = {tag: int(image["Size"]) for image in client.images() for tag in image["RepoTags"] or ()}
            return EngineFacts(info, images, os.environ.get("DOCKER_HOST", ""))
        finally:
            client.close()
    except ENGINE_ERRORS as error:
        address = os.environ.get("DOCKER_HOST") or "/var/run/docker.sock"
        return Finding(
            "engine", State.PROBLEM, f"No Docker engine answers at {address}: {_reason(error)}",
            "Install or start Docker, add this user to the group docker, or set DOCKER_HOST. "
            "Without one, labs run as plain processes, for one's own machine only.", DOCKER,
        )  # fmt: skip


def engine(facts: EngineFacts) -> Finding:
    """That it answers, what it is, and whether it sees our folders."""
    info = facts.info
    kind = "rootless " if facts.is_rootless else ""
    words = f"{kind}Docker {info.get('ServerVersion', '?')} on {info.get('OperatingSystem', '?')}, {info.get('NCPU', '?')} CPUs."
    if re.match(r"(tcp|https?|ssh)://(?!localhost|127\.|\[::1\])", facts.address):
        return Finding(
            "engine",
            State.WARNING,
            f"{words} It runs on another machine ({facts.address}).",
            "That machine must see INSTANCE_DIR and RUN_DIR under the same paths; "
            "`python -m sandboxes doctor --deep` tries whether it does.",
        )
    if info.get("OSType", "linux") != "linux":
        return Finding("engine", State.PROBLEM, f"{words} It runs {info.get('OSType')} containers.",
                       "Switch the engine to Linux containers.", DOCKER)  # fmt: skip
    return Finding("engine", State.OK, words)


def shared_folders(facts: EngineFacts) -> Finding:
    """How sandboxes are reached, which is by Unix sockets in shared folders where those carry them."""
    name = "shared folders"
    if facts.is_desktop:
        return Finding(
            name,
            State.OK,
            "Docker Desktop's folders carry no Unix sockets: sandboxes are reached by a tunnel through the engine.",
        )
    return Finding(name, State.OK, "Containers run on this machine's own kernel and see its folders.")


def limits(facts: EngineFacts) -> Finding:
    """Whether the engine can hold containers to their memory, processes and CPU."""
    name = "limits"
    version = str(facts.info.get("CgroupVersion", "?"))
    lacking = [words for key, words in LIMITS.items() if not facts.info.get(key)]
    if lacking:
        todo = (
            "A rootless engine needs control groups version 2 and systemd's delegation of cpu, memory and pids."
            if facts.is_rootless
            else "Boot with cgroup_enable=memory swapaccount=1, or with control groups version 2."
        )
        return Finding(
            name,
            State.PROBLEM,
            f"Control groups version {version}, without limits on {', '.join(lacking)}.",
            todo,
        )
    return Finding(
        name, State.OK, f"Control groups version {version}: memory, swap, CPU and processes can be limited."
    )


def confinement(facts: EngineFacts) -> Finding:
    """The kernel's filters around a container."""
    name = "confinement"
    words = [
        "seccomp" if "name=seccomp" in facts.security else "no seccomp",
        "AppArmor" if "name=apparmor" in facts.security else "no AppArmor",
        "user namespaces" if "name=userns" in facts.security or facts.is_rootless else "no user namespaces",
    ]
    found = f"{', '.join(words)}."
    if "name=seccomp" not in facts.security or "profile=unconfined" in facts.security:
        return Finding(
            name, State.PROBLEM, f"Containers may make every system call: {found}",
            "Use a kernel with CONFIG_SECCOMP and the engine's default profile.",
        )  # fmt: skip
    return Finding(name, State.OK, found[0].upper() + found[1:])


def image(facts: EngineFacts, name: str) -> Finding:
    """Whether an image of ours is built from the code that is here."""
    context = ImageContext(name)
    tag = context.tag
    size = facts.images.get(tag)
    if size is not None:
        return Finding(f"image {name}", State.OK, f"{tag}, {size / 1_000_000:.0f} MB.")
    unwanted = not_wanted(context, facts.images.__contains__)
    if unwanted:
        return Finding(
            f"image {name}",
            State.WARNING,
            "It is not built, and not by itself: labs that need it do not start.",
            unwanted,
        )
    older = any(other.startswith(f"{REPOSITORY}/{name}:") for other in facts.images)
    return Finding(
        f"image {name}", State.WARNING,
        "It was built from other code than what is here." if older else "It is not built.",
        "The first launch builds it, in a few minutes; `make images` does so before.",
    )  # fmt: skip


def base_images(facts: EngineFacts) -> Finding:
    """Whether what our images are built on is here, or has to come from a registry."""
    name = "base image"
    wanted = {
        found
        for one in image_names()
        for found in re.findall(r"^FROM\s+(?:--\S+\s+)*(\S+)", (IMAGES / one / "Dockerfile").read_text(), re.M)
        if not found.startswith(REPOSITORY) and "$" not in found and ":" in found
    }
    missing = sorted(wanted - set(facts.images))
    if not missing:
        return Finding(name, State.OK, f"{', '.join(sorted(wanted))}.")
    contexts = [ImageContext(one) for one in image_names()]
    built = all(one.tag in facts.images for one in contexts if not not_wanted(one, facts.images.__contains__))
    return Finding(
        name, State.OK if built else State.WARNING, f"{', '.join(missing)} is not here: a build fetches it from a registry.",
        "Where no registry can be reached, ci/base-image makes it from Debian's packages.",
    )  # fmt: skip


def engine_disk(facts: EngineFacts) -> Finding:
    """The space that images and containers have."""
    folder = Path(str(facts.info.get("DockerRootDir") or "/var/lib/docker"))
    if facts.is_desktop or not folder.exists():
        return Finding(
            "engine's disk", State.OK, f"{folder} is not on this machine: `docker system df` tells its use."
        )
    return machine.disk(
        "engine's disk", folder, "`docker system df` tells what fills it; `docker image prune` frees some."
    )


def two_users(driver: DockerDriver) -> Finding:
    """Whether the lab's services run as another user than the learner, which takes an operator who is root."""
    name = "two users"
    if getattr(driver, "separates_users", False):
        return Finding(name, State.OK, "Services and the learner's code run as different users of a container.")
    if os.geteuid() == 0:
        return Finding(name, State.WARNING, "Services and the learner's code run as one user of a container.",
                       "A learner can read and end what their own services hold. Nobody else is touched.")  # fmt: skip
    return Finding(
        name, State.WARNING, "Services and the learner's code run as one user of a container: this user, who is not root.",
        "Run the portal's worker as root, or accept that a learner can read what their own services hold.",
    )  # fmt: skip


def _reason(error: Exception) -> str:
    text = str(error)
    for words in ("Permission denied", "No such file or directory", "Connection refused", "timed out"):
        if words.lower() in text.lower():
            return f"{words.lower()}."
    return f"{text[:120].rstrip('.')}."
