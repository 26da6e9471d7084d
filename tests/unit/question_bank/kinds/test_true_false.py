"""True or false: two fixed options, in a fixed order."""

from __future__ import annotations

import pytest

from question_bank import AnswerRefused

OPTIONS = (
    "- [ ] True\n  > The thought that leads here is wrong.\n- [x] False\n  > This is what holds instead.\n"
)


@pytest.fixture
def asked(question):
    return question(kind="true-false", prompt="A statement.", options=OPTIONS)


def test_true_comes_first_whatever_the_seed_and_the_author(question, asked):
    entries = OPTIONS.split("- ")[1:]
    turned = question(
        kind="true-false", prompt="A statement.", options="".join(f"- {e}" for e in reversed(entries))
    )
    for seed in range(10):
        assert [option.text for option in asked.present(seed).options] == ["True", "False"]
        assert turned.present(seed).options == asked.present(seed).options


def test_it_scores_all_or_nothing(asked):
    true, false = asked.present(1).options
    assert asked.grade(false.key).correct
    graded = asked.grade(true.key)
    assert (graded.fraction, graded.right_answer) == (0.0, "False")
    assert graded.feedback[0].comment == "The thought that leads here is wrong."
    with pytest.raises(AnswerRefused):
        asked.grade("False")
    assert not asked.grade(None).answered


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ("- [x] Yes\n- [ ] No\n", "`True` and `False`, and no others"),
        ("- [x] True\n- [ ] False\n- [ ] Perhaps\n", "`True` and `False`, and no others"),
        ("- [x] True\n- [x] False\n", "either `True` or `False`"),
        ("- [ ] True\n- [ ] False\n", "either `True` or `False`"),
        ("- [x] True\n", "2 to 8"),
    ],
)
def test_what_may_not_be_written(faults_of, text, options, says):
    found = faults_of(text(kind="true-false", options=options))
    assert any(says in fault.message for fault in found), found
