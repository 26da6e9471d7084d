"""The pages of the roadmap and of its lessons are one blueprint."""

from __future__ import annotations

from typing import Any

from flask import Blueprint

from portal.errors import NotFound
from portal.extensions import db, portal
from portal.features.roadmap.service import ProgressService
from roadmap import Kind, Track

blueprint = Blueprint("roadmap", __name__)


def progress_service() -> ProgressService:
    """Progress in this request."""
    return ProgressService(db(), portal().content)


def find(kind: Kind, wanted: str) -> Any:
    """The entry of that id, or the one that replaced it. Raises NotFound."""
    catalogue = portal().content.roadmap
    thing = catalogue.entries(kind).get(catalogue.current_id(kind, wanted) or "")
    if thing is None:
        raise NotFound(f"There is no {kind} “{wanted[:80]}”. The roadmap lists all there are.")
    return thing


def track_of(module_id: str) -> Track | None:
    """The first track that has the module."""
    return next((t for t in portal().content.roadmap.tracks.values() if module_id in t.modules), None)
