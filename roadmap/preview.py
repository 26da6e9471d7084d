"""One lesson as its author has it now, checked against the rest of the content but not part of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from roadmap import quotes, references, rules
from roadmap.catalogue import REPOSITORY
from roadmap.references import FaultLog
from roadmap.schema import LessonHead
from roadmap.sources import markdown_source
from roadmap.values import Catalogue, Fault, Kind

MAX_TEXT = 100_000
"""Characters of a lesson's file."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What a lesson would look like, as far as it can be read, and all that is wrong with it."""

    title: str
    summary: str
    minutes: int | None
    body: str
    """Markdown with its quotations in place."""
    faults: tuple[Fault, ...]


def preview(text: str, catalogue: Catalogue, repository: Path = REPOSITORY) -> Preview:
    """Check the text of a lesson's file. Raises `ValueError` when it is longer than `MAX_TEXT`."""
    if len(text) > MAX_TEXT:
        raise ValueError(f"A lesson's file has at most {MAX_TEXT:,} characters; this one has {len(text):,}.")
    source, faults = markdown_source(text.replace("\r\n", "\n"), "lesson.md", LessonHead)
    if source is None:
        return Preview("", "", None, "", tuple(sorted(faults)))
    log = FaultLog()
    head = source.data
    references.check_body(source, {*catalogue.lessons, head.id}, log)
    references.known(source, ("topics",), head.topics, catalogue.topics, Kind.TOPIC, log)
    body = quotes.filled(source, repository, log)
    log.faults.update(rules.of_lesson(source))
    return Preview(head.title, head.summary, head.minutes, body, tuple(sorted(log.faults)))
