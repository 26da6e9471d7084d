"""Aiken, both ways: choices with one right option, as plain text. It carries the wording and nothing else."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar

from question_bank.formats import bodies
from question_bank.formats.common import sampled
from question_bank.formats.intake import Incoming, Intake
from question_bank.formats.interface import Exported, Format, FormatRefused, Imported, Loss
from question_bank.formats.markup import from_plain, to_plain
from question_bank.formats.text import beginning, decode
from question_bank.kinds.true_false import WORDS
from question_bank.question import Question

_OPTION = re.compile(r"([A-Z])(?:[.)]\s+|\))(\S.*)")
_KEY = re.compile(r"ANSWER:\s*(.*)", re.IGNORECASE)
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class Aiken(Format):
    """A question, its options `A) …`, and `ANSWER: B`."""

    name: ClassVar[str] = "aiken"
    title: ClassVar[str] = "Aiken"
    extensions: ClassVar[tuple[str, ...]] = (".txt",)
    carries: ClassVar[frozenset[str]] = frozenset({"single", "true-false"})
    media_type: ClassVar[str] = "text/plain"

    @classmethod
    def sniff(cls, data: bytes) -> bool:
        return bool(re.search(r"^ANSWER:\s*[A-Z]\s*$", beginning(data, 65536), re.MULTILINE))

    def _read(self, data: bytes, name: str) -> Imported:
        decoded = decode(data, name)
        intake = Intake(name)
        if decoded.doubt:
            intake.fault(1, decoded.doubt)
        pending = _Pending()
        found = False
        for number, line in enumerate(map(str.strip, decoded.text.split("\n")), start=1):
            if intake.full:
                return intake.imported()
            if match := _KEY.fullmatch(line):
                found = True
                pending.finish(match[1], number, intake)
                pending = _Pending()
            elif (match := _OPTION.fullmatch(line)) and match[1] == _LETTERS[len(pending.options) % 26]:
                pending.options.append(match[2])
            elif line and pending.options:
                intake.fault(
                    pending.line, f"There is no `ANSWER:` before line {number}: this question was left out."
                )
                pending = _Pending(number, [line])
            elif line:
                pending.line = pending.line or number
                pending.prompt.append(line)
        if pending.line:
            intake.fault(pending.line, "The question that begins here has no `ANSWER:`: it was left out.")
        if not found:
            raise FormatRefused(f"{name} is no Aiken: there is no line `ANSWER: A`.")
        return intake.imported()

    def _write(self, questions: Sequence[Question]) -> Exported:
        parts: list[str] = []
        losses: list[Loss] = []
        written: list[str] = []
        for original in questions:
            own: list[Loss] = []
            try:
                if original.kind not in self.carries:
                    raise _CannotHold(f"a question of kind `{original.kind}`")
                parts.append(_written(sampled(original, own), own))
            except _CannotHold as problem:
                losses.append(Loss(original.id, "question", f"It stays behind: Aiken can't hold {problem}."))
                continue
            losses += own
            written.append(original.id)
        return Exported("\n".join(parts).encode(), tuple(written), tuple(losses))


class _Pending:
    """A question whose key has not come yet."""

    def __init__(self, line: int = 0, prompt: list[str] | None = None) -> None:
        self.line = line
        self.prompt = prompt or []
        self.options: list[str] = []

    def finish(self, key: str, line: int, intake: Intake) -> None:
        """Take the question in, or say what is wrong with it."""
        letters = _LETTERS[: len(self.options)]
        if not self.prompt:
            intake.fault(line, "This `ANSWER:` belongs to no question.")
            return
        if len(self.options) < 2:
            intake.fault(self.line, "This question has fewer than two options such as `A) text`.")
            return
        if len(key) != 1 or key.upper() not in letters:
            intake.fault(line, f"`ANSWER:` must name one of {', '.join(letters)}, not “{key[:20]}”.")
            return
        right = letters.index(key.upper())
        options = [bodies.Choice(from_plain(text), n == right) for n, text in enumerate(self.options)]
        judged = sorted(text.capitalize() for text in self.options) == sorted(WORDS)
        if judged:
            options = [bodies.Choice(option.text.capitalize(), option.right) for option in options]
        prompt = from_plain("\n".join(self.prompt))
        intake.add(
            Incoming(
                title=self.prompt[0],
                kind="true-false" if judged else "single",
                prompt=prompt,
                written=bodies.choices(options),
                line=self.line,
            )
        )


class _CannotHold(Exception):
    """Aiken has no way to write this; the message names it."""


def _written(question: Question, losses: list[Loss]) -> str:
    """The question in this format. Raises `_CannotHold`."""
    texts = [question.prompt, *(option.text for option in question.options)]
    if any("```" in text or "~~~" in text for text in texts):
        raise _CannotHold("code blocks")
    plain = [" ".join(to_plain(text).split()) for text in texts]
    if not all(plain) or len(set(plain[1:])) < len(plain) - 1:
        raise _CannotHold("options that differ in their markup alone, or have no words")
    if any(from_plain(short) != text for short, text in zip(plain, texts, strict=True)):
        losses.append(
            Loss(question.id, "text", "Markup and line breaks stay behind: the words alone go along.")
        )
    prompt, *options = plain
    if _KEY.fullmatch(prompt) or _OPTION.fullmatch(prompt):
        prompt = f"Question: {prompt}"
        losses.append(
            Loss(question.id, "prompt", "It begins with “Question:”, for it would read as something else.")
        )
    said = [
        "id, topics, difficulty and all other fields",
        "the feedback of the options",
        "the explanation",
        *(["the references"] if question.references else []),
    ]
    losses.append(Loss(question.id, "more", f"What stays behind: {', '.join(said)}."))
    lines = [f"{letter}) {text}" for letter, text in zip(_LETTERS, options, strict=False)]
    key = next(letter for letter, option in zip(_LETTERS, question.options, strict=False) if option.right)
    return "\n".join([prompt, *lines, f"ANSWER: {key}", ""])
