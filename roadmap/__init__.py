"""The roadmap: tracks, modules, topics and lessons, read from files and checked.

`roadmap.load()` never raises for what an author wrote: it returns everything that loaded and every fault
with file and line. Nothing here knows of learners, pages or labs; lesson bodies are Markdown for the caller.
"""

from roadmap.catalogue import CONTENT_ROOT, load
from roadmap.planning import Commitment, Dimension, Metric, Plan, PlanWeek, Scorecard, Term
from roadmap.values import (
    Activity,
    ActivityKind,
    Catalogue,
    Criterion,
    Depth,
    Entry,
    Fault,
    Kind,
    Lesson,
    Module,
    Priority,
    Reading,
    ReadingKind,
    Stage,
    Topic,
    Track,
)

__all__ = [
    "CONTENT_ROOT",
    "Activity",
    "ActivityKind",
    "Catalogue",
    "Commitment",
    "Criterion",
    "Depth",
    "Dimension",
    "Entry",
    "Fault",
    "Kind",
    "Lesson",
    "Metric",
    "Module",
    "Plan",
    "PlanWeek",
    "Priority",
    "Reading",
    "ReadingKind",
    "Scorecard",
    "Stage",
    "Term",
    "Topic",
    "Track",
    "load",
]
