"""Multiple choice: one or more options are right, with partial credit."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import ClassVar

from question_bank.choices import ChoiceBody
from question_bank.schema import MAX_OPTIONS, AnswerRefused


@dataclass(frozen=True)
class MultipleChoice(ChoiceBody):
    """Any number of right options; the answer is a list of their keys.

    Credit is (right ones chosen - wrong ones chosen) / right ones, never below 0. Choosing everything is
    therefore no strategy, and one slip costs as much as one omission.
    """

    name: ClassVar[str] = "multiple"
    rule: ClassVar[str] = (
        "Choose every option that is right; it may be one or several. Each right choice earns an equal share, "
        "each wrong choice takes one share away, and the score never falls below zero."
    )

    @classmethod
    def key_complaint(cls, right: list[bool]) -> str | None:
        if not any(right):
            return "Mark at least one option with `[x]`."
        if all(right):
            return "Every option is marked right: add at least one wrong one."
        return None

    def chosen_keys(self, answer: object) -> frozenset[str]:
        if answer is None or answer == "":
            return frozenset()
        if not isinstance(answer, list | tuple | set | frozenset):
            raise AnswerRefused("Send the chosen options as a list.")
        if len(answer) > MAX_OPTIONS or not all(isinstance(key, str) for key in answer):
            raise AnswerRefused(f"Choose among the options shown; there are never more than {MAX_OPTIONS}.")
        return frozenset(answer)

    def score(self, chosen: Collection[str]) -> float:
        right = {option.key for option in self.options if option.right}
        hits = len(right & set(chosen))
        slips = len(set(chosen) - right)
        return max(0.0, (hits - slips) / len(right))
