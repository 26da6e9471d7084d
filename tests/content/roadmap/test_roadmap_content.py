"""What the roadmap's own content has to keep, beyond what its loader checks."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from roadmap import CONTENT_ROOT, Lesson, Module, load
from roadmap.markdown_lines import fenced_blocks, own_links, prose_lines

CATALOGUE = load()
LABS = Path(CONTENT_ROOT).parent.parent / "labs" / "content"
LANGUAGES = {"sql", "python", "go", "hcl", "text", "mermaid"}

TOPICS_OF_MONTHS_3_AND_4 = (
    Path(__file__).with_name("topics-of-months-3-and-4.txt").read_text(encoding="utf-8").split()
)
"""In the order of the plan. Labs, questions and progress refer to them: an id that goes needs `replaces`."""

lessons = pytest.mark.parametrize("lesson", CATALOGUE.lessons.values(), ids=lambda lesson: lesson.id)
modules = pytest.mark.parametrize("module", CATALOGUE.modules.values(), ids=lambda module: module.id)


def test_the_content_has_no_fault() -> None:
    assert [str(fault) for fault in CATALOGUE.faults] == []


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
def test_a_lesson_has_between_900_and_1600_words_of_prose(lesson: Lesson) -> None:
    words = sum(len(line.split()) for _, line in prose_lines(lesson.body))

    assert 900 <= words <= 1600


@lessons
def test_a_lesson_opens_with_a_failure_and_has_the_sections_that_every_lesson_has(lesson: Lesson) -> None:
    headings = [line.removeprefix("## ") for _, line in prose_lines(lesson.body) if line.startswith("## ")]

    assert headings[0] == "The failure"
    assert headings[-3:] == ["Common mistakes", "What breaks first", "A trade-off to defend"]
    assert len(set(headings)) == len(headings)


@lessons
def test_a_lesson_leaves_the_title_to_the_page(lesson: Lesson) -> None:
    assert [line for _, line in prose_lines(lesson.body) if re.match(r"# |=+$", line)] == []


@lessons
def test_a_lesson_shows_a_diagram_or_a_table(lesson: Lesson) -> None:
    has_diagram = any(block.language == "mermaid" for block in fenced_blocks(lesson.body))
    has_table = any(re.match(r"\|(---\|)+$", line) for _, line in prose_lines(lesson.body))

    assert has_diagram or has_table


@lessons
def test_each_code_block_of_a_lesson_names_a_language_that_we_render(lesson: Lesson) -> None:
    assert {block.language for block in fenced_blocks(lesson.body)} <= LANGUAGES


@lessons
def test_a_lesson_reads_on_to_another_one(lesson: Lesson) -> None:
    others = {link.id for link in own_links(lesson.body) if link.kind == "lessons"} - {lesson.id}

    assert others


@lessons
def test_the_reading_time_fits_the_text(lesson: Lesson) -> None:
    """Between 40 and 90 words of prose a minute: the code, tables and thinking take the rest."""
    words = sum(len(line.split()) for _, line in prose_lines(lesson.body))

    assert 40 <= words / lesson.minutes <= 90
