"""The roadmap: tracks, modules, topics and lessons, read from files and checked.

`roadmap.load()` never raises for what an author wrote: it returns everything that loaded and every fault
with file and line. Nothing here knows of learners, pages or labs; lesson bodies are Markdown for the caller.
"""

from roadmap.catalogue import CONTENT_ROOT, load
from roadmap.values import Catalogue, Depth, Fault, Kind, Lesson, Module, Topic, Track

__all__ = ["CONTENT_ROOT", "Catalogue", "Depth", "Fault", "Kind", "Lesson", "Module", "Topic", "Track", "load"]
