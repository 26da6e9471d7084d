"""Drawing quizzes: reproducible, spread, never more than there is."""

from __future__ import annotations

from collections import Counter

import pytest

from question_bank import Bank, draw


@pytest.fixture
def many(question) -> Bank:
    """Twenty-four questions of two modules, over four topics and three difficulties."""
    built = {}
    for number in range(24):
        made = question(id=f"q-{number:02}", topics=f"[topic-{number % 4}]")
        meta = made.meta.model_copy(
            update={"difficulty": number % 3 + 1, "module": "first" if number < 16 else "second"}
        )
        built[made.id] = type(made)(
            **{**{f: getattr(made, f) for f in made.__dataclass_fields__}, "meta": meta}
        )
    return Bank(built)


def test_one_seed_gives_one_draw_and_other_seeds_others(many):
    ids = [
        [question.id for question in draw(many, module="first", count=8, seed=seed)] for seed in (1, 1, 2, "x")
    ]
    assert ids[0] == ids[1]
    assert len({tuple(drawn) for drawn in ids}) == 3


def test_a_draw_does_not_depend_on_the_order_of_the_bank(many):
    turned = Bank(dict(reversed(many.questions.items())))
    assert [q.id for q in draw(many, seed=5)] == [q.id for q in draw(turned, seed=5)]


def test_topics_and_difficulties_are_spread(many):
    for seed in range(20):
        drawn = draw(many, module="first", count=8, seed=seed)
        assert Counter(question.topics[0] for question in drawn) == {f"topic-{n}": 2 for n in range(4)}
        difficulties = Counter(question.difficulty for question in drawn)
        assert max(difficulties.values()) - min(difficulties.values()) <= 2


def test_easier_questions_come_first_and_none_twice(many):
    drawn = draw(many, count=20, seed=3)
    assert [q.difficulty for q in drawn] == sorted(q.difficulty for q in drawn)
    assert len({q.id for q in drawn}) == 20


def test_filters_by_module_and_topic(many):
    drawn = draw(many, module="second", topic="topic-1", count=10, seed=0)
    assert {(q.module, q.topics[0]) for q in drawn} == {("second", "topic-1")}


def test_draws_all_when_there_are_fewer(many):
    assert {q.id for q in draw(many, module="second", count=10, seed=0)} == {f"q-{n}" for n in range(16, 24)}
    assert draw(many, module="nowhere", seed=0) == []


@pytest.mark.parametrize("count", [0, -1, 201])
def test_refuses_counts_that_make_no_sense(many, count):
    with pytest.raises(ValueError, match="from 1 to 200"):
        draw(many, count=count, seed=0)


def test_every_question_is_drawn_sooner_or_later(many):
    drawn = {q.id for seed in range(60) for q in draw(many, module="first", count=4, seed=seed)}
    assert len(drawn) == 16


def test_a_draw_can_be_held_to_kinds(bank, text):
    files = {
        f"row-locks/q-{n}.md": text(id=f"q-{n}", kind=kind) for n, kind in enumerate(["single", "numeric"] * 6)
    }
    loaded = bank(files)
    drawn = draw(loaded, kinds={"numeric"}, count=20, seed=1)
    assert {question.kind for question in drawn} == {"numeric"}
    assert len(drawn) == 6
    assert loaded.modules({"numeric"}) == {"transactions": 6}
    assert loaded.modules() == {"transactions": 12}
