"""The roadmap: tracks, modules, lessons, and the progress that evidence bought."""

from portal.features.roadmap.routes import blueprint
from portal.features.roadmap.service import ModuleProgress, Progress, ProgressService, TopicProgress, TopicState

__all__ = ["ModuleProgress", "Progress", "ProgressService", "TopicProgress", "TopicState", "blueprint"]
