"""The roadmap: tracks, modules, lessons, and the progress that evidence bought."""

from portal.features.roadmap.progress import (
    ORDER,
    ModuleProgress,
    Progress,
    Standing,
    TopicProgress,
    TopicState,
)
from portal.features.roadmap.routes import blueprint
from portal.features.roadmap.service import ProgressService

__all__ = [
    "ORDER",
    "ModuleProgress",
    "Progress",
    "ProgressService",
    "Standing",
    "TopicProgress",
    "TopicState",
    "blueprint",
]
