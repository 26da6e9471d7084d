"""What learners see and get back, whatever the kind."""

from __future__ import annotations

import json

import pytest

from question_bank import AnswerRefused


@pytest.mark.parametrize("kind", ["single", "multiple", "numeric"])
def test_what_is_presented_does_not_tell_the_answer(question, kind):
    asked = question(kind=kind)
    shown = json.loads(asked.present(1).model_dump_json())
    filled = {field for field, value in shown.items() if value}
    assert filled <= {"id", "kind", "prompt", "options", "unit", "rule", "seconds", "difficulty"}
    assert all(set(option) == {"key", "text"} for option in shown["options"])
    everything = json.dumps(shown)
    assert asked.explanation not in everything
    for option in asked.options:
        assert option.feedback not in everything
    if kind == "numeric":
        assert "18" not in everything


def test_the_same_seed_gives_the_same_order_and_seeds_differ(question):
    asked = question(kind="multiple")
    orders = {tuple(option.key for option in asked.present(seed).options) for seed in range(40)}
    assert asked.present("a").options == asked.present("a").options
    assert len(orders) > 10
    assert all(set(order) == {option.key for option in asked.options} for order in orders)


def test_every_option_comes_up_in_every_place(question):
    asked = question()
    first = {asked.present(seed).options[0].key for seed in range(60)}
    assert first == {option.key for option in asked.options}


def test_the_order_does_not_depend_on_the_authors(question):
    lines = question().prompt  # the prompt is the same in both
    one = "- [x] Aa bb\n  > It is right for this reason.\n- [ ] Cc dd\n  > It is wrong for that reason.\n"
    two = "- [ ] Cc dd\n  > It is wrong for that reason.\n- [x] Aa bb\n  > It is right for this reason.\n"
    shown = [question(prompt=lines, options=options).present(3).options for options in (one, two)]
    assert shown[0] == shown[1]


def test_keys_are_opaque_and_blind_to_what_is_right(question):
    plain = question(kind="multiple")
    swapped_marks = {"- [x]": "- [ ]", "- [ ]": "- [x]"}
    options = "".join(
        f"{swapped_marks['- [x]' if o.right else '- [ ]']} {o.text}\n  > {o.feedback}\n" for o in plain.options
    )
    swapped = question(kind="multiple", options=options)
    assert [o.key for o in swapped.options] == [o.key for o in plain.options]
    assert [o.right for o in swapped.options] == [not o.right for o in plain.options]
    assert all(len(o.key) == 12 and int(o.key, 16) >= 0 for o in plain.options)


def test_the_same_wording_has_another_key_in_another_question(question):
    assert {o.key for o in question(id="one-two").options}.isdisjoint(
        {o.key for o in question(id="two-one").options}
    )


def test_a_question_does_not_print_its_answer(question):
    asked = question()
    assert "right=" not in repr(asked)
    assert asked.explanation not in repr(asked)
    assert "right=" not in repr(asked.options)


def test_grading_gives_feedback_and_explanation(question):
    asked = question()
    right = next(option for option in asked.options if option.right)
    graded = asked.grade(right.key)
    assert graded.correct
    assert graded.fraction == 1.0
    assert graded.explanation == asked.explanation
    assert graded.right_answer == "Check the version"
    assert [(entry.key, entry.comment) for entry in graded.feedback] == [
        (o.key, o.feedback) for o in asked.options
    ]
    assert [entry.chosen for entry in graded.feedback] == [False, True, False]


@pytest.mark.parametrize("kind", ["single", "multiple", "numeric"])
@pytest.mark.parametrize("blank", [None, ""])
def test_a_blank_answer_scores_nothing_and_is_no_error(question, kind, blank):
    graded = question(kind=kind).grade(blank)
    assert graded.fraction == 0.0
    assert not graded.answered
    assert not graded.correct
    assert graded.explanation


@pytest.mark.parametrize("kind", ["single", "multiple"])
def test_an_unknown_key_is_refused(question, kind):
    with pytest.raises(AnswerRefused, match="Reload the page"):
        question(kind=kind).grade("0" * 12 if kind == "single" else ["0" * 12])
