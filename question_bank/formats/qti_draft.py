"""What a writer of one kind fills in: the parts of an item, before they are put in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from question_bank.formats import qti_logic as logic
from question_bank.formats.qti_markup import to_blocks
from question_bank.formats.qti_tree import Element
from question_bank.question import Question


@dataclass
class Draft:
    """The parts of one item."""

    question: Question
    """As one seed has it: parameters are filled in."""
    responses: list[Element] = field(default_factory=list)
    outcomes: list[Element] = field(default_factory=list)
    blocks: list[Element] = field(default_factory=list)
    """What follows the prompt."""
    rules: list[Element] = field(default_factory=list)
    texts: list[Element] = field(default_factory=list)
    """What is shown after the answer."""
    by_hand: bool = False
    """Whether a person has to mark the answer."""
    lost: list[tuple[str, str]] = field(default_factory=list)
    """(part, sentence)."""

    def lose(self, part: str, message: str) -> None:
        """Note what the item can't hold."""
        self.lost.append((part, message))

    def comment(self, identifier: str, text: str, title: str = "", outcome: str = logic.FEEDBACK) -> bool:
        """A text for when an outcome has an identifier; False when there is none to show."""
        if text:
            self.texts.append(logic.modal(outcome, identifier, to_blocks(text), _short(title)))
        return bool(text)

    def always(self, comments: Sequence[tuple[str, str, str]], kind: str = "multiple") -> None:
        """Texts (identifier, text, title) that are all shown after any answer."""
        shown = [identifier for identifier, text, title in comments if self.comment(identifier, text, title)]
        if shown:
            self.feedback_outcome(kind)
            self.rules.append(logic.setting(logic.FEEDBACK, identifiers(shown)))

    def feedback_outcome(self, cardinality: str, identifier: str = logic.FEEDBACK) -> None:
        """Declare an outcome that chooses texts, once."""
        if all(declared.get("identifier") != identifier for declared in self.outcomes):
            self.outcomes.append(logic.outcome(identifier, "identifier", cardinality))


def identifiers(names: Sequence[str]) -> Element:
    """A container of identifiers."""
    return logic.call("multiple", *(logic.value("identifier", name) for name in names))


def _short(title: str) -> str:
    line = " ".join(title.split())
    return line if len(line) <= 100 else f"{line[:99]}…"
