"""Versions of payloads: what a service declares that it writes and reads, and how an older version is read as a newer one.

A payload's version goes up when a field is removed or changes its meaning; an added field keeps it. So a reader meets

    its own version     and reads it; fields it doesn't know are ignored
    an older one        which is lifted by its upcasters, one version at a time: topics, outboxes and dead letters keep old events
    a newer one         which nobody here understands: the event goes to the dead letters, and is replayed by a newer reader

An upcaster belongs to the view that needs it, because readers are deployed without one another::

    class PriceChangedView(Reading):
        reads_version = 2
        cents: int

    @upcast(PriceChangedView, from_version=1)
    def _price_was_in_units(payload):
        return {**payload, "cents": round(payload["price"] * 100)}
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

View = TypeVar("View", bound=BaseModel)
Fields = Mapping[str, Any]
Upcaster = Callable[[Fields], Fields]

_UPCASTERS: dict[tuple[type[BaseModel], int], Upcaster] = {}


class Unreadable(Exception):
    """This payload can't be read, now or later, by this version of the service; the message says why and what to do."""


def upcast(view: type[BaseModel], *, from_version: int) -> Callable[[Upcaster], Upcaster]:
    """Declare how a payload of one version becomes one of the next, for this view."""
    if not 1 <= from_version < version_read_by(view):
        raise ValueError(
            f"{view.__name__} reads version {version_read_by(view)}: nothing is lifted from {from_version}"
        )

    def declare(step: Upcaster) -> Upcaster:
        if (view, from_version) in _UPCASTERS:
            raise ValueError(f"{view.__name__} has two upcasters from version {from_version}")
        _UPCASTERS[view, from_version] = step
        return step

    return declare


def version_read_by(view: type[BaseModel]) -> int:
    """The version of the payload that a view is written for."""
    return int(getattr(view, "reads_version", 1))


def read(view: type[View], kind: str, version: int, payload: Fields) -> View:
    """A payload through a view, lifted to its version if it is older. Raises Unreadable."""
    wanted = version_read_by(view)
    if version > wanted:
        raise Unreadable(
            f"{kind} has version {version}, this service reads up to version {wanted}: deploy one that reads it, then replay"
        )
    for step in range(version, wanted):
        lift = _UPCASTERS.get((view, step))
        if lift is None:
            raise Unreadable(f"{kind} has version {version}, and nothing lifts version {step} to {step + 1}")
        try:
            payload = lift(payload)
        except (LookupError, TypeError, ValueError) as error:
            raise Unreadable(f"{kind} of version {step} can't be lifted: {error!r}") from error
    try:
        return view.model_validate(payload)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "the payload"
        raise Unreadable(f"{kind} can't be read: {field}: {first['msg']}") from error


def missing_upcasters(view: type[BaseModel]) -> list[int]:
    """The versions below its own from which a view can't be reached."""
    return [step for step in range(1, version_read_by(view)) if (view, step) not in _UPCASTERS]


def declared(module: ModuleType, base: type[View]) -> dict[str, type[View]]:
    """The classes of one kind that a service's `events` declares, by name, in the order of their names."""
    return {
        name: value
        for name, value in inspect.getmembers(module, inspect.isclass)
        if issubclass(value, base) and value.__module__.startswith(module.__name__)
    }


def type_read_by(view: type[BaseModel]) -> str:
    """The type of event that a view reads: its own name without `View`."""
    return view.__name__.removesuffix("View")
