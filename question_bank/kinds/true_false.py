"""True or false: a statement to judge, all or nothing."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import ClassVar

from question_bank.kinds.single import SingleChoice
from question_bank.presented import PresentedOption, Shown
from question_bank.schema import Option

WORDS = ("True", "False")


@dataclass(frozen=True)
class TrueFalse(SingleChoice):
    """The options `True` and `False`, of which one is right; always shown in this order."""

    name: ClassVar[str] = "true-false"
    rule: ClassVar[str] = "Say whether the statement holds. It scores all or nothing."

    @classmethod
    def key_complaint(cls, right: list[bool]) -> str | None:
        if sum(right) != 1:
            return "Mark either `True` or `False` with `[x]`."
        return None

    @classmethod
    def wording_complaint(cls, texts: list[str]) -> str | None:
        if sorted(texts) != sorted(WORDS):
            return "A question of kind `true-false` has the options `True` and `False`, and no others."
        return None

    def show(self, shuffle: random.Random) -> Shown:
        return Shown(
            rule=self.rule,
            options=tuple(PresentedOption(key=o.key, text=o.text) for o in sorted(self.options, key=_place)),
        )


def _place(option: Option) -> int:
    return WORDS.index(option.text)
