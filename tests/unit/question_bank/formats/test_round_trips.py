"""Whatever a format writes, it reads back: equal, or with each difference named as a loss."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from question_bank import Question, load
from question_bank.formats import FORMATS, Exported, Imported
from question_bank.kinds import KINDS
from question_bank.likeness import fingerprint
from question_bank.loader import parse
from question_bank.starting import starting_text
from tests.factories.questions import questions

WHOLE = ("archive", "csv")
"""What carries everything."""
SHAPED = ("moodle-xml", "gift")
"""What carries every text and common field, and of the kinds' own parts what it has fields for."""
CHANGES_THE_ANSWER = {
    "patterns", "tolerance_percent", "unit", "case_sensitive", "items", "rubric", "model answer", "parameters",
}  # fmt: skip
"""Losses after which a question no longer counts the same as right."""


def there_and_back(name: str, question: Question) -> tuple[Exported, Imported]:
    made = FORMATS[name].write([question])
    return made, FORMATS[name].read(made.data, f"x{FORMATS[name].extensions[0]}")


@pytest.mark.parametrize("name", WHOLE)
@settings(max_examples=25)
@given(data=st.data())
def test_nothing_is_lost(name, data):
    question = data.draw(st.sampled_from(sorted(FORMATS[name].carries)).flatmap(questions))
    made, back = there_and_back(name, question)
    assert (made.losses, back.faults) == ((), ())
    assert back.questions == (question,)


@pytest.mark.parametrize(("name", "kind"), [(n, kind) for n in SHAPED for kind in sorted(FORMATS[n].carries)])
@settings(max_examples=20)
@given(data=st.data())
def test_every_difference_is_named(name, kind, data):
    question = data.draw(questions(kind))
    made, back = there_and_back(name, question)
    lost = {loss.part.rpartition(": ")[2] for loss in made.losses}
    assert {loss.question for loss in made.losses} <= {question.id}
    if "question" in lost:
        assert made.written == ()
        return
    assert made.written == (question.id,)
    assert back.faults == ()
    (again,) = back.questions
    assert (again.meta, again.prompt) == (question.meta, question.prompt)
    assert (again.explanation, again.references) == (question.explanation, question.references)
    if not lost & CHANGES_THE_ANSWER:
        assert fingerprint(again) == fingerprint(question)
    if not lost - {"tags"}:
        assert again.body == question.body
    if kind == "cloze" and not lost - {"tags", "gaps"}:
        gaps = [list(each.body.write().front["gaps"].values()) for each in (question, again)]
        assert gaps[0] == gaps[1]


@settings(max_examples=25)
@given(data=st.data())
def test_aiken_keeps_the_words_of_options_and_the_key(data):
    question = data.draw(st.sampled_from(["single", "true-false"]).flatmap(questions))
    made = FORMATS["aiken"].write([question])
    lost = {loss.part for loss in made.losses}
    if not made.written:
        assert lost == {"question"}
        return
    assert "more" in lost
    back = FORMATS["aiken"].read(made.data)
    assert back.faults == ()
    (again,) = back.questions
    assert [option.right for option in again.options] == [option.right for option in question.options]
    if "text" not in lost:
        assert again.prompt.removeprefix("Question: ") == question.prompt
        assert [option.text for option in again.options] == [option.text for option in question.options]


@pytest.mark.parametrize("name", [*WHOLE, *SHAPED, "aiken"])
def test_the_built_in_bank_comes_back(name):
    bank = load()
    made = FORMATS[name].write(list(bank.questions.values()))
    back = FORMATS[name].read(made.data)
    assert back.faults == ()
    assert len(back.questions) == len(made.written)
    assert set(made.written) | {x.question for x in made.losses if x.part == "question"} == set(bank.questions)
    touched = {loss.question for loss in made.losses}
    for again in back.questions:
        if again.id in bank.questions and again.id not in touched:
            assert again == bank.questions[again.id]


@pytest.mark.parametrize("name", [each for each, found in FORMATS.items() if found.can_export])
def test_kinds_that_a_format_cannot_hold_stay_behind_by_name(name, question):
    form = FORMATS[name]
    asked = question()
    made = form.write([asked])
    assert (made.written == (asked.id,)) == ("single" in form.carries)
    for kind in set(KINDS) - form.carries:
        starter = parse(starting_text(kind, "an-id", "a-module", "a-topic"), "an-id.md", [])
        made = form.write([starter])
        assert made.written == ()
        assert [(loss.question, loss.part) for loss in made.losses] == [("an-id", "question")]


@pytest.mark.parametrize("name", [each for each, found in FORMATS.items() if found.can_export])
def test_the_same_questions_give_the_same_bytes(name):
    some = list(load().questions.values())[:20]
    assert FORMATS[name].write(some) == FORMATS[name].write(some)


def test_a_template_keeps_its_parameters_where_the_format_can(question):
    template = question(
        kind="numeric",
        extra="parameters:\n  rate: {from: 10, to: 90, step: 10}\nanswer:\n  value: = rate * 2\n  mistakes:\n"
        "    - value: = rate\n      why: That is one of two.\n",
        prompt="At {{rate}} requests a second with two calls each, how many calls are there?",
    )
    for name in WHOLE:
        _, back = there_and_back(name, template)
        assert back.questions == (template,)
    for name in ("moodle-xml", "gift"):
        made, back = there_and_back(name, template)
        assert "parameters" in {loss.part for loss in made.losses}
        assert "{{" not in back.questions[0].prompt
        assert not back.questions[0].parameterised
