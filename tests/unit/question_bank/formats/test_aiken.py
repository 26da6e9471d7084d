"""Aiken as people write it becomes questions; the usual mistakes are named with their lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from question_bank.formats import FORMATS, FormatRefused

DATA = Path(__file__).parents[3] / "data" / "question_bank"
AIKEN = FORMATS["aiken"]


def test_whole_questions_come_in_and_the_others_are_named():
    found = AIKEN.read((DATA / "quiz.aiken.txt").read_bytes(), "quiz.txt")
    assert [(q.kind, [(o.text, o.right) for o in q.options]) for q in found.questions] == [
        ("single", [("403", False), ("429", True), ("503", False)]),
        ("true-false", [("True", True), ("False", False)]),
        ("single", [("without a space", False), ("likewise", True)]),
    ]
    assert found.questions[1].prompt == "Is PUT idempotent?\nIt is asked for &lt;often>."
    assert [(fault.line, fault.message[:40]) for fault in found.faults] == [
        (13, "This question has fewer than two options"),
        (20, "`ANSWER:` must name one of A, B, not “D”"),
        (22, "There is no `ANSWER:` before line 26: th"),
    ]


def test_other_text_is_refused():
    with pytest.raises(FormatRefused, match="no line `ANSWER: A`"):
        AIKEN.read(b"Hello\n", "x.txt")


def test_words_go_out_and_the_rest_is_named(question):
    made = AIKEN.write([question(prompt="What does `a < b` *mean* for the row?")])
    assert made.data.decode().splitlines()[0] == "What does a < b mean for the row?"
    assert {loss.part for loss in made.losses} == {"text", "more"}


def test_a_prompt_that_would_read_as_a_key_does_not(question):
    made = AIKEN.write([question(prompt="ANSWER: B")])
    (again,) = AIKEN.read(made.data).questions
    assert again.prompt == "Question: ANSWER: B"
    assert "prompt" in {loss.part for loss in made.losses}


def test_options_that_differ_in_markup_alone_stay_behind(question):
    options = (
        "- [x] `a b`\n  > It is code, which makes it right.\n- [ ] a b\n  > It is no code, so it is wrong.\n"
    )
    made = AIKEN.write([question(options=options)])
    assert (made.data, made.written, made.losses[0].part) == (b"", (), "question")


def test_a_file_that_another_program_made():
    name = "qti-package-maker.aiken.txt"
    found = FORMATS["aiken"].read((DATA / name).read_bytes(), name)
    assert found.faults == ()
    rights = [[option.text for option in question.options if option.right] for question in found.questions]
    assert rights == [["B-tree"], ["A row lock"]]
