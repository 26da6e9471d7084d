"""The pages of the roadmap and of its lessons are one blueprint."""

from __future__ import annotations

from typing import TypeVar

from flask import Blueprint

from portal.errors import NotFound
from portal.extensions import db, portal
from portal.features.roadmap.service import ProgressService
from roadmap import Lesson, Module, Track

blueprint = Blueprint("roadmap", __name__)

EntryT = TypeVar("EntryT", Track, Module, Lesson)


def progress_service() -> ProgressService:
    """Progress in this request."""
    return ProgressService(db(), portal().content)


def find(what: type[EntryT], wanted: str) -> EntryT:
    """The entry of that id, or the one that replaced it. Raises NotFound."""
    thing = portal().content.roadmap.current(what, wanted)
    if thing is None:
        raise NotFound(f"There is no {what.__name__.lower()} “{wanted[:80]}”. The roadmap lists all there are.")
    return thing


def track_of(module_id: str) -> Track | None:
    """The first track that has the module."""
    return next((t for t in portal().content.roadmap.tracks.values() if module_id in t.modules), None)
