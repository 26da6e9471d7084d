"""Ordering: put shuffled items into their order, with partial credit for each pair of items."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import ClassVar, Self

from question_bank.body import Body, Written, entry
from question_bank.choices import entry_complaints, option_key
from question_bank.document import Document
from question_bank.graded import Feedback, Verdict
from question_bank.items import Report, WrittenItem
from question_bank.presented import PresentedOption, Shown
from question_bank.runner import CodeRunner
from question_bank.schema import AnswerRefused

MIN_ITEMS = 3
MAX_ITEMS = 10


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to put in its place."""

    key: str
    text: str
    place: int
    """From 1; items of the same place may stand in any order."""
    feedback: str


@dataclass(frozen=True)
class Ordering(Body):
    """Items in their order; the answer is the list of their keys.

    Of all pairs of items whose order matters, credit is (pairs the right way round - pairs the wrong way round) /
    pairs, never below 0: a guess earns little, and two neighbours exchanged cost little.
    """

    items: tuple[Item, ...]
    name: ClassVar[str] = "ordering"
    sections: ClassVar[frozenset[str]] = frozenset({"Items"})
    rule: ClassVar[str] = (
        "Put all items in order, the first on top. Each pair of items the right way round earns an equal share, "
        "each pair the wrong way round takes one share away, and the score never falls below zero."
    )

    @classmethod
    def parse(cls, question_id: str, document: Document, report: Report) -> Self | None:
        cls.refuse_unknown_parts(document, report)
        if "Items" not in document.sections:
            report(document.line_of("kind"), "A question of kind `ordering` needs a section `## Items`.")
            return None
        line = document.sections["Items"].line
        written = document.lists["Items"]
        complaints: list[tuple[int, str]] = []
        if not MIN_ITEMS <= len(written) <= MAX_ITEMS:
            complaints.append((line, f"Give {MIN_ITEMS} to {MAX_ITEMS} items; there are {len(written)}."))
        complaints.extend(_place_complaints(written))
        texts: dict[str, int] = {}
        for item in written:
            complaints.extend((item.line, message) for message in entry_complaints(item, "item"))
            words = " ".join(item.text.split())
            if words in texts:
                complaints.append((item.line, f"This item repeats the one in line {texts[words]}."))
            texts.setdefault(words, item.line)
        for complaint in complaints:
            report(*complaint)
        if complaints:
            return None
        return cls(
            tuple(
                Item(option_key(question_id, item.source), item.text, int(item.mark), item.feedback)
                for item in written
            )
        )

    def show(self, shuffle: random.Random) -> Shown:
        order = sorted(self.items, key=lambda item: item.key)
        shuffle.shuffle(order)
        if self.score([item.key for item in order]) == 1.0:
            order.reverse()  # what is shown must not be the answer already
        return Shown(rule=self.rule, items=tuple(PresentedOption(key=i.key, text=i.text) for i in order))

    def grade(self, answer: object, runner: CodeRunner | None = None) -> Verdict:
        order = self._order(answer)
        places = {key: place for place, key in enumerate(order)}
        return Verdict(
            fraction=self.score(order),
            answered=bool(order),
            feedback=tuple(
                Feedback(
                    key=item.key,
                    text=item.text,
                    chosen=bool(order),
                    right=bool(order) and self._stands_right(item, places),
                    comment=item.feedback,
                    given=str(places[item.key] + 1) if order else "",
                    expected=str(self._first_place(item)),
                )
                for item in self.items
            ),
            right_answer="\n\n".join(f"{item.place}\\. {item.text}" for item in self.items),
        )

    def score(self, order: Sequence[str]) -> float:
        """The fraction that this order of all keys earns."""
        if not order:
            return 0.0
        places = {key: place for place, key in enumerate(order)}
        pairs = [(a, b) for a, b in combinations(self.items, 2) if a.place != b.place]
        hits = sum(places[a.key] < places[b.key] for a, b in pairs)
        return max(0.0, (2 * hits - len(pairs)) / len(pairs))

    def write(self) -> Written:
        entries = (entry(f"{i.place}. ", i.text, i.feedback, indent=3) for i in self.items)
        return Written(sections={"Items": "\n".join(entries)})

    def remarks(self) -> tuple[tuple[str, str], ...]:
        if not any(item.feedback for item in self.items):
            return (
                ("Items", "Say below at least one item, in a line that starts with `>`, why it stands there."),
            )
        return ()

    def _first_place(self, item: Item) -> int:
        """Where an item stands at the earliest, counted from 1."""
        return 1 + sum(other.place < item.place for other in self.items)

    def _stands_right(self, item: Item, places: dict[str, int]) -> bool:
        same = sum(other.place == item.place for other in self.items)
        return self._first_place(item) <= places[item.key] + 1 < self._first_place(item) + same

    def _order(self, answer: object) -> list[str]:
        if answer is None or answer == "" or answer == [] or answer == ():
            return []
        if not isinstance(answer, list | tuple) or len(answer) != len(self.items):
            raise AnswerRefused(f"Put all {len(self.items)} items in order.")
        if not all(isinstance(key, str) for key in answer) or set(answer) != {i.key for i in self.items}:
            raise AnswerRefused(
                "These are not the items of the question. Reload the page and order them again."
            )
        return [str(key) for key in answer]


def _place_complaints(written: tuple[WrittenItem, ...]) -> list[tuple[int, str]]:
    """Places begin with 1 and rise by one or stay; staying means that the two may be exchanged."""
    complaints = []
    last = 0
    for item in written:
        place = int(item.mark)
        if place not in ({1} if last == 0 else {last, last + 1}):
            hint = f"{last + 1}, or {last} when it may be exchanged with the one before" if last else "1"
            complaints.append((item.line, f"The place {place} doesn't follow: write {hint}."))
        last = place
    if len(written) > 1 and len({item.mark for item in written}) < 2:
        complaints.append((written[0].line, "All items have the same place: number them 1, 2, 3."))
    return complaints
