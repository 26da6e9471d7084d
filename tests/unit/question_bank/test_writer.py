"""Writing a question and reading it again gives the same question, for every kind and for odd texts."""

from __future__ import annotations

import contextlib
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from question_bank import CannotWrite, Question, load, write
from question_bank.kinds import KINDS
from question_bank.kinds.single import SingleChoice
from question_bank.loader import parse
from question_bank.schema import FrontMatter
from question_bank.starting import starting_text
from question_bank.writer import compose
from tests.factories.questions import ANY, BODIES, ID, option, questions


def test_every_kind_is_tried():
    assert set(BODIES) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=30)
@given(data=st.data())
def test_what_is_written_reads_back_the_same(kind, data):
    question = data.draw(questions(kind))
    text = write(question)
    again = parse(text, "an-id.md", [])
    assert again == question
    assert write(again) == text


@given(prompt=ANY, explanation=ANY, first=ANY, second=ANY, feedback=ANY)
def test_any_text_is_written_faithfully_or_refused(prompt, explanation, first, second, feedback):
    question = Question(
        meta=FrontMatter(id=ID, kind="single", module="m-m", topics=("t-t",), difficulty=1, seconds=60),
        prompt=prompt,
        body=SingleChoice((option(first, True, feedback), option(second, False, "Because."))),
        explanation=explanation,
        references="",
    )
    with contextlib.suppress(CannotWrite):
        assert parse(write(question), "an-id.md", []) == question


@pytest.mark.parametrize("part", ["prompt", "explanation", "references"])
def test_a_text_that_would_be_read_as_something_else_is_refused(question, part):
    with pytest.raises(CannotWrite, match=r"would be read back|twice"):
        write(replace(question(), **{part: "Some text.\n\n## Explanation\n\nMore."}))


@pytest.mark.parametrize("kind", KINDS)
def test_starting_files_are_written_back(kind):
    asked = parse(starting_text(kind, ID, "a-module", "a-topic"), "an-id.md", [])
    again = parse(write(asked), "an-id.md", [])
    assert again == asked
    assert again.present(3) == asked.present(3)


def test_the_built_in_bank_is_written_back():
    for question in load().questions.values():
        text = write(question)
        assert parse(text, question.path, []) == question, question.id


def test_the_same_list_twice_is_written_out_twice():
    shared = [{"a": 1}]
    text = compose({"one": shared, "two": shared}, "Prompt.", {})
    assert "*" not in text
    assert text.count("a: 1") == 2
