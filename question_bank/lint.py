"""Finds what a reviewer would object to in questions that load: giveaways, broken links, repetition.

Each rule is a function from a question (or the bank) to faults; `QUESTION_RULES` and `BANK_RULES` list them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Set
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path, PurePosixPath

from question_bank import guessers
from question_bank.loader import Bank
from question_bank.question import Question
from question_bank.schema import Fault, Option
from question_bank.wording import likeness, normalised, shingles, telling_words, visible_length, without_code

MIN_FEEDBACK = 20
MIN_EXPLANATION = 80
NEAR_DUPLICATE = 0.5
"""The share of three-word runs in common from which two questions count as nearly the same."""
MIN_STATEMENT = 3
"""Fewer words than this make no statement that another option could contain."""

_CATCH_ALL = re.compile(
    r"\b(all|none|both|neither) of (the|these|those) (above|others?|(other )?options|answers|choices)\b"
    r"|\b(all|none) of (the above|these|those|them)\W*$"
    r"|\b(both|neither) [a-h] (and|nor) [a-h]\b",
    re.IGNORECASE,
)
_ASKS = re.compile(r"\b(which|what|who|how many|choose|select|pick|mark|name)\b", re.IGNORECASE)
_COMMANDS = re.compile(r"\W*(choose|select|pick|mark|name)\b", re.IGNORECASE)
_NEGATION = re.compile(
    r"(?<![*_\w])(not|never|except|cannot|incorrect|false|least(?= (?:likely|suit|use|eff|appro))|\w+n[’']t)(?![*_\w])",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"[^.?!:]+[.?!:]?", re.DOTALL)
_RANGE = re.compile(r"^\W*(\d[\d,.]*)\s*(?:-|–|to)\s*(\d[\d,.]*)\s*\S*$")


@dataclass(frozen=True, slots=True)
class Known:
    """The ids that links may name; None means unknown, and then links of that sort go unchecked."""

    topics: Set[str] | None = None
    modules: Set[str] | None = None
    lessons: Set[str] | None = None
    labs: Set[str] | None = None
    code_root: Path | None = None
    """The folder that code links are relative to."""


def lint(bank: Bank, known: Known | None = None) -> list[Fault]:
    """Everything that is wrong with a bank, the loader's faults included, sorted by file and line."""
    known = known or Known()
    faults = list(bank.faults)
    for question in bank.questions.values():
        faults.extend(fault for rule in QUESTION_RULES for fault in rule(question))
        faults.extend(_links(question, known))
    faults.extend(fault for bank_rule in BANK_RULES for fault in bank_rule(bank))
    return sorted(faults)


def _fault(question: Question, part: str, message: str, rule: str) -> Fault:
    return Fault(question.path, question.lines.get(part, 1), message, rule)


def _option_fault(question: Question, option: Option, message: str, rule: str) -> Fault:
    return Fault(question.path, option.line, message, rule)


def _place(question: Question) -> Iterator[Fault]:
    path = PurePosixPath(question.path)
    if path.stem != question.id:
        yield _fault(question, "id", f"The file must be named after the id: `{question.id}.md`.", "place")
    if path.parent.as_posix() != question.topics[0]:
        message = f"The file's folder must be the question's first topic, `{question.topics[0]}`."
        yield _fault(question, "topics", message, "place")


def _links(question: Question, known: Known) -> Iterator[Fault]:
    def missing(part: str, what: str, name: str) -> Fault:
        return _fault(question, part, f"There is no {what} `{name}`.", "links")

    if known.topics is not None:
        yield from (missing("topics", "topic", topic) for topic in question.topics if topic not in known.topics)
    if known.modules is not None and question.module not in known.modules:
        yield missing("module", "module", question.module)
    if known.lessons is not None and question.links.lesson and question.links.lesson not in known.lessons:
        yield missing("links", "lesson", question.links.lesson)
    if known.labs is not None and question.links.lab and question.links.lab not in known.labs:
        yield missing("links", "lab", question.links.lab)
    if known.code_root is not None:
        for path in question.links.code:
            if not (known.code_root / path.partition("#")[0]).is_file():
                yield missing("links", "file", path)


def _feedback(question: Question) -> Iterator[Fault]:
    seen: dict[str, Option] = {}
    for option in question.options:
        words = normalised(option.feedback)
        if len(words) < MIN_FEEDBACK:
            message = (
                "Say below this option, in an indented line that starts with `>`, why it is right or wrong."
            )
            yield _option_fault(question, option, message, "feedback")
        elif words in seen:
            message = (
                f"This feedback repeats that of line {seen[words].line}: say what is particular to this option."
            )
            yield _option_fault(question, option, message, "feedback")
        seen.setdefault(words, option)
    for part, remark in question.body.remarks():
        yield _fault(question, part, remark, "feedback")
    if len(normalised(question.explanation)) < MIN_EXPLANATION:
        message = (
            f"The explanation is shorter than {MIN_EXPLANATION} characters: say how one gets to the answer."
        )
        yield _fault(question, "Explanation", message, "explanation")


