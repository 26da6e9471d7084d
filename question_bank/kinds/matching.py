"""Matching: find the partner of each left side, with partial credit."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

from question_bank.body import FENCES, Body, Written, entry
from question_bank.choices import entry_complaints, option_key
from question_bank.document import Document
from question_bank.graded import Feedback, Verdict
from question_bank.items import FenceTracker, Report, WrittenItem
from question_bank.presented import PresentedOption, Shown
from question_bank.runner import CodeRunner
from question_bank.schema import AnswerRefused

MIN_PAIRS = 2
MAX_PAIRS = 10
MAX_RIGHT = 12


@dataclass(frozen=True, slots=True)
class Side:
    """One thing on the left or on the right."""

    key: str
    text: str


@dataclass(frozen=True, slots=True)
class Pair:
    """A left side and its partner; several may have the same partner."""

    left: Side
    right: Side
    feedback: str


@dataclass(frozen=True, slots=True)
class Distractor:
    """A right side that fits nothing."""

    side: Side
    feedback: str


@dataclass(frozen=True)
class Matching(Body):
    """Pairs to find; the answer maps keys of the left to keys of the right. Each right pair earns an equal share."""

    pairs: tuple[Pair, ...]
    distractors: tuple[Distractor, ...] = ()
    name: ClassVar[str] = "matching"
    sections: ClassVar[frozenset[str]] = frozenset({"Pairs", "Distractors"})

    @classmethod
    def parse(cls, question_id: str, document: Document, report: Report) -> Self | None:
        cls.refuse_unknown_parts(document, report)
        if "Pairs" not in document.sections:
            report(document.line_of("kind"), "A question of kind `matching` needs a section `## Pairs`.")
            return None
        complaints: list[tuple[int, str]] = []
        written = document.lists["Pairs"]
        if not MIN_PAIRS <= len(written) <= MAX_PAIRS:
            message = f"Give {MIN_PAIRS} to {MAX_PAIRS} pairs; there are {len(written)}."
            complaints.append((document.sections["Pairs"].line, message))
        pairs: list[Pair] = []
        lines: dict[str, int] = {}
        for item in written:
            (left, right), (left_source, right_source) = split_pair(item.text), split_pair(item.source)
            if right is None or right_source is None:
                complaints.append(
                    (item.line, "Write the right side in the next line: two spaces, `= `, its text.")
                )
                continue
            for text, what in ((left, "left side"), (right, "right side")):
                complaints.extend((item.line, message) for message in entry_complaints(item, what, text))
            if left in lines:
                complaints.append((item.line, f"This left side repeats the one in line {lines[left]}."))
            lines.setdefault(left, item.line)
            pairs.append(
                Pair(
                    Side(option_key(question_id, f"left {left_source}"), left),
                    Side(option_key(question_id, f"right {right_source}"), right),
                    item.feedback,
                )
            )
        distractors = _distractors(question_id, document, {pair.right.text for pair in pairs}, complaints)
        sides = {pair.right.key for pair in pairs} | {other.side.key for other in distractors}
        if pairs and not 2 <= len(sides) <= MAX_RIGHT:
            message = f"There must be 2 to {MAX_RIGHT} different right sides; there are {len(sides)}."
            complaints.append((document.sections["Pairs"].line, message))
        for complaint in dict.fromkeys(complaints):
            report(*complaint)
        return None if complaints else cls(tuple(pairs), distractors)

    def show(self, shuffle: random.Random) -> Shown:
        left = sorted((pair.left for pair in self.pairs), key=lambda side: side.key)
        right = sorted(self._rights().values(), key=lambda side: side.key)
        shuffle.shuffle(left)
        shuffle.shuffle(right)
        reuse = (
            " A partner may be used more than once."
            if len({p.right.key for p in self.pairs}) < len(left)
            else ""
        )
        spare = " Some partners fit nothing." if self.distractors else ""
        return Shown(
            rule=f"Choose a partner for each. Each right pair earns an equal share.{reuse}{spare}",
            left=tuple(PresentedOption(key=side.key, text=side.text) for side in left),
            right=tuple(PresentedOption(key=side.key, text=side.text) for side in right),
        )

    def grade(self, answer: object, runner: CodeRunner | None = None) -> Verdict:
        chosen = self._chosen(answer)
        rights = self._rights()
        spare = {other.side.key: other.feedback for other in self.distractors}
        feedback = []
        for pair in self.pairs:
            given = chosen.get(pair.left.key)
            right = given == pair.right.key
            comments = [pair.feedback] if right or given not in spare else [spare[str(given)], pair.feedback]
            feedback.append(
                Feedback(
                    key=pair.left.key,
                    text=pair.left.text,
                    chosen=given is not None,
                    right=right,
                    comment="\n\n".join(comment for comment in comments if comment),
                    given=rights[given].text if given else "",
                    expected=pair.right.text,
                )
            )
        return Verdict(
            fraction=sum(entry.right for entry in feedback) / len(self.pairs),
            answered=bool(chosen),
            feedback=tuple(feedback),
            right_answer="\n\n".join(f"{pair.left.text} — {pair.right.text}" for pair in self.pairs),
        )

    def write(self) -> Written:
        sections = {
            "Pairs": "\n".join(
                entry("- ", joined_pair(pair.left.text, pair.right.text), pair.feedback) for pair in self.pairs
            )
        }
        if self.distractors:
            sections["Distractors"] = "\n".join(
                entry("- ", other.side.text, other.feedback) for other in self.distractors
            )
        return Written(sections=sections)

    def remarks(self) -> tuple[tuple[str, str], ...]:
        said = [("Pairs", pair.left.text) for pair in self.pairs if not pair.feedback]
        said += [("Distractors", other.side.text) for other in self.distractors if not other.feedback]
        return tuple(
            (part, f"Say below “{text[:40]}”, in a line that starts with `>`, why it belongs there.")
            for part, text in said
        )

    def _rights(self) -> dict[str, Side]:
        sides = [*(pair.right for pair in self.pairs), *(other.side for other in self.distractors)]
        return {side.key: side for side in sides}

    def _chosen(self, answer: object) -> dict[str, str]:
        """The pairs that an answer names; blank partners are left out."""
        if answer is None or answer == "":
            return {}
        if not isinstance(answer, Mapping) or len(answer) > MAX_PAIRS:
            raise AnswerRefused("Send the chosen pairs as a mapping from the left to the right.")
        chosen = {left: right for left, right in answer.items() if right is not None and right != ""}
        rights = self._rights()
        known = {pair.left.key for pair in self.pairs}
        if not all(
            left in known and isinstance(right, str) and right in rights for left, right in chosen.items()
        ):
            raise AnswerRefused(
                "This answer names something that isn't shown. Reload the page and match again."
            )
        return {str(left): str(right) for left, right in chosen.items()}


def split_pair(text: str) -> tuple[str, str | None]:
    """The two sides of a pair: the right one begins at the first line outside of code that starts with `= `."""
    fence = FenceTracker()
    lines = text.split("\n")
    for index, line in enumerate(lines):
        if not fence.feed(index, line) and (line.startswith("= ") or line == "="):
            return "\n".join(lines[:index]).strip(), "\n".join([line[2:], *lines[index + 1 :]]).strip()
    return text, None


def joined_pair(left: str, right: str) -> str:
    """The two sides as one text, which `split_pair` takes apart."""
    return f"{left}\n=\n{right}" if right.startswith(FENCES) else f"{left}\n= {right}"


def _distractors(
    question_id: str, document: Document, rights: set[str], complaints: list[tuple[int, str]]
) -> tuple[Distractor, ...]:
    seen: set[str] = set()
    found = []
    item: WrittenItem
    for item in document.lists.get("Distractors", ()):
        complaints.extend((item.line, message) for message in entry_complaints(item, "distractor"))
        if item.text in rights or item.text in seen:
            complaints.append((item.line, "This distractor repeats a right side: reword it, or delete it."))
        seen.add(item.text)
        found.append(
            Distractor(Side(option_key(question_id, f"right {item.source}"), item.text), item.feedback)
        )
    return tuple(found)
