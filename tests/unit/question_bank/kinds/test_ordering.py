"""Ordering: partial credit by pairs, items that may be exchanged, what may be written."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from question_bank import AnswerRefused
from question_bank.kinds.ordering import Item, Ordering


def body(*places: int) -> Ordering:
    return Ordering(tuple(Item(f"k{n}", f"item {n}", place, f"why {n}") for n, place in enumerate(places)))


def keys(order: str) -> list[str]:
    return [f"k{number}" for number in order]


@pytest.mark.parametrize(
    ("order", "fraction"),
    [
        ("0123", 1.0),
        ("1023", 4 / 6),
        ("0132", 4 / 6),
        ("1032", 2 / 6),
        ("3012", 0.0),
        ("3210", 0.0),
        ("1203", 2 / 6),
    ],
)
def test_credit_goes_by_pairs(order, fraction):
    assert body(1, 2, 3, 4).grade(keys(order)).fraction == pytest.approx(fraction)


def test_items_of_the_same_place_may_be_exchanged():
    ordering = body(1, 2, 2, 3)
    assert ordering.grade(keys("0123")).fraction == ordering.grade(keys("0213")).fraction == 1.0
    assert ordering.grade(keys("1023")).fraction < 1.0
    assert all(entry.right for entry in ordering.grade(keys("0213")).feedback)


def test_feedback_says_where_each_item_stands():
    verdict = body(1, 2, 3).grade(keys("021"))
    assert [(entry.key, entry.given, entry.expected, entry.right) for entry in verdict.feedback] == [
        ("k0", "1", "1", True),
        ("k1", "3", "2", False),
        ("k2", "2", "3", False),
    ]
    assert verdict.feedback[1].comment == "why 1"


places = st.lists(st.booleans(), min_size=2, max_size=6).map(
    lambda rises: [1, *itertools.accumulate((int(rise) for rise in rises), initial=1)][1:]
)


@given(places.filter(lambda found: len(set(found)) > 1 and len(found) >= 3), st.randoms(use_true_random=False))
def test_exactly_the_orders_that_keep_the_places_score_1(found, chance):
    ordering = body(*found)
    order = [item.key for item in ordering.items]
    chance.shuffle(order)
    fraction = ordering.grade(order).fraction
    by_key = {item.key: item.place for item in ordering.items}
    kept = [by_key[key] for key in order]
    assert 0.0 <= fraction <= 1.0
    assert (fraction == 1.0) == (kept == sorted(kept))


@given(st.permutations(range(6)), st.integers(0, 4))
def test_putting_two_neighbours_right_never_costs(order, at):
    ordering = body(1, 2, 3, 4, 5, 6)
    better = list(order)
    better[at : at + 2] = sorted(better[at : at + 2])
    assert ordering.score([f"k{n}" for n in better]) >= ordering.score([f"k{n}" for n in order])


def test_guessing_earns_little():
    ordering = body(1, 2, 3, 4, 5)
    orders = [ordering.score(keys("".join(order))) for order in itertools.permutations("01234")]
    assert sum(orders) / len(orders) < 0.2


@given(st.integers())
def test_what_is_shown_is_never_the_answer_already(seed):
    ordering = body(1, 2, 3)
    shown = ordering.show(random.Random(seed))
    assert {item.key for item in shown.items} == {"k0", "k1", "k2"}
    assert ordering.score([item.key for item in shown.items]) < 1.0


@pytest.mark.parametrize(
    "answer",
    [
        "k0",
        3,
        {"k0": 1},
        ["k0", "k1"],
        ["k0", "k1", "k1"],
        ["k0", "k1", "k2", "k2"],
        ["k0", "k1", "k9"],
        [1, 2, 3],
        [["k0"], 1, 2],
    ],
)
def test_what_is_no_order_of_the_items_is_refused(answer):
    with pytest.raises(AnswerRefused):
        body(1, 2, 3).grade(answer)


@pytest.mark.parametrize("blank", [None, "", [], ()])
def test_blank_answers(blank):
    verdict = body(1, 2, 3).grade(blank)
    assert (verdict.fraction, verdict.answered) == (0.0, False)
    assert not any(entry.right for entry in verdict.feedback)


@pytest.mark.parametrize(
    ("items", "line", "says"),
    [
        ("1. Aa\n2. Bb\n", 16, "3 to 10 items"),
        ("1. Aa\n1. Bb\n1. Cc\n", 16, "same place"),
        ("0. Aa\n1. Bb\n2. Cc\n", 16, "place 0"),
        ("1. Aa\n2. Bb\n4. Cc\n", 18, "write 3, or 2"),
        ("1. Aa\n2. Bb\n1. Cc\n", 18, "place 1"),
        ("1. Aa\n2. Bb\n3. Aa\n", 18, "repeats the one in line 16"),
        ("1. Aa\n2.\n3. Cc\n", 17, "no text"),
        ("- Aa\n- Bb\n- Cc\n", 16, "starts with its place"),
    ],
)
def test_what_may_not_be_written(faults_of, text, items, line, says):
    found = faults_of(text(kind="ordering", prompt=f"In which order?\n\n## Items\n\n{items}"))
    assert any(fault.line == line and says in fault.message for fault in found), found


def test_items_are_read_with_their_code_and_feedback(question):
    items = (
        "1. First:\n\n   ```sql\n   SELECT 1\n   ```\n   > Why first.\n\n2. Second\n3. Third\n   in two lines\n"
    )
    asked = question(kind="ordering", prompt=f"In which order?\n\n## Items\n\n{items}")
    assert [(item.place, item.text) for item in asked.body.items] == [
        (1, "First:\n\n```sql\nSELECT 1\n```"),
        (2, "Second"),
        (3, "Third\nin two lines"),
    ]
    assert asked.body.items[0].feedback == "Why first."
