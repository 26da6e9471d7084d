"""What the roadmap's own content has to keep, beyond what its loader checks."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from roadmap import CONTENT_ROOT, Lesson, Module, lint, load
from roadmap.markdown_lines import prose_lines

CATALOGUE = load()
LABS = Path(CONTENT_ROOT).parent.parent / "labs" / "content"

TOPICS_OF_MONTHS_3_AND_4 = (
    Path(__file__).with_name("topics-of-months-3-and-4.txt").read_text(encoding="utf-8").split()
)
"""In the order of the plan. Labs, questions and progress refer to them: an id that goes needs `replaces`."""

lessons = pytest.mark.parametrize("lesson", CATALOGUE.lessons.values(), ids=lambda lesson: lesson.id)
modules = pytest.mark.parametrize("module", CATALOGUE.modules.values(), ids=lambda module: module.id)


def test_the_content_has_no_fault() -> None:
    assert [str(fault) for fault in lint()] == []


@pytest.mark.parametrize("topic", TOPICS_OF_MONTHS_3_AND_4)
def test_every_topic_of_months_3_and_4_is_there(topic: str) -> None:
    assert topic in CATALOGUE.topics


def test_no_two_topics_share_their_title_or_summary() -> None:
    for texts in (
        Counter(topic.title for topic in CATALOGUE.topics.values()),
        Counter(topic.summary for topic in CATALOGUE.topics.values()),
    ):
        assert [text for text, count in texts.items() if count > 1] == []


@pytest.mark.parametrize("topic", CATALOGUE.topics.values(), ids=lambda topic: topic.id)
def test_a_topic_summary_is_a_sentence_that_says_more_than_its_title(topic) -> None:
    assert len(topic.summary) >= 80
    assert topic.summary.endswith(".")


@modules
def test_a_module_has_a_lesson_and_an_artifact_with_conditions(module: Module) -> None:
    assert module.lessons
    assert len(re.findall(r"^- ", module.artifact, re.MULTILINE)) >= 3


@modules
def test_a_module_shares_each_lab_that_its_lessons_use(module: Module) -> None:
    used = {lab for lesson in module.lessons for lab in CATALOGUE.lessons[lesson].labs}

    assert used <= set(module.labs)


def test_every_lab_that_is_named_exists() -> None:
    named = {lab for entry in (*CATALOGUE.modules.values(), *CATALOGUE.lessons.values()) for lab in entry.labs}

    assert sorted(slug for slug in named if not (LABS / slug / "lab.yaml").is_file()) == []


@lessons
def test_the_reading_time_fits_the_text(lesson: Lesson) -> None:
    """Between 40 and 90 words of prose a minute: the code, tables and thinking take the rest."""
    words = sum(len(line.split()) for _, line in prose_lines(lesson.body))

    assert 40 <= words / lesson.minutes <= 90
