"""Single choice: exactly one option is right, all or nothing."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import ClassVar

from question_bank.choices import ChoiceBody
from question_bank.schema import AnswerRefused


@dataclass(frozen=True)
class SingleChoice(ChoiceBody):
    """One right option; the answer is its key."""

    name: ClassVar[str] = "single"
    rule: ClassVar[str] = "Choose one option. It scores all or nothing."

    @classmethod
    def key_complaint(cls, right: list[bool]) -> str | None:
        if sum(right) != 1:
            return (
                f"Mark exactly one option with `[x]`; {sum(right)} are marked. Use kind `multiple` for several."
            )
        return None

    def chosen_keys(self, answer: object) -> frozenset[str]:
        if answer is None or answer == "":
            return frozenset()
        if not isinstance(answer, str):
            raise AnswerRefused("Choose exactly one option.")
        return frozenset({answer})

    def score(self, chosen: Collection[str]) -> float:
        return 1.0 if set(chosen) == {option.key for option in self.options if option.right} else 0.0
