"""What the kinds with options share: keys, reading the options, showing them in another order."""

from __future__ import annotations

import hashlib
import random
from abc import abstractmethod
from collections.abc import Collection
from dataclasses import dataclass
from typing import ClassVar, Self

from question_bank.body import Body, Written, entry
from question_bank.document import Document
from question_bank.graded import Feedback, Verdict
from question_bank.items import Report, WrittenItem
from question_bank.presented import PresentedOption, Shown
from question_bank.runner import CodeRunner
from question_bank.schema import (
    MAX_FEEDBACK,
    MAX_OPTION_TEXT,
    MAX_OPTIONS,
    MIN_OPTIONS,
    AnswerRefused,
    Option,
)

_UNKNOWN_OPTION = (
    "This answer names an option that the question doesn't have. Reload the page and choose again."
)


def option_key(question_id: str, text: str) -> str:
    """An option's key: a digest of the wording alone, so that neither its place in the file nor its truth shows
    in it.
    """
    return hashlib.sha256(f"{question_id}\n{' '.join(text.split())}".encode()).hexdigest()[:12]


@dataclass(frozen=True)
class ChoiceBody(Body):
    """The body of a question that is answered by choosing among options."""

    options: tuple[Option, ...]
    rule: ClassVar[str]
    sections: ClassVar[frozenset[str]] = frozenset({"Options"})

    @classmethod
    def parse(cls, question_id: str, document: Document, report: Report) -> Self | None:
        cls.refuse_unknown_parts(document, report)
        if "Options" not in document.sections:
            report(document.line_of("kind"), f"A question of kind `{cls.name}` needs a section `## Options`.")
            return None
        line = document.sections["Options"].line
        complaints: list[tuple[int, str]] = []
        written = document.options
        if not MIN_OPTIONS <= len(written) <= MAX_OPTIONS:
            complaints.append((line, f"Give {MIN_OPTIONS} to {MAX_OPTIONS} options; there are {len(written)}."))
        for option in written:
            complaints.extend((option.line, message) for message in entry_complaints(option, "option"))
        for message in (
            cls.key_complaint([option.right for option in written]),
            cls.wording_complaint([option.text for option in written]),
        ):
            if message:
                complaints.append((line, message))
        keys: dict[str, int] = {}
        for option in written:
            key = " ".join(option.text.split())
            if key in keys:
                complaints.append(
                    (option.line, f"This option repeats the one in line {keys[key]} word for word.")
                )
            keys.setdefault(key, option.line)
        for complaint in complaints:
            report(*complaint)
        if complaints:
            return None
        return cls(
            tuple(
                Option(
                    option_key(question_id, option.source),
                    option.text,
                    option.right,
                    option.feedback,
                    option.line,
                )
                for option in written
            )
        )

    @classmethod
    @abstractmethod
    def key_complaint(cls, right: list[bool]) -> str | None:
        """What is wrong with which options are marked right, or None."""

    @classmethod
    def wording_complaint(cls, texts: list[str]) -> str | None:
        """What is wrong with the options' wording as such, or None."""
        return None

    @abstractmethod
    def chosen_keys(self, answer: object) -> frozenset[str]:
        """The keys that an answer names; empty for a blank one. Raises `AnswerRefused` for what is no answer at
        all.
        """

    @abstractmethod
    def score(self, chosen: Collection[str]) -> float:
        """The fraction that choosing exactly these keys earns."""

    def show(self, shuffle: random.Random) -> Shown:
        # Sorted by key first: the order then depends on the seed and the wording, never on the author's order.
        order = sorted(self.options, key=lambda option: option.key)
        shuffle.shuffle(order)
        return Shown(rule=self.rule, options=tuple(PresentedOption(key=o.key, text=o.text) for o in order))

    def grade(self, answer: object, runner: CodeRunner | None = None) -> Verdict:
        chosen = self.chosen_keys(answer)
        if not chosen <= {option.key for option in self.options}:
            raise AnswerRefused(_UNKNOWN_OPTION)
        return Verdict(
            fraction=self.score(chosen),
            answered=bool(chosen),
            feedback=tuple(
                Feedback(key=o.key, text=o.text, chosen=o.key in chosen, right=o.right, comment=o.feedback)
                for o in self.options
            ),
            right_answer="\n\n".join(option.text for option in self.options if option.right),
        )

    def choices(self) -> tuple[Option, ...]:
        return self.options

    def write(self) -> Written:
        entries = (entry("- [x] " if o.right else "- [ ] ", o.text, o.feedback) for o in self.options)
        return Written(sections={"Options": "\n".join(entries)})


def entry_complaints(entry: WrittenItem, what: str, text: str | None = None) -> list[str]:
    """What is wrong with the length of an entry's text and feedback; `text` when only a part of it counts."""
    text = entry.text if text is None else text
    complaints = []
    if not text:
        complaints.append(f"This {what} has no text.")
    if len(text) > MAX_OPTION_TEXT:
        complaints.append(
            f"This {what} is longer than {MAX_OPTION_TEXT} characters: move detail into the prompt."
        )
    if len(entry.feedback) > MAX_FEEDBACK:
        complaints.append(
            f"This feedback is longer than {MAX_FEEDBACK} characters: move it into the explanation."
        )
    return complaints
