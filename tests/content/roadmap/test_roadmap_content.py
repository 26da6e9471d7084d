"""What the roadmap's own content has to keep, beyond what its loader checks."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from question_bank import load as load_bank
from roadmap import CONTENT_ROOT, Kind, Lesson, Module, Priority, coverage, lint, load
from roadmap.markdown_lines import prose_lines

CATALOGUE = load()
BANK = load_bank()
HEADINGS = {
    "solution-architect-roadmap": 211,
    "learning-guide": 66,
    "microservices-implementation-tasks": 11,
    "aws-disaster-recovery-plan": 38,
    "project-walkthrough": 62,
}
"""How many headings each of the documents has, outside of its blocks of code."""
ITEMS = {
    "solution-architect-roadmap": 361,
    "learning-guide": 16,
    "microservices-implementation-tasks": 26,
    "aws-disaster-recovery-plan": 30,
    "project-walkthrough": 0,
}
"""How many checkboxes. Numbered exercises, lists of topics and the like are listed besides."""
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


def test_there_are_the_five_tracks() -> None:
    assert set(CATALOGUE.tracks) == {
        "solution-architect",
        "aws-mastery",
        "senior-microservices",
        "resilient-api",
        "commerce-platform",
    }


def test_the_areas_of_aws_mastery_have_their_priorities_and_the_phases_their_order() -> None:
    areas = CATALOGUE.tracks["aws-mastery"].stages
    assert [stage.priority for stage in areas] == [
        *[Priority.CRITICAL] * 4,
        *[Priority.HIGH] * 3,
        *[Priority.MEDIUM] * 2,
        Priority.BONUS,
    ]
    phases = CATALOGUE.tracks["senior-microservices"].stages
    assert len(phases) == 6
    assert phases[0].needs == ()
    assert set(phases[1].needs) == set(phases[2].needs) == {phases[0].id}
    assert phases[3].needs == (phases[1].id,)
    assert set(phases[5].needs) == {phase.id for phase in phases[:5]}
    assert CATALOGUE.tracks["resilient-api"].stages[-1].weeks == "9-10"


def test_there_are_at_least_seventy_lessons() -> None:
    assert len(CATALOGUE.lessons) >= 70


@modules
def test_a_module_has_activities_and_reading(module: Module) -> None:
    assert len(module.activities) >= 2
    assert module.reading


@lessons
def test_the_quick_questions_ask_what_the_lesson_taught(lesson: Lesson) -> None:
    """Two of the three at least; one may come from a module that builds on it."""
    home = {module.id for module in CATALOGUE.modules.values() if lesson.id in module.lessons}
    questions = [BANK.find(question_id) for question_id in lesson.quick]
    near = [q for q in questions if q is not None and (set(q.topics) & set(lesson.topics) or q.module in home)]

    assert None not in questions
    assert {q.kind for q in questions if q is not None}.isdisjoint({"code", "open"})
    assert len(near) >= 2


def test_every_reference_to_a_lab_leads_to_one() -> None:
    evidence = {ref for track in CATALOGUE.tracks.values() for each in track.criteria for ref in each.evidence}
    aims = {
        ref for plan in CATALOGUE.plans.values() for week in plan.weeks for aim in week.aims for ref in aim.refs
    }
    labs = {ref.partition("/")[2] for ref in evidence | aims if ref.startswith("lab/")}

    assert sorted(slug for slug in labs if not (LABS / slug / "lab.yaml").is_file()) == []


class TestCoverage:
    """Nothing that the documents behind the roadmap hold is left out."""

    found = coverage.read(CATALOGUE, {path.parent.name for path in LABS.glob("*/lab.yaml")})

    def test_every_heading_and_item_leads_to_something(self) -> None:
        assert [str(fault) for fault in self.found.faults] == []

    def test_none_was_dropped(self) -> None:
        counted = {
            document.id: Counter(entry.kind for entry in document.entries) for document in self.found.documents
        }

        assert {name: counts["heading"] for name, counts in counted.items()} == HEADINGS
        assert {name: counts["item"] >= ITEMS[name] for name, counts in counted.items()} == dict.fromkeys(
            ITEMS, True
        )

    def test_the_page_is_up_to_date(self) -> None:
        page = (LABS.parent.parent / "docs" / "coverage.md").read_text(encoding="utf-8")

        assert page == coverage.as_markdown(self.found, CATALOGUE), "run: python -m roadmap coverage --write"

    def test_every_criterion_activity_and_plan_of_the_sources_is_an_entry(self) -> None:
        refs = {ref for document in self.found.documents for entry in document.entries for ref in entry.refs}
        for kind in (Kind.CRITERION, Kind.PLAN, Kind.DIMENSION, Kind.COMMITMENT, Kind.METRIC):
            named = {ref.partition("/")[2] for ref in refs if ref.startswith(f"{kind}/")}
            assert named, kind
