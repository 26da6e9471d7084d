"""The built-in bank: clean, unguessable, rich enough for a quiz in every module, and right in its own arithmetic."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

import pytest

import roadmap
from question_bank import Bank, Known, Question, draw, guessers, lint, load
from question_bank.kinds.numeric import Numeric

MODULES = {
    "schema-design",
    "postgres-performance",
    "transactions-and-isolation",
    "scaling-postgres",
    "redis-and-caching",
    "kafka-fundamentals",
    "event-processing",
    "event-sourcing-and-sagas",
}
LABS = frozenset({"never-oversell", "saga-compensation"})
LESSONS = frozenset(
    {
        "constraints-carry-the-rules",
        "isolation-levels-and-what-they-let-through",
        "optimistic-pessimistic-conditional",
        "reading-a-plan",
        "cache-aside-and-its-failures",
        "keys-partitions-groups",
        "partitions-make-deleting-cheap",
        "at-least-once-is-what-you-get",
        "sagas-and-compensation",
    }
)


@pytest.fixture(scope="module")
def bank() -> Bank:
    return load()


def test_the_bank_has_no_faults(bank):
    known = Known(modules=frozenset(MODULES), labs=LABS, lessons=LESSONS)
    assert [str(fault) for fault in lint(bank, known)] == []


def test_topics_modules_lessons_and_labs_are_those_of_the_roadmap(bank):
    catalogue = roadmap.load()
    known = Known(frozenset(catalogue.topics), frozenset(catalogue.modules), frozenset(catalogue.lessons))
    assert [str(fault) for fault in lint(bank, known) if fault.rule == "links"] == []


def test_guessers_score_at_most_1_2_times_chance(bank):
    for score in guessers.scores(bank.questions.values()):
        assert score.questions >= 80
        assert score.ratio <= guessers.MARGIN, score


def test_every_module_has_more_than_a_quiz_of_ten(bank):
    counts = bank.modules()
    assert set(counts) == MODULES
    assert min(counts.values()) > 10, counts


def test_two_quizzes_of_a_module_differ(bank):
    for module in MODULES:
        quizzes = {tuple(q.id for q in draw(bank, module=module, count=10, seed=seed)) for seed in range(5)}
        assert len(quizzes) >= 4
        assert all(len(quiz) == 10 for quiz in quizzes)


def test_kinds_and_difficulties_are_mixed(bank):
    kinds = Counter(question.kind for question in bank.questions.values())
    total = sum(kinds.values())
    assert kinds["single"] / total < 0.7
    assert kinds["multiple"] / total > 0.15
    assert kinds["numeric"] / total > 0.1
    assert set(Counter(question.difficulty for question in bank.questions.values())) == {1, 2, 3, 4, 5}


def test_every_lab_and_lesson_is_linked(bank):
    links = [question.links for question in bank.questions.values()]
    assert {link.lab for link in links} >= LABS
    assert {link.lesson for link in links} >= LESSONS


def variants(bank: Bank) -> Iterator[Question]:
    """Every question; of those with parameters a few variants."""
    for question in bank.questions.values():
        for seed in range(5 if question.parameterised else 1):
            yield question.at(seed)


def test_right_answers_score_1_and_each_wrong_option_alone_scores_0(bank):
    for question in variants(bank):
        right = [option.key for option in question.options if option.right]
        wrong = [option.key for option in question.options if not option.right]
        if question.kind == "single":
            assert question.grade(right[0]).fraction == 1.0
            assert all(question.grade(key).fraction == 0.0 for key in wrong)
        elif question.kind == "multiple":
            assert question.grade(right).fraction == 1.0
            assert all(question.grade([key]).fraction == 0.0 for key in wrong)


def test_every_foreseen_mistake_is_recognised_as_itself(bank):
    for question in variants(bank):
        if not isinstance(question.body, Numeric):
            continue
        assert question.grade(question.body.answer.value).correct
        for mistake in question.body.answer.mistakes:
            graded = question.grade(mistake.value)
            assert not graded.correct, question.id
            assert graded.feedback[0].comment == mistake.why, (question.id, mistake.value)


def test_numeric_explanations_arrive_at_the_keyed_value(bank):
    for question in variants(bank):
        if isinstance(question.body, Numeric):
            numbers = {
                float(n.replace(",", "")) for n in re.findall(r"\d[\d,]*(?:\.\d+)?", question.explanation)
            }
            assert any(question.body.answer.accepts(number) for number in numbers), question.id


def test_no_question_asks_for_the_place_of_an_option(bank):
    pattern = re.compile(r"\b(first|second|third|last) option\b|\boption [A-E]\b")
    for question in bank.questions.values():
        assert not pattern.search(question.explanation), question.id
        assert not any(pattern.search(option.feedback) for option in question.options), question.id
