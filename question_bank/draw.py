"""Draws questions for a quiz or a session: by seed, spread over topics and difficulty."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Collection, Iterable

from question_bank.loader import Bank
from question_bank.question import Question
from question_bank.schema import Seed

MAX_COUNT = 200


def draw(
    bank: Bank,
    *,
    module: str | None = None,
    topic: str | None = None,
    kinds: Collection[str] | None = None,
    count: int = 10,
    seed: Seed,
) -> list[Question]:
    """Draw `count` questions of a module, topic and kinds (None: any), easier ones first; all when there are fewer.

    The same bank, filter, count and seed give the same questions in the same order. Within that, the draw takes
    from the topic, and then from the difficulty, that has been drawn least so far, so that a short quiz is not
    about one thing. Raises `ValueError` for a count outside 1 to 200.
    """
    pool = [
        question
        for question in bank.questions.values()
        if module in (None, question.module)
        and (topic is None or topic in question.topics)
        and (kinds is None or question.kind in kinds)
    ]
    return draw_from(pool, count=count, seed=f"{module}:{topic}:{seed}")


def draw_from(
    pool: Iterable[Question],
    *,
    count: int = 10,
    seed: Seed,
    turn: Callable[[Question], int] = lambda _question: 0,
) -> list[Question]:
    """Draw `count` of these questions, as `draw` does. Those with a lower `turn` are all taken before the others."""
    if not 1 <= count <= MAX_COUNT:
        raise ValueError(f"a draw takes from 1 to {MAX_COUNT} questions, not {count}")
    left = sorted(pool, key=lambda question: question.id)
    random.Random(f"draw:{seed}").shuffle(left)
    turns = {question.id: turn(question) for question in left}
    topics: Counter[str] = Counter()
    difficulties: Counter[int] = Counter()
    drawn: list[Question] = []
    while left and len(drawn) < count:
        # min() keeps the first of equals: the shuffle decides between questions that spread equally well.
        chosen = min(left, key=lambda one: (turns[one.id], topics[one.topics[0]], difficulties[one.difficulty]))
        left.remove(chosen)
        topics[chosen.topics[0]] += 1
        difficulties[chosen.difficulty] += 1
        drawn.append(chosen)
    return sorted(drawn, key=lambda question: question.difficulty)
