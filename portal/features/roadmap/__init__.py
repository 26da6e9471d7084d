"""The roadmap: tracks, modules, lessons, and the progress that evidence bought."""

from portal.features.roadmap import lesson_routes, routes  # noqa: F401 - they register their views
from portal.features.roadmap.blueprint import blueprint
from portal.features.roadmap.effort import MINUTES_A_TOPIC, within_hours
from portal.features.roadmap.marks import Mark, MarkService
from portal.features.roadmap.progress import (
    ORDER,
    ModuleProgress,
    Progress,
    Standing,
    TopicProgress,
    TopicState,
    hours_left,
)
from portal.features.roadmap.queries import Evidence
from portal.features.roadmap.service import ProgressService

__all__ = [
    "MINUTES_A_TOPIC",
    "ORDER",
    "Evidence",
    "Mark",
    "MarkService",
    "ModuleProgress",
    "Progress",
    "ProgressService",
    "Standing",
    "TopicProgress",
    "TopicState",
    "blueprint",
    "hours_left",
    "within_hours",
]
