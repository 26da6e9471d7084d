"""What is gathered while one item is read, whatever its kind."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from question_bank.formats.bodies import Choice
from question_bank.formats.markup import Taken
from question_bank.formats.qti_markup import from_element
from question_bank.formats.qti_rules import Comment, Moment, Rules
from question_bank.formats.qti_tree import Element, every, first, line_text


class CannotRead(Exception):
    """An item has no form in question files; the message says why, as a sentence."""


def usable(options: list[Choice], lose: Callable[[str, str], None]) -> list[Choice]:
    """Options without those that are empty or repeat another, where that changes no answer."""
    kept: list[Choice] = []
    for option in options:
        same = any(" ".join(option.text.split()) == " ".join(other.text.split()) for other in kept)
        if option.right or (option.text.strip() and not same):
            kept.append(option)
        else:
            said = "repeats another" if option.text.strip() else "has no text"
            lose("options", f"A wrong option that {said} was left out.")
    return kept


@dataclass
class Reading:
    """One item on its way into the bank."""

    item: Element
    rules: Rules
    lost: list[tuple[str, str]] = field(default_factory=list)
    explanation: list[str] = field(default_factory=list)
    references: str = ""
    model_answer: str = ""

    def lose(self, part: str, message: str) -> None:
        """Note what doesn't come along."""
        self.lost.append((part, message))

    def text(self, taken: Taken, part: str) -> str:
        """A text, after noting what it lost."""
        self.lost.extend((part, message) for message in taken.lost)
        return taken.text

    def markdown(self, element: Element | None, part: str) -> str:
        """The content of an element as Markdown."""
        return self.text(from_element(element), part)

    def declaration(self, identifier: str) -> Element:
        """The declaration of a response. Raises `CannotRead`."""
        for declared in every(self.item, "responseDeclaration"):
            if declared.get("identifier") == identifier:
                return declared
        raise CannotRead(f"It doesn't declare its response `{identifier}`.")

    def correct(self, identifier: str) -> list[str]:
        """The values of the right answer of a response; empty when none is declared."""
        answer = first(self.declaration(identifier), "correctResponse")
        return [line_text(value) for value in every(answer, "value")] if answer is not None else []

    def mapping(self, identifier: str) -> dict[str, float]:
        """What parts of the answer to a response are worth."""
        worth = {}
        for entry in every(self.declaration(identifier), "mapEntry"):
            try:
                worth[entry.get("mapKey", "")] = float(entry.get("mappedValue", ""))
            except ValueError:
                self.lose("score", f"The worth of `{entry.get('mapKey', '')[:60]}` is no number: left out.")
        return worth

    def split(self, response: str, names: Iterable[str]) -> tuple[dict[str, str], list[Comment]]:
        """The texts for parts of the answer that have these names, and all other texts for the response."""
        known = set(names)
        own: dict[str, list[str]] = {}
        others = []
        for comment in self.rules.comments(response):
            about = [answer for answer in comment.answers if answer in known]
            if comment.moment is Moment.ANSWER and about:
                meant = about
            elif comment.identifier in known and comment.moment in (Moment.ALWAYS, Moment.ANSWER):
                meant = [comment.identifier]
            else:
                others.append(comment)
                continue
            for name in meant:
                own.setdefault(name, []).append(self.text(comment.text, "feedback"))
        return {name: "\n\n".join(dict.fromkeys(texts)) for name, texts in own.items()}, others

    def general(self, comments: Iterable[Comment]) -> None:
        """Take what is said whatever the answer was into the explanation."""
        for comment in comments:
            text = self.text(comment.text, "feedback")
            if not text or text in self.explanation:
                continue
            if comment.moment is Moment.ALWAYS and comment.identifier == "references":
                self.references = text
            elif comment.moment is Moment.ALWAYS and comment.identifier == "model_answer":
                self.model_answer = text
            else:
                self.explanation.append(text)
                if comment.moment is not Moment.ALWAYS:
                    said = (
                        "A text for some answers only was put into the explanation, which follows every answer."
                    )
                    self.lose("feedback", said)
