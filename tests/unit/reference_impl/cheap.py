"""Building a Meridian over and over, cheaply: what does not differ between two of them is made once a test process.

Half of a build is FastAPI making a validator for each parameter of each route, and much of the rest is making tables.
"""

from __future__ import annotations

import functools
import shutil
import tempfile
from pathlib import Path
from typing import Any, get_args

import fastapi._compat.v2 as fields
from pydantic import TypeAdapter

from reference_impl.shared.settings import Settings
from reference_impl.topologies.monolith import build

_adapters: dict[Any, tuple[Any, TypeAdapter[Any]]] = {}


def share_validators() -> None:
    """Let FastAPI have one validator for all parameters of the same type and constraints: validators have no state."""
    fields.TypeAdapter = _adapter  # type: ignore[assignment, misc]


def _adapter(annotated: Any, *, config: Any = None) -> TypeAdapter[Any]:
    annotation, *constraints = get_args(annotated)
    # The annotated type is kept beside its validator: as long as it lives, no other object has the addresses in the key.
    key = (str(annotation), annotation, repr(constraints), repr(config))
    if key not in _adapters:
        _adapters[key] = annotated, TypeAdapter(annotated, config=config)
    return _adapters[key][1]


@functools.cache
def _empty() -> Path:
    """A directory as a Meridian leaves it that did nothing."""
    kept = tempfile.TemporaryDirectory(prefix="meridian-empty-")
    _keep.append(kept)
    made = build(Settings(data=Path(kept.name) / "data"))
    made.runtime.stop()
    return Path(kept.name) / "data"


_keep: list[tempfile.TemporaryDirectory[str]] = []
"""Directories that go when the process ends."""


def prepare(data: Path) -> None:
    """Put empty databases where a Meridian will run for the first time."""
    if not data.exists():
        shutil.copytree(_empty(), data)