def _catch_alls(question: Question) -> Iterator[Fault]:
    for option in question.options:
        if _CATCH_ALL.search(option.text):
            message = (
                "Options are shuffled and stand for themselves: replace “all/none of the above” by a statement."
            )
            yield _option_fault(question, option, message, "catch-all")


def _negations(question: Question) -> Iterator[Fault]:
    for sentence in _SENTENCE.findall(without_code(question.prompt)):
        asks = _ASKS.search(sentence)
        found = _NEGATION.search(sentence, asks.end()) if asks else None
        if found and (sentence.endswith("?") or _COMMANDS.match(sentence)):
            message = f"The question turns on “{found[0]}”: set it in bold, or ask without a negation."
            yield _fault(question, "prompt", message, "negation")


def _overlaps(question: Question) -> Iterator[Fault]:
    for one, other in combinations(question.options, 2):
        if normalised(one.text) == normalised(other.text):
            message = f"This option says the same as line {one.line}."
        elif _contains(one.text, other.text) or _contains(other.text, one.text):
            message = f"This option and line {one.line} contain each other: whoever picks one has picked both."
        elif _ranges_overlap(one.text, other.text):
            message = f"The range of this option overlaps that of line {one.line}."
        else:
            continue
        yield _option_fault(question, other, message, "overlap")


def _contains(long: str, short: str) -> bool:
    """Whether one statement is part of another. Code is exempt: a query with one more clause is another query."""
    if len(without_code(short).split()) < MIN_STATEMENT:
        return False
    return f" {normalised(short)} " in f" {normalised(long)} "


def _ranges_overlap(one: str, other: str) -> bool:
    first, second = _RANGE.match(one), _RANGE.match(other)
    if not first or not second:
        return False
    (low, high), (low2, high2) = (
        tuple(float(n.replace(",", "").rstrip(".")) for n in m.groups()) for m in (first, second)
    )
    return max(low, low2) < min(high, high2)


def _giveaways(question: Question) -> Iterator[Fault]:
    if question.kind != "single":
        return
    right = next(option for option in question.options if option.right)
    wrong = [option for option in question.options if not option.right]
    length, rival = visible_length(right.text), max(visible_length(option.text) for option in wrong)
    if length > 1.3 * rival and length - rival > 15:
        message = f"The right option is by far the longest ({length} characters, the next {rival}): shorten it."
        yield _option_fault(question, right, message, "giveaway")
    prompt = telling_words(question.prompt)
    shared, others = (
        len(telling_words(right.text) & prompt),
        max(len(telling_words(option.text) & prompt) for option in wrong),
    )
    if shared >= others + 3:
        message = (
            f"The right option repeats {shared} words of the prompt, the next one {others}: reword one of them."
        )
        yield _option_fault(question, right, message, "giveaway")


def _near_duplicates(bank: Bank) -> Iterator[Fault]:
    texts = [
        (question, shingles(" ".join([question.prompt, *sorted(option.text for option in question.options)])))
        for question in bank.questions.values()
    ]
    texts.sort(key=lambda pair: len(pair[1]))
    for index, (question, words) in enumerate(texts):
        for other, its_words in texts[index + 1 :]:
            # Sorted by size: once the sizes alone rule likeness out, no later question can come close either.
            if len(words) < NEAR_DUPLICATE * len(its_words):
                break
            if likeness(words, its_words) >= NEAR_DUPLICATE:
                message = (
                    f"This question is nearly the same as `{question.id}`: keep one, or ask something else."
                )
                yield _fault(other, "prompt", message, "near-duplicate")


def _guessable(bank: Bank) -> Iterator[Fault]:
    for guesser in guessers.scores(bank.questions.values()):
        if guesser.too_good:
            message = (
                f"A guesser that goes by {guesser.name} scores {guesser.score:.3f}, {guesser.ratio:.2f} "
                f"times chance (at most {guessers.MARGIN} is allowed): reword options until it doesn't."
            )
            yield Fault(".", 1, message, "guessable")


QUESTION_RULES: tuple[Callable[[Question], Iterator[Fault]], ...] = (
    _place,
    _feedback,
    _catch_alls,
    _negations,
    _overlaps,
    _giveaways,
)
BANK_RULES: tuple[Callable[[Bank], Iterator[Fault]], ...] = (_near_duplicates, _guessable)
