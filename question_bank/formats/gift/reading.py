"""Reads the questions of a GIFT file."""

from __future__ import annotations

import html
import re
from typing import Any

from question_bank.body import Written
from question_bank.formats import bodies
from question_bank.formats.common import SAY_WHY, chosen_kind, numeric_fields, split_explanation, typed_fields
from question_bank.formats.gift.syntax import (
    Chunk,
    chunks,
    comment_fields,
    find,
    split_at,
    split_format,
    unescape,
)
from question_bank.formats.intake import Incoming, Intake, topic_of_category
from question_bank.formats.interface import FormatRefused, Imported
from question_bank.formats.markup import from_html, from_plain
from question_bank.formats.tags import from_tags
from question_bank.formats.text import decode

_WEIGHT = re.compile(r"%(-?\d{1,3}(?:\.\d{1,9})?)%")
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_TAGS = re.compile(r"</?[a-zA-Z][^<>]*>")
_TRUE, _FALSE = ("T", "TRUE"), ("F", "FALSE")


class Unreadable(Exception):
    """A question that can't be read; the message is a sentence."""


def read_questions(data: bytes, name: str) -> Imported:
    """The questions of a file; each that can't be read is a fault at its line."""
    decoded = decode(data, name)
    intake = Intake(name)
    if decoded.doubt:
        intake.fault(1, decoded.doubt)
    found = False
    for chunk in chunks(decoded.text):
        if intake.full:
            break
        reader = _Reader(chunk)
        try:
            incoming = reader.incoming()
            found = True
            intake.add(incoming)
        except Unreadable as problem:
            found = found or "{" in chunk.text
            intake.fault(chunk.line, f"“{reader.title or ' '.join(chunk.text.split())[:60]}”: {problem}")
    if not found:
        raise FormatRefused(f"{name} is no GIFT: there is no question with its answers in braces.")
    return intake.imported()


