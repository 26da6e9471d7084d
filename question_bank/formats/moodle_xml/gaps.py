"""Moodle's notation for gaps in a text: `{1:SHORTANSWER:=right#feedback~%0%wrong#why}`."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from question_bank.formats import bodies
from question_bank.formats.common import SAY_WHY, number, numeric_fields, typed_fields
from question_bank.kinds.cloze import Cloze, Gap, fill_gaps
from question_bank.kinds.numeric import Numeric
from question_bank.kinds.short import ShortAnswer
from question_bank.kinds.single import SingleChoice

_OPENING = re.compile(
    r"\{(\d*):(SHORTANSWER(?:_C)?|SAC?|MWC?|NUMERICAL|NM|MULTICHOICE(?:_[VHS]{1,2})?|MC[VHS]{0,2}"
    r"|MULTIRESPONSE(?:_[HS]{1,2})?|MR[HS]{0,2}):"
)
_ANSWER = re.compile(r"(=|%(-?\d+(?:\.\d+)?)%)?(.*)", re.DOTALL)
_SPECIAL = re.compile(r"([}#~/\"\\])")
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_MAX_GAP = 10_000
RULE = "\n\n---\n\n"
"""Stands between the prompt and the text with the gaps."""


class BrokenGap(Exception):
    """A gap that can't be read; the message is a sentence."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of a gap, as written."""

    fraction: float
    text: str
    feedback: str


def read_gaps(
    text: str, plain: Callable[[str], str], lost: list[tuple[str, str]]
) -> tuple[str, dict[str, dict[str, Any]]]:
    """The text with `[[?g1]]` in place of each gap, and what belongs there. Raises `BrokenGap`.

    `plain` turns a piece of the text into what people see of it, as the text may be HTML.
    """
    gaps: dict[str, dict[str, Any]] = {}
    out: list[str] = []
    at = 0
    weights: set[str] = set()
    while match := _OPENING.search(text, at):
        content, end = _content(text, match.end())
        name = f"g{len(gaps) + 1}"
        weights.add(match[1] or "1")
        answers = [_answer(part, plain) for part in _split(content, "~")]
        gaps[name] = _gap(match[2], [answer for answer in answers if answer], name, lost)
        out += [text[at : match.start()], f"[[?{name}]]"]
        at = end
    if len(weights) > 1:
        lost.append(("weights", "Gaps have different weights; now each earns the same."))
    return "".join(out) + text[at:], gaps


def divided(text: str) -> tuple[str, str]:
    """Prompt and text with gaps out of one text: the prompt ends at the rule before the first gap. Empty without one."""
    parts = text.split(RULE)
    first = next((n for n, part in enumerate(parts) if "[[?" in part), 0)
    return RULE.join(parts[:first]), RULE.join(parts[first:])


def joined(cloze: Cloze, prompt: str) -> str | None:
    """Prompt and text with gaps as one text; None when it would be taken apart in another way."""
    gaps = {gap.name: write_gap(gap) for gap in cloze.gaps}
    text = prompt + RULE + fill_gaps(cloze.text, lambda name: gaps[name])
    try:
        found, names = read_gaps(text, lambda piece: piece, [])
    except BrokenGap:
        return None
    return text if len(names) == len(gaps) and divided(found)[0] == prompt else None


def flattens(gap: Gap) -> bool:
    """Whether the notation, which is one line, changes a text of this gap."""
    body = gap.body
    if isinstance(body, SingleChoice):
        texts = [text for option in body.options for text in (option.text, option.feedback)]
    else:
        texts = [body.answer.feedback, *(mistake.why for mistake in body.answer.mistakes)]
        texts += body.answer.accept if isinstance(body, ShortAnswer) else ()
    return any(" ".join(text.split()) != text for text in texts)


def write_gap(gap: Gap) -> str:
    """A gap in this notation."""
    if isinstance(gap.body, SingleChoice):
        answers = [_written("=" if o.right else "", o.text, o.feedback) for o in gap.body.options]
        return f"{{1:MULTICHOICE_S:{'~'.join(answers)}}}"
    if isinstance(gap.body, Numeric):
        number_asked = gap.body.answer
        answers = [
            _written("=", f"{number(number_asked.value)}:{number(number_asked.margin)}", number_asked.feedback)
        ]
        answers += [
            _written("%0%", f"{number(m.value)}:{number(number_asked.margin)}", m.why)
            for m in number_asked.mistakes
        ]
        return f"{{1:NUMERICAL:{'~'.join(answers)}}}"
    typed = gap.body.answer
    answers = [_written("=", form.replace("*", r"\*"), typed.feedback) for form in typed.accept]
    answers += [_written("%0%", form.replace("*", r"\*"), m.why) for m in typed.mistakes for form in m.accept]
    return f"{{1:SHORTANSWER{'_C' if typed.case_sensitive else ''}:{'~'.join(answers)}}}"


