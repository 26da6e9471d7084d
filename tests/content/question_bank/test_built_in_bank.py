"""The built-in bank: clean, unguessable, rich enough for a quiz in every module, and right in its own arithmetic."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import pytest

import roadmap
from labs.catalogue import CONTENT_ROOT
from question_bank import Bank, Known, Question, draw, guessers, lint, load
from question_bank.kinds.numeric import Numeric

ROADMAP = roadmap.load()
MODULES = frozenset(ROADMAP.modules)
LESSONS = frozenset(ROADMAP.lessons)
LABS = frozenset(path.parent.name for path in CONTENT_ROOT.glob("*/lab.yaml"))


@pytest.fixture(scope="module")
def bank() -> Bank:
    return load()


def test_the_bank_has_no_faults(bank):
    known = Known(modules=MODULES, labs=LABS, lessons=LESSONS)
    assert [str(fault) for fault in lint(bank, known)] == []


def test_topics_modules_lessons_and_labs_are_those_of_the_roadmap(bank):
    known = Known(frozenset(ROADMAP.topics), MODULES, LESSONS)
    assert [str(fault) for fault in lint(bank, known) if fault.rule == "links"] == []


def test_guessers_score_at_most_1_2_times_chance(bank):
    for score in guessers.scores(bank.questions.values()):
        assert score.questions >= 80
        assert score.ratio <= guessers.MARGIN, score


def test_every_module_has_more_than_a_quiz_of_ten(bank):
    counts = bank.modules()
    assert set(counts) == MODULES
    assert min(counts.values()) >= 10, counts


def test_two_quizzes_of_a_module_differ(bank):
    for module in MODULES:
        quizzes = {tuple(q.id for q in draw(bank, module=module, count=10, seed=seed)) for seed in range(5)}
        assert len(quizzes) >= 4
        assert all(len(quiz) == 10 for quiz in quizzes)


def test_kinds_and_difficulties_are_mixed(bank):
    kinds = Counter(question.kind for question in bank.questions.values())
    total = sum(kinds.values())
    assert kinds["single"] / total < 0.7
    assert kinds["multiple"] / total > 0.1
    assert kinds["numeric"] / total > 0.1
    assert set(Counter(question.difficulty for question in bank.questions.values())) == {1, 2, 3, 4, 5}


def test_every_lab_and_lesson_is_linked(bank):
    links = [question.links for question in bank.questions.values()]
    assert {link.lab for link in links} >= LABS
    assert {link.lesson for link in links} >= LESSONS


def test_right_answers_score_1_and_each_wrong_option_alone_scores_0(bank):
    for question in bank.questions.values():
        right = [option.key for option in question.options if option.right]
        wrong = [option.key for option in question.options if not option.right]
        if question.kind == "single":
            assert question.grade(right[0]).fraction == 1.0
            assert all(question.grade(key).fraction == 0.0 for key in wrong)
        elif question.kind == "multiple":
            assert question.grade(right).fraction == 1.0
            assert all(question.grade([key]).fraction == 0.0 for key in wrong)


def numeric_variants(bank: Bank) -> Iterator[Question]:
    """Every numeric question, those with parameters in some of their variants."""
    for question in bank.questions.values():
        if isinstance(question.body, Numeric):
            seeds = [f"variant-{number}" for number in range(5 if question.parameterised else 1)]
            yield from (replace(question.at(seed), template=None) for seed in seeds)


def test_every_foreseen_mistake_is_recognised_as_itself(bank):
    for question in numeric_variants(bank):
        assert question.grade(question.body.answer.value).correct
        for mistake in question.body.answer.mistakes:
            graded = question.grade(mistake.value)
            assert not graded.correct, question.id
            assert graded.feedback[0].comment == mistake.why, (question.id, mistake.value)


def test_numeric_explanations_arrive_at_the_keyed_value(bank):
    for question in numeric_variants(bank):
        numbers = {float(n.replace(",", "")) for n in re.findall(r"\d[\d,]*(?:\.\d+)?", question.explanation)}
        assert any(question.body.answer.accepts(number) for number in numbers), question.id


def test_no_question_asks_for_the_place_of_an_option(bank):
    pattern = re.compile(r"\b(first|second|third|last) option\b|\boption [A-E]\b")
    for question in bank.questions.values():
        assert not pattern.search(question.explanation), question.id
        assert not any(pattern.search(option.feedback) for option in question.options), question.id