class _Reader:
    """Reads one question."""

    def __init__(self, chunk: Chunk) -> None:
        self.chunk = chunk
        self.lost: list[tuple[str, str]] = []
        self.format = "moodle"
        self.title, self._rest = self._split_title(chunk.text.strip())

    def incoming(self) -> Incoming:
        before, answers, after = self._split_answers(self._rest)
        self.format, before = split_format(before, self.format)
        prompt = self._text(before, self.format)
        if after:
            prompt = f"{prompt} \\_\\_\\_\\_\\_ {self._text(after, self.format)}".strip()
        at = find(answers, "####")
        general = answers[at + 4 :] if at >= 0 else ""
        kind, written = self._body((answers[:at] if at >= 0 else answers).strip())
        explanation, references = split_explanation(self._formatted(general))
        return Incoming(
            title=self.title or prompt[:60],
            kind=kind,
            prompt=prompt,
            written=written,
            explanation=explanation,
            references=references,
            meta=self._meta(),
            line=self.chunk.line,
            lost=tuple(dict.fromkeys(self.lost)),
        )

    def _split_title(self, text: str) -> tuple[str, str]:
        if not text.startswith("::"):
            return "", text
        end = find(text, "::", 2)
        return (unescape(text[2:end]).strip(), text[end + 2 :].strip()) if end >= 0 else ("", text)

    def _split_answers(self, text: str) -> tuple[str, str, str]:
        start = find(text, "{")
        if start < 0:
            raise Unreadable("This is a text without answers in braces: it was left out.")
        end = find(text, "}", start)
        if end < 0:
            raise Unreadable("Its answers are not closed with `}`.")
        after = text[end + 1 :].strip()
        if find(after, "{}") >= 0:
            raise Unreadable("It has answers in a second pair of braces, which GIFT doesn't know.")
        return text[:start].strip(), text[start + 1 : end], after

    def _body(self, answers: str) -> tuple[str, Written]:
        word = split_at(answers, "#", 1)[0].strip().upper()
        if not answers:
            self.lost += [
                ("rubric", "There is none in the file: say what a good answer has."),
                ("model answer", "There is none in the file: write one."),
            ]
            return "open", bodies.open_answer((), "")
        if answers.startswith("#"):
            return "numeric", self._numeric(answers[1:].strip())
        if find(answers, "~") >= 0:
            return self._choice(answers)
        if word in (*_TRUE, *_FALSE):
            return "true-false", self._true_false(answers, word in _TRUE)
        if find(answers, "=") >= 0 and "->" in answers:
            return "matching", self._matching(answers)
        return "short", self._short(answers)

    def _choice(self, answers: str) -> tuple[str, Written]:
        options = []
        one_only = False
        for mark, text in _marked(answers):
            weight, text = _split_weight(text)
            said, feedback = self._with_feedback(text)
            one_only = one_only or mark == "="
            worth = weight if weight is not None else 100.0 if mark == "=" else 0.0
            options.append((bodies.Choice(said, False, feedback), worth / 100))
        if not any(weight > 0 for _, weight in options):
            raise Unreadable("No option is right: put `=` before the right one.")
        kind, chosen, lost = chosen_kind(options, one_only)
        self.lost += lost
        return kind, bodies.choices(chosen)

    def _true_false(self, answers: str, holds: bool) -> Written:
        _, wrong, right = [*(self._formatted(part) for part in split_at(answers, "#", 2)), "", ""][:3]
        return bodies.true_false(holds, right if holds else wrong, wrong if holds else right)

    def _short(self, answers: str) -> Written:
        marked = _marked(answers) if find(answers, "=") >= 0 else [("=", answers)]
        accept, said = list[str](), list[str]()
        mistakes: list[tuple[str, str]] = []
        for _, text in marked:
            weight, text = _split_weight(text)
            form, feedback = self._plain_with_feedback(text)
            if form == "*":
                self.lost.append(("feedback", "What is said of every other answer stays behind."))
            elif weight is None or weight >= 99.999:
                accept.append(form)
                said.append(feedback)
            else:
                if weight > 0:
                    self.lost.append(
                        ("fractions", f"“{form[:40]}” earned {weight:g} %; now it counts as wrong.")
                    )
                mistakes.append((form, feedback or SAY_WHY))
        if not accept:
            raise Unreadable("No answer is right.")
        if len(set(said)) > 1:
            self.lost.append(("feedback", "Right forms have different feedback; the first was kept."))
        first = next((text for text in said if text), "")
        return bodies.answer(typed_fields(accept, mistakes, feedback=first))

    def _numeric(self, answers: str) -> Written:
        right: tuple[float, float, str] | None = None
        mistakes: list[tuple[float, str]] = []
        for mark, text in _marked(answers if answers.startswith(("=", "~")) else f"={answers}"):
            weight, text = _split_weight(text)
            form, feedback = self._plain_with_feedback(text)
            if mark == "~" or form in ("", "*"):
                if feedback:
                    self.lost.append(("feedback", "What is said of every other answer stays behind."))
                continue
            value, tolerance = _number(form)
            worth = 100.0 if weight is None else weight
            if worth >= 99.999 and right is None:
                right = (value, tolerance, feedback)
            elif worth > 0:
                self.lost.append(
                    ("answers", f"The further right or partly right number {form[:40]} stays behind.")
                )
            else:
                mistakes.append((value, feedback or SAY_WHY))
        if right is None:
            raise Unreadable("No number is right.")
        return bodies.answer(numeric_fields(right[0], right[1], mistakes, right[2], ()))

    def _matching(self, answers: str) -> Written:
        pairs, spare = [], []
        for mark, text in _marked(answers):
            left, arrow, right = text.partition("->")
            if mark != "=" or not arrow:
                raise Unreadable("Each pair is written as `=left -> right`.")
            left, right = self._formatted(left), self._formatted(right)
            if left:
                pairs.append((left, right, ""))
            else:
                spare.append((right, ""))
        return bodies.matching(pairs, spare)

    def _with_feedback(self, text: str) -> tuple[str, str]:
        said, *feedback = split_at(text, "#", 1)
        return self._formatted(said), self._formatted(feedback[0]) if feedback else ""

    def _plain_with_feedback(self, text: str) -> tuple[str, str]:
        said, *feedback = split_at(text, "#", 1)
        _, form = split_format(said.strip(), self.format)
        return " ".join(unescape(form).split()), self._formatted(feedback[0]) if feedback else ""

    def _formatted(self, text: str) -> str:
        """A part of the answers, which may begin with a format of its own."""
        style, rest = split_format(text.strip(), self.format)
        return self._text(rest, style)

    def _text(self, written: str, style: str) -> str:
        text = unescape(written.strip())
        if style == "markdown":
            return text.strip()
        if style == "plain" or (style == "moodle" and not _TAGS.search(text)):
            return from_plain(html.unescape(text) if style == "moodle" else text)
        taken = from_html(text.replace("\n", "<br>") if style == "moodle" else text)
        self.lost.extend(("text", sentence) for sentence in taken.lost)
        return taken.text

    def _meta(self) -> dict[str, Any]:
        own_id, tags = comment_fields(self.chunk.comments)
        meta, rest = from_tags(tags)
        if rest:
            self.lost.append(("tags", f"These tags stay behind: {', '.join(rest)[:300]}."))
        topic = topic_of_category(self.chunk.category)
        if topic and "topics" not in meta:
            meta["topics"] = [topic]
        return {**meta, "id": own_id} if own_id else meta


def _marked(answers: str) -> list[tuple[str, str]]:
    """(mark, text) of each answer; the marks are `=` and `~`."""
    found: list[tuple[str, str]] = []
    at = find(answers, "=~")
    if at < 0 or answers[:at].strip():
        raise Unreadable("Each answer starts with `=` or `~`.")
    while at >= 0:
        end = find(answers, "=~", at + 1)
        found.append((answers[at], answers[at + 1 : end if end >= 0 else len(answers)].strip()))
        at = end
    return [(mark, text) for mark, text in found if text]


def _split_weight(text: str) -> tuple[float | None, str]:
    match = _WEIGHT.match(text)
    return (float(match[1]), text[match.end() :].strip()) if match else (None, text)


def _number(form: str) -> tuple[float, float]:
    """Value and tolerance of `5`, `5:0.1` or `4.9..5.1`."""
    low, dots, high = (part.strip() for part in form.partition(".."))
    if dots and _NUMBER.fullmatch(low) and _NUMBER.fullmatch(high):
        value = (float(low) + float(high)) / 2
        return round(value, 12), round(abs(float(high) - value), 12)
    value_text, _, tolerance = (part.strip() for part in form.partition(":"))
    if not _NUMBER.fullmatch(value_text) or not _NUMBER.fullmatch(tolerance or "0"):
        raise Unreadable(f"“{form[:40]}” is no number such as `5`, `5:0.1` or `4.9..5.1`.")
    return float(value_text), abs(float(tolerance or "0"))
