"""Schemas, products and requests of the check's own."""

from __future__ import annotations

import random
import string
from typing import Any

from labs.checks import LabUnderTest, require
from sandboxes.interface import LearnerCodeError

Json = dict[str, Any]
TYPES = ("array", "boolean", "integer", "null", "number", "object", "string")


def word(pick: random.Random) -> str:
    """A name that nobody has seen."""
    return "".join(pick.choices(string.ascii_lowercase, k=pick.randint(5, 9)))


def words(pick: random.Random, count: int) -> list[str]:
    """Different names."""
    found: set[str] = set()
    while len(found) < count:
        found.add(word(pick))
    return pick.sample(sorted(found), count)


def raised_or_read(lab: LabUnderTest, document: Any) -> Json | None:
    """What `read_product` came to: a dictionary, or None for Unreadable."""
    try:
        found = lab.call("read_product", document)
    except LearnerCodeError as error:
        require(
            error.name == "Unreadable",
            f"read_product must raise Unreadable, and nothing else, for what it can't read; it raised {error.name}.",
        )
        return None
    require(isinstance(found, dict), "read_product must return a dictionary.")
    assert isinstance(found, dict)
    return found


class Wrapped:
    """Places a schema somewhere inside a bigger one, so that changes are not always at the same path."""

    def __init__(self, pick: random.Random) -> None:
        names = iter(words(pick, 8))
        self.steps = [
            (pick.choice(("properties", "items")), next(names), next(names)) for _ in range(pick.randint(1, 3))
        ]
        # At least one property is on the way: a path that is only brackets would hide how names are joined.
        self.steps[0] = ("properties", *self.steps[0][1:])

    def schema(self, inner: Json) -> Json:
        """The whole with `inner` at its place."""
        for kind, name, beside in self.steps:
            if kind == "properties":
                both = {name: inner, beside: {"type": "integer"}}
                inner = {"type": "object", "properties": both, "required": sorted(both)}
            else:
                inner = {"type": "array", "items": inner}
        return inner

    def path(self, inner: str) -> str:
        """The path of something inside, from the whole."""
        found = ""
        for kind, name, _ in reversed(self.steps):
            if kind == "items":
                found += "[]"
            else:
                found = f"{found}.{name}" if found else name
        if not inner or inner.startswith("["):
            return found + inner
        return f"{found}.{inner}"


def compared(old: Json, new: Json, direction: str, path: str = "") -> list[list[str]]:
    """The answer to task `compare`, written a second time: by asking every name and every value by itself."""

    def allows(schema: Json, name: str) -> bool:
        named = schema.get("type", list(TYPES))
        named = [named] if isinstance(named, str) else named
        return name in named or (name == "integer" and "number" in named)

    found = []
    inside, outside = (new, old) if direction == "response" else (old, new)
    if any(allows(inside, name) and not allows(outside, name) for name in TYPES):
        found.append([path, "type"])
    if "enum" in outside and not ("enum" in inside and all(one in outside["enum"] for one in inside["enum"])):
        found.append([path, "enum"])
    before, after = old.get("properties", {}), new.get("properties", {})
    for name in {*before, *new.get("required", [])}:
        here = f"{path}.{name}" if path else name
        if name in before and name not in after:
            found.append([here, "removed"])
        was, is_now = name in old.get("required", []), name in new.get("required", [])
        if direction == "request" and is_now and not was:
            found.append([here, "required"])
        if direction == "response" and was and not is_now and name in before and name in after:
            found.append([here, "optional"])
        if name in before and name in after:
            found += compared(before[name], after[name], direction, here)
    if "items" in old and "items" in new:
        found += compared(old["items"], new["items"], direction, f"{path}[]")
    return sorted(found)


def a_schema(pick: random.Random, depth: int = 3) -> Json:
    """Some schema."""
    kind = pick.choice(("object", "object", "array", "string", "enum", "integer", "number", "mixed", "any"))
    if kind == "object" and depth:
        names = words(pick, pick.randint(2, 4))
        needed = [name for name in names if pick.random() < 0.5]
        return {
            "type": "object",
            "properties": {name: a_schema(pick, depth - 1) for name in names},
            "required": needed,
        }
    if kind == "array" and depth:
        return {"type": "array", "items": a_schema(pick, depth - 1)}
    if kind == "enum":
        return {"type": "string", "enum": words(pick, 3)}
    if kind == "mixed":
        return {"type": pick.sample(TYPES, 2)}
    return {} if kind == "any" else {"type": kind if kind in ("integer", "number") else "string"}


def altered(pick: random.Random, schema: Json) -> Json:
    """The schema after some changes, here and further inside."""
    found = dict(schema)
    if "properties" in schema:
        names = {name: altered(pick, one) for name, one in schema["properties"].items() if pick.random() < 0.85}
        if pick.random() < 0.4:
            names[word(pick)] = {"type": "string"}
        found["properties"] = names
        found["required"] = [name for name in names if (name in schema["required"]) != (pick.random() < 0.25)]
    elif "items" in schema:
        found["items"] = altered(pick, schema["items"])
    elif "enum" in schema and pick.random() < 0.5:
        found["enum"] = pick.sample(schema["enum"], 2) + ([word(pick)] if pick.random() < 0.5 else [])
    elif pick.random() < 0.3:
        return a_schema(pick, 0)
    return found
