"""What other systems have no field for, as tags such as `difficulty:3`; and back."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, get_args

from question_bank.schema import FrontMatter, Level, Skill

_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_PATH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./#-]*")
_LONGEST = 80
_LISTS = {"topic": "topics", "skill": "skills", "replaces": "replaces"}
_MOST = {"topics": 8, "skills": 4, "replaces": 20, "code": 8}


def to_tags(meta: FrontMatter) -> list[str]:
    """All common fields but the id and the kind."""
    tags = [f"module:{meta.module}", *(f"topic:{topic}" for topic in meta.topics)]
    tags += [f"difficulty:{meta.difficulty}", f"seconds:{meta.seconds}"]
    tags += [f"level:{meta.level}"] if meta.level else []
    tags += [f"skill:{skill}" for skill in meta.skills]
    tags += ["scenario"] if meta.scenario else []
    tags += [f"lab:{meta.links.lab}"] if meta.links.lab else []
    tags += [f"lesson:{meta.links.lesson}"] if meta.links.lesson else []
    tags += [f"code:{path}" for path in meta.links.code]
    return tags + [f"replaces:{old}" for old in meta.replaces]


def from_tags(tags: Iterable[str]) -> tuple[dict[str, Any], list[str]]:
    """The common fields that tags give, and the tags that say something else, or nothing valid."""
    meta: dict[str, Any] = {}
    links: dict[str, Any] = {}
    rest: list[str] = []
    for tag in tags:
        tag = tag.strip()
        key, _, value = tag.partition(":")
        if tag == "scenario":
            meta["scenario"] = True
        elif key in ("difficulty", "seconds") and _whole(
            value, *((1, 5) if key == "difficulty" else (10, 3600))
        ):
            meta.setdefault(key, int(value))
        elif (key == "level" and value in get_args(Level)) or (key == "module" and _slug(value)):
            meta.setdefault(key, value)
        elif key in _LISTS and (value in get_args(Skill) if key == "skill" else _slug(value)):
            _append(meta.setdefault(_LISTS[key], []), value, _MOST[_LISTS[key]], rest)
        elif key in ("lab", "lesson") and _slug(value):
            links.setdefault(key, value)
        elif key == "code" and len(value) <= 200 and _PATH.fullmatch(value) and ".." not in value.split("/"):
            _append(links.setdefault("code", []), value, _MOST["code"], rest)
        elif tag:
            rest.append(tag)
    if links:
        meta["links"] = links
    return meta, rest


def _append(values: list[str], value: str, most: int, rest: list[str]) -> None:
    if value not in values and len(values) < most:
        values.append(value)
    elif value not in values:
        rest.append(value)


def _slug(value: str) -> bool:
    return 2 <= len(value) <= _LONGEST and _SLUG.fullmatch(value) is not None


def _whole(value: str, low: int, high: int) -> bool:
    return re.fullmatch(r"\d{1,5}", value, re.ASCII) is not None and low <= int(value) <= high
