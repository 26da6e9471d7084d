"""The guessers: they score on wording alone, and are compared with chance."""

from __future__ import annotations

import pytest

from question_bank import Bank, lint
from question_bank.guessers import scores


def bank_of(question, count: int, options: str, **parts: str) -> Bank:
    made = [question(id=f"q-{n:02}", options=options, **parts) for n in range(count)]
    return Bank({q.id: q for q in made})


LONGEST = (
    "- [ ] Short\n  > It is wrong for this reason.\n- [x] Rather longer\n  > It is right for that reason.\n"
)
SHORTEST = LONGEST.replace("[ ]", "[y]").replace("[x]", "[ ]").replace("[y]", "[x]")


def test_the_longest_option_guesser_wins_where_length_tells(question):
    score = scores(bank_of(question, 3, LONGEST).questions.values())[0]
    assert (score.name, score.score, score.chance, score.ratio) == ("longest option", 1.0, 0.5, 2.0)
    assert scores(bank_of(question, 3, SHORTEST).questions.values())[0].score == 0.0


def test_the_overlap_guesser_wins_where_words_repeat(question):
    prompt = "Which setting makes the broker durable?"
    options = "- [ ] Larger batches\n  > It is wrong for this reason.\n- [x] Durable broker\n  > It is right for that.\n"
    score = scores(bank_of(question, 3, options, prompt=prompt).questions.values())[1]
    assert (score.score, score.chance) == (1.0, 0.5)


def test_options_that_appeal_equally_earn_chance(question):
    options = "- [ ] Same\n  > It is wrong for this reason.\n- [x] Long\n  > It is right for that reason.\n"
    assert scores(bank_of(question, 2, options).questions.values())[0].score == 0.5


def test_on_a_multiple_choice_half_of_the_options_are_guessed(question):
    score = scores(bank_of(question, 1, "", kind="numeric").questions.values())[0]
    assert score.questions == 0
    many = question(kind="multiple")
    # Two of four are right; of the six pairs one earns 1, four earn 0 and one earns 0.
    assert scores([many])[0].chance == pytest.approx(1 / 6)


def test_a_guessable_bank_is_a_fault_from_twenty_questions_on(question):
    assert "guessable" in {fault.rule for fault in lint(bank_of(question, 20, LONGEST))}
    assert "guessable" not in {fault.rule for fault in lint(bank_of(question, 19, LONGEST))}
    assert "guessable" not in {fault.rule for fault in lint(bank_of(question, 20, SHORTEST))}