def _written(mark: str, text: str, feedback: str) -> str:
    escaped = _SPECIAL.sub(r"\\\1", " ".join(text.split()))
    # A text that would read as a mark of its own.
    escaped = f"%0%{escaped}" if not mark and escaped.startswith(("=", "%")) else mark + escaped
    said = _SPECIAL.sub(r"\\\1", " ".join(feedback.split()))
    return f"{escaped}#{said}" if said else escaped


def _content(text: str, start: int) -> tuple[str, int]:
    """What stands between here and the closing brace, and the place behind it."""
    at = start
    while at < len(text) and at - start < _MAX_GAP:
        if text[at] == "\\":
            at += 2
        elif text[at] == "}":
            return text[start:at], at + 1
        else:
            at += 1
    raise BrokenGap("A gap is not closed with `}`.")


def _split(text: str, mark: str) -> list[str]:
    """The parts between unescaped marks, still escaped."""
    parts, current, at = list[str](), "", 0
    while at < len(text):
        if text[at] == "\\" and at + 1 < len(text):
            current += text[at : at + 2]
            at += 2
            continue
        if text[at] == mark:
            parts.append(current)
            current = ""
        else:
            current += text[at]
        at += 1
    return [*parts, current]


def _answer(part: str, plain: Callable[[str], str]) -> Answer | None:
    text, *feedback = _split(part, "#")
    match = _ANSWER.fullmatch(text.strip())
    assert match is not None
    fraction = 1.0 if match[1] == "=" else float(match[2]) / 100 if match[2] else 0.0
    said = plain(_unescaped(match[3]))
    if not said.strip():
        return None
    return Answer(fraction, said.strip(), plain(_unescaped("#".join(feedback))).strip())


def _unescaped(text: str) -> str:
    return re.sub(r"\\([}#~/\"\\])", r"\1", text)


def _gap(kind: str, answers: list[Answer], name: str, lost: list[tuple[str, str]]) -> dict[str, Any]:
    rights = [answer for answer in answers if answer.fraction >= 0.99999]
    wrongs = [answer for answer in answers if answer.fraction < 0.99999]
    if not rights:
        raise BrokenGap(f"Gap {name[1:]} has no right answer.")
    if any(answer.fraction > 0 for answer in wrongs):
        lost.append((f"gap {name}", "An answer that earns a part of the points counts as wrong now."))
    if kind.startswith(("MULTIR", "MR")) or (kind.startswith("M") and len(rights) > 1 and kind[:2] != "MW"):
        raise BrokenGap(f"Gap {name[1:]} has several right choices, which a gap can't have here.")
    if kind.startswith(("MULTICHOICE", "MC")):
        return bodies.choice_gap([bodies.Choice(a.text, a.fraction >= 0.99999, a.feedback) for a in answers])
    if kind in ("NUMERICAL", "NM"):
        return _numeric(rights, wrongs, name, lost)
    fallback = [answer for answer in wrongs if answer.text == "*"]
    if fallback:
        lost.append((f"gap {name}", "The feedback for every other answer stays behind."))
    if any(_star(answer.text) for answer in rights):
        lost.append((f"gap {name}", "A `*` stood for any text; write a pattern instead."))
    return typed_fields(
        [a.text.replace(r"\*", "*") for a in rights],
        [(a.text.replace(r"\*", "*"), a.feedback or SAY_WHY) for a in wrongs if a not in fallback],
        feedback=next((a.feedback for a in rights if a.feedback), ""),
        case_sensitive=kind.endswith("C") and kind != "MC",
    )


def _star(text: str) -> bool:
    return re.search(r"(?<!\\)\*", text) is not None


def _numeric(
    rights: list[Answer], wrongs: list[Answer], name: str, lost: list[tuple[str, str]]
) -> dict[str, Any]:
    value, tolerance = _value(rights[0].text, name)
    if len(rights) > 1:
        lost.append((f"gap {name}", "It has several right numbers; only the first was kept."))
    mistakes = []
    for answer in wrongs:
        if answer.text == "*":
            lost.append((f"gap {name}", "The feedback for every other answer stays behind."))
        else:
            mistakes.append((_value(answer.text, name)[0], answer.feedback or SAY_WHY))
    return numeric_fields(value, tolerance, mistakes, rights[0].feedback, ())


def _value(text: str, name: str) -> tuple[float, float]:
    value, _, tolerance = (part.strip() for part in text.partition(":"))
    if not _NUMBER.fullmatch(value) or not _NUMBER.fullmatch(tolerance or "0"):
        raise BrokenGap(f"Gap {name[1:]} asks for a number, but “{text[:40]}” is none.")
    return float(value), float(tolerance or "0")
