"""What only the bank as a whole shows: repetition, guessers, places of right options."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from question_bank import guessers
from question_bank.loader import Bank
from question_bank.question import Question
from question_bank.rules.common import fault
from question_bank.schema import Fault
from question_bank.wording import likeness, shingles

NEAR_DUPLICATE = 0.5
"""The share of three-word runs in common from which two questions count as nearly the same."""
POSITION_SLACK = 3.0
"""How many standard deviations a place may be off what chance gives."""


def near_duplicates(bank: Bank) -> Iterator[Fault]:
    """Questions that ask nearly the same."""
    texts = [(question, shingles(_asked(question))) for question in bank.questions.values()]
    texts.sort(key=lambda pair: len(pair[1]))
    for index, (question, words) in enumerate(texts):
        for other, its_words in texts[index + 1 :]:
            # Sorted by size: once the sizes alone rule likeness out, no later question can come close either.
            if len(words) < NEAR_DUPLICATE * len(its_words):
                break
            if likeness(words, its_words) >= NEAR_DUPLICATE:
                message = (
                    f"This question is nearly the same as `{question.id}`: keep one, or ask something else."
                )
                yield fault(other, "prompt", message, "near-duplicate")


def similar(question: Question, bank: Bank) -> list[tuple[Question, float]]:
    """Other questions of the bank that ask nearly the same as this one, the most alike first, with the share of
    three-word runs in common.
    """
    words = _words(_asked(question))
    found = [
        (other, share)
        for other in bank.questions.values()
        if other.id != question.id and (share := likeness(words, _words(_asked(other)))) >= NEAR_DUPLICATE
    ]
    return sorted(found, key=lambda pair: (-pair[1], pair[0].id))


def guessable(bank: Bank) -> Iterator[Fault]:
    """Guessers that know nothing and beat chance."""
    for guesser in guessers.scores(bank.questions.values()):
        if guesser.too_good:
            message = (
                f"A guesser that goes by {guesser.name} scores {guesser.score:.3f}, {guesser.ratio:.2f} "
                f"times chance (at most {guessers.MARGIN} is allowed): reword options until it doesn't."
            )
            yield Fault(".", 1, message, "guessable")


def positions(bank: Bank) -> Iterator[Fault]:
    """Whether right options gather in some place of the files: exports to systems that don't shuffle keep it."""
    groups: dict[tuple[str, int], list[Question]] = {}
    for question in bank.questions.values():
        if question.options:
            groups.setdefault((question.kind, len(question.options)), []).append(question)
    for (kind, size), questions in groups.items():
        rights = Counter(place for q in questions for place, option in enumerate(q.options) if option.right)
        expected = sum(rights.values()) / size
        if len(questions) < guessers.MIN_QUESTIONS:
            continue
        for place in range(size):
            if abs(rights[place] - expected) > POSITION_SLACK * expected**0.5:
                message = (
                    f"Of {len(questions)} questions of kind `{kind}` with {size} options, {rights[place]} have a right "
                    f"one in place {place + 1}, where {expected:.0f} are to be expected: run `python -m question_bank "
                    "arrange`, or for `true-false` turn some statements round."
                )
                yield Fault(".", 1, message, "positions")


@lru_cache(maxsize=4096)
def _words(text: str) -> frozenset[Any]:
    return frozenset(shingles(text))


def _asked(question: Question) -> str:
    """What a question asks and offers, without explanations and feedback."""
    document = question.document
    if document is None:
        return " ".join([question.prompt, *sorted(option.text for option in question.options)])
    entries = sorted(entry.text for entries in document.lists.values() for entry in entries)
    text = document.sections.get("Text")
    return " ".join([question.prompt, *entries, text.text if text else ""])
