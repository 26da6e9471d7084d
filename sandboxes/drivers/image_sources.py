"""What an image of ours takes out of an image of somebody else's: an image that not every operator wants or can have.

The Dockerfile's second line is `# takes from: KAFKA_IMAGE`, and the argument of that name has a default, `ARG KAFKA_IMAGE=...`.
The variable of that name says another. Such an image is built when the operator names the other one, has it in the engine
already, or asks for the build by its name; never by the way.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

REFERENCE = re.compile(r"[a-z0-9][A-Za-z0-9._/:@-]{0,254}")
"""What may name an image; the engine knows the finer rules."""


@dataclass(frozen=True)
class Source:
    """An image of somebody else's."""

    argument: str
    """The build argument, and the variable of the environment, that names it."""
    image: str
    asked: bool
    """Whether the operator named it; else it is the Dockerfile's default."""


class MadeOf(Protocol):
    """What is asked here of an image of ours (`ImageContext`)."""

    @property
    def image(self) -> str: ...
    @property
    def tag(self) -> str: ...
    @property
    def source(self) -> Source | None: ...
    @property
    def lineage(self) -> tuple[MadeOf, ...]: ...


def read_source(dockerfile: str, named: Mapping[str, str]) -> Source | None:
    """What a Dockerfile says it takes from; None when it says nothing. Raises ValueError with the end of a sentence about it."""
    said = re.match(r"(?:#.*\n)?#\s*takes from:\s*(\S+)\s*\n", dockerfile)
    if said is None:
        return None
    argument = said[1]
    default = re.search(rf"^ARG\s+{re.escape(argument)}=(\S+)\s*$", dockerfile, re.M)
    if default is None:
        raise ValueError(f"takes from {argument}, so it needs `ARG {argument}=<image>`")
    asked = named.get(argument, "").strip()
    if asked and not REFERENCE.fullmatch(asked):
        raise ValueError(
            f"takes from {argument}, which is {asked!r}: set it to the name of an image, such as {default[1]}"
        )
    return Source(argument, asked or default[1], bool(asked))


def not_wanted(context: MadeOf, is_there: Callable[[str], bool]) -> str | None:
    """Why an image is not to be built unless somebody asks for it, and how to ask, in sentences; else None.

    `is_there` says whether the engine has an image of a name.
    """
    for each in context.lineage:
        source = each.source
        if source is None or source.asked or is_there(each.tag) or is_there(source.image):
            continue
        return (
            f"The image {each.image} takes a part from {source.image}, which is not here. "
            f"To have it, `docker pull {source.image}` or set {source.argument} to the name of an image that has the same; "
            f"then `python -m sandboxes build {each.image}`."
        )
    return None
