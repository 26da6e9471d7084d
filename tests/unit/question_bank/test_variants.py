"""Variants: drawn by seed, the same every time, in every part of a question and for every kind."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from question_bank.formula import FormulaError
from question_bank.variants import Parameter, Parameters, render

NUMERIC = """\
parameters:
  rate: {from: 200, to: 2000, step: 100}
  hold_ms: {choices: [4, 5, 8, 20]}
  busy: {formula: rate * hold_ms / 1000}
require: [busy >= 2]
answer:
  value: = ceil(busy)
  unit: connections
  mistakes:
    - value: = rate
      why: Not all {{rate}} of them at once.
"""


@pytest.fixture
def asked(question):
    return question(
        kind="numeric",
        extra=NUMERIC,
        prompt="At {{rate:,}} a second and {{hold_ms}} ms each, how many connections?",
        explanation="{{rate}} × {{hold_ms}} ms = {{busy:.2}}, so {{ceil(busy)}}.",
    )


def test_each_seed_has_its_own_variant_and_keeps_it(asked):
    prompts = {seed: asked.present(seed).prompt for seed in range(40)}
    assert len(set(prompts.values())) > 20
    assert all(asked.present(seed).prompt == prompt for seed, prompt in prompts.items())
    assert prompts[3] == asked.present(3).prompt == asked.at(3).prompt


@given(seed=st.integers() | st.text(max_size=20))
def test_what_is_shown_is_what_is_graded(seed):
    asked = made()
    prompt = asked.present(seed).prompt
    rate, hold = (int(number.replace(",", "")) for number in re.findall(r"[\d,]+(?= a| ms)", prompt))
    right = -(-rate * hold // 1000)
    assert asked.grade(right, seed).correct
    wrong = asked.grade(rate, seed)
    assert not wrong.correct
    assert wrong.feedback[0].comment == f"Not all {rate} of them at once."
    assert wrong.explanation.startswith(f"{rate} × {hold} ms = {rate * hold / 1000:.2f}, so {right}.")
    assert rate * hold / 1000 >= 2


def made():
    from question_bank.loader import parse

    text = (
        "---\nid: a-question\nkind: numeric\nmodule: m-m\ntopics: [t-t]\ndifficulty: 2\nseconds: 60\n"
        f"{NUMERIC}---\n\nAt {{{{rate:,}}}} a second and {{{{hold_ms}}}} ms each?\n\n"
        "## Explanation\n\n{{rate}} × {{hold_ms}} ms = {{busy:.2}}, so {{ceil(busy)}}.\n"
    )
    found = parse(text, "t-t/a-question.md", [])
    assert found is not None
    return found


def test_grading_a_variant_needs_the_seed(asked):
    with pytest.raises(ValueError, match="seed"):
        asked.grade(3)


def test_values_say_which_variant_it_is(asked):
    values = asked.at(5).values
    assert set(values) == {"rate", "hold_ms", "busy"}
    assert values["busy"] == values["rate"] * values["hold_ms"] / 1000
    assert asked.parameterised


def test_without_parameters_braces_are_text(question):
    asked = question(prompt="A template with {{ rate }} in it. What keeps both changes?")
    assert not asked.parameterised
    assert "{{ rate }}" in asked.present(1).prompt
    assert asked.at(7) is asked
    assert asked.grade(None).fraction == asked.grade(None, 3).fraction == 0.0


def test_options_keep_their_keys_over_all_variants(question):
    listed = "- [x] Take {{n}} of them\n  > Right as {{n}} are enough.\n- [ ] Take {{n * 2}} of them\n  > More than {{n}}.\n"
    asked = question(extra="parameters: {n: {from: 1, to: 50}}\n", options=listed)
    shown = [asked.present(seed) for seed in range(30)]
    assert len({tuple(sorted(option.key for option in one.options)) for one in shown}) == 1
    assert len({option.text for one in shown for option in one.options}) > 15
    for seed, one in enumerate(shown):
        right = min(one.options, key=lambda option: int(re.search(r"\d+", option.text)[0]))
        assert asked.grade(right.key, seed).correct


def test_a_variant_that_cannot_be_read_is_never_drawn(question):
    fields = NUMERIC.replace("require: [busy >= 2]\n", "").replace(
        "value: = rate\n", "value: = ceil(busy) + rate - 500\n"
    )
    asked = question(kind="numeric", extra=fields, prompt="At {{rate}} a second?")
    for seed in range(200):
        assert asked.at(seed).values["rate"] != 500


@pytest.mark.parametrize(
    ("fields", "line", "says"),
    [
        ("parameters: {}\n", 8, "at least 1"),
        ("parameters: {Rate: {from: 1, to: 2}}\n", 8, "pattern"),
        ("parameters: {a: {from: 1}}\n", 8, "both needed"),
        ("parameters: {a: {from: 2, to: 1}}\n", 8, "the smaller first"),
        ("parameters: {a: {from: 1, to: 9, step: 0}}\n", 8, "greater than 0"),
        ("parameters: {a: {from: 1, to: 9, step: 10}}\n", 8, "larger than the range"),
        ("parameters: {a: {from: 0, to: 1, step: 0.000001}}\n", 8, "more than 100000"),
        ("parameters: {a: {from: 1, to: 9, choices: [1, 2]}}\n", 8, "either"),
        ("parameters: {a: {choices: [1]}}\n", 8, "at least 2"),
        ("parameters: {a: {}}\n", 8, "either"),
        ("parameters: {a: {formula: b + 1}}\n", 8, "no parameter or function `b`"),
        ("parameters: {a: {from: 1, to: 9}}\nrequire: [a > 10]\n", 9, "loosen it"),
        ("parameters: {a: {from: 1, to: 9}}\nrequire: [b]\n", 8, "`b`"),
        ("require: [a]\n", 1, "`parameters` is missing: add it."),
        ("parameters: {a: {from: 1, to: 9}}\n", 13, "no parameter or function `rate`"),
    ],
)
def test_what_may_not_be_written(faults_of, text, fields, line, says):
    found = faults_of(
        text(extra=fields, prompt="At {{rate}} a second. What keeps both changes?" if line == 13 else "What?")
    )
    assert any(fault.line == line and says in fault.message for fault in found), found


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("n", "1200"),
        ("n:,", "1,200"),
        (" n / 7 :.1", "171.4"),
        ("n * 1000:,.2", "1,200,000.00"),
        ("share:.1%", "99.9%"),
        ("share", "0.999"),
        ("n / 4", "300"),
        ("0.1 + 0.2", "0.3"),
        ("word", "acks"),
    ],
)
def test_how_values_are_shown(written, shown):
    assert render(written, {"n": 1200, "share": 0.999, "word": "acks"}) == shown


@pytest.mark.parametrize("written", ["n:d", "n:>10", "n:.99", "n:{n}", "n.real", "n:,,"])
def test_formats_that_are_none(written):
    with pytest.raises(FormulaError):
        render(written, {"n": 1200})


@given(
    start=st.integers(-1000, 1000),
    steps=st.integers(1, 500),
    step=st.sampled_from([1, 2, 0.1, 0.25, 7]),
    seed=st.integers(),
)
def test_ranges_stay_within_their_bounds_and_on_their_steps(start, steps, step, seed):
    parameter = Parameter.model_validate({"from": start, "to": start + steps * step, "step": step})
    drawn = Parameters(parameters={"a": parameter}).draw(seed)["a"]
    assert start <= drawn <= start + steps * step + 1e-6
    assert (drawn - start) / step == pytest.approx(round((drawn - start) / step), abs=1e-6)
