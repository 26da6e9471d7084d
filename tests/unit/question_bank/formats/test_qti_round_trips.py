"""What QTI packages hold comes back from them: equal, or with each difference named as a loss."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from question_bank import Question, load
from question_bank.formats import FORMATS, Exported, Imported
from question_bank.formats.markup import to_html
from question_bank.kinds.open import MAX_CRITERIA, OpenAnswer
from tests.factories.questions import questions

QTI = ("qti-2.1", "qti-3.0")
TYPED = ("accept", "patterns")
"""What is compared with answers, sign by sign; saying it twice adds nothing."""
SAID_EVERY_TIME = {"answer", "kind", "score"}
"""Losses that a kind always has and that leave its parts as they are."""


def there_and_back(name: str, *asked: Question) -> tuple[Exported, Imported]:
    made = FORMATS[name].write(asked)
    return made, FORMATS[name].read(made.data, "x.zip")


def shown(value: Any, key: str = "") -> Any:
    """Texts as they look: the same Markdown can be written in more than one way."""
    if isinstance(value, Mapping):
        return {name: shown(inner, name) for name, inner in value.items()}
    if key in TYPED:
        return list(dict.fromkeys(value))
    if isinstance(value, list):
        return [shown(inner, key) for inner in value]
    if isinstance(value, str):
        return " ".join(to_html(value).split())
    return value


@pytest.mark.parametrize("kind", sorted(FORMATS["qti-2.1"].carries - {"code"}))
@settings(max_examples=15)
@given(data=st.data())
def test_every_difference_is_named(kind, data):
    question = data.draw(questions(kind))
    made, back = there_and_back("qti-2.1", question)
    assert {loss.question for loss in made.losses} <= {question.id}
    assert made.written == (question.id,)
    assert back.faults == ()
    (again,) = back.questions
    assert again.meta == question.meta
    lost = {loss.part for loss in made.losses}
    for part in ("prompt", "explanation", "references"):
        if part not in lost:
            assert shown(getattr(again, part)) == shown(getattr(question, part))
    if not lost - SAID_EVERY_TIME and "two tolerances" not in " ".join(loss.message for loss in made.losses):
        assert shown(again.body.write().front) == shown(question.body.write().front)
        assert shown(again.body.write().sections) == shown(question.body.write().sections)


@pytest.mark.parametrize("name", QTI)
@settings(max_examples=25)
@given(data=st.data())
def test_what_came_back_comes_back_again(name, data):
    question = data.draw(st.sampled_from(sorted(FORMATS[name].carries)).flatmap(questions))
    _, once = there_and_back(name, question)
    _, twice = there_and_back(name, *once.questions)
    assert repr([q.body for q in twice.questions]) == repr([q.body for q in once.questions])
    assert twice.questions == once.questions


@settings(max_examples=25)
@given(data=st.data())
def test_both_versions_say_the_same(data):
    question = data.draw(st.sampled_from(sorted(FORMATS["qti-2.1"].carries)).flatmap(questions))
    older, newer = (there_and_back(name, question) for name in QTI)
    assert older[0].losses == newer[0].losses
    assert older[1] == newer[1]


@pytest.mark.timeout(900)
def test_the_built_in_bank_comes_back():
    bank = load()
    made, back = there_and_back("qti-2.1", *bank.questions.values())
    assert back.faults == ()
    assert made.written == tuple(bank.questions)
    touched = {loss.question for loss in made.losses}
    found = {question.id: question for question in back.questions}
    assert len(touched) < len(found)
    for question in bank.questions.values():
        if question.id not in touched:
            again = found[question.id]
            assert again.meta == question.meta
            assert shown(again.body.write().sections) == shown(question.body.write().sections)
            assert shown([again.prompt, again.explanation]) == shown([question.prompt, question.explanation])


@pytest.mark.parametrize("name", QTI)
def test_a_template_goes_as_drawn_instances(name, question):
    template = question(
        kind="numeric",
        extra="parameters:\n  rate: {from: 10, to: 30, step: 10}\nanswer:\n  value: = rate * 2\n  mistakes:\n"
        "    - value: = rate\n      why: That is one of two.\n",
        prompt="At {{rate}} requests a second with two calls each, how many calls are there?",
    )
    made, back = there_and_back(name, template)
    assert made.written == (template.id,)
    assert [loss.message for loss in made.losses if loss.part == "parameters"] == [
        f"3 drawn instances stand for it, `{template.id}-v1` to `{template.id}-v3`: the formulae stay behind."
    ]
    assert [again.id for again in back.questions] == [f"{template.id}-v{number}" for number in (1, 2, 3)]
    values = {again.body.answer.value for again in back.questions}
    assert values == {20, 40, 60}
    for again in back.questions:
        assert f"At {again.body.answer.value / 2:g} requests" in again.prompt
        assert not again.parameterised


@pytest.mark.parametrize("name", QTI)
@settings(max_examples=10)
@given(asked=questions("code"))
def test_a_program_becomes_an_open_answer_with_its_cases_as_criteria(name, asked):
    made, back = there_and_back(name, asked)
    assert "It becomes an open answer there" in " ".join(loss.message for loss in made.losses)
    (again,) = back.questions
    assert isinstance(again.body, OpenAnswer)
    probed = Counter(" ".join(case.about.split()) for case in asked.body.task.cases)
    listed = [(criterion.criterion, criterion.points) for criterion in again.body.rubric]
    told = [(f"Passes: {about}", cases) for about, cases in probed.items()][:MAX_CRITERIA]
    assert listed[: len(told)] == told
    assert len(listed) == max(2, len(told))
