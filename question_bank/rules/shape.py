"""What a question consists of: its place, its classification, its links, its feedback."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from question_bank.question import Question
from question_bank.rules.common import Known, fault, option_fault
from question_bank.schema import Fault, Option
from question_bank.starting import PLACEHOLDER
from question_bank.wording import normalised

_LINES = re.compile(r"(?:L|line-)(\d{1,6})(?:-L?(\d{1,6}))?")

MIN_FEEDBACK = 20
MIN_EXPLANATION = 80


def place(question: Question) -> Iterator[Fault]:
    """The file is where its id and its first topic say."""
    path = PurePosixPath(question.path)
    if path.stem != question.id:
        yield fault(question, "id", f"The file must be named after the id: `{question.id}.md`.", "place")
    if path.parent.as_posix() != question.topics[0]:
        message = f"The file's folder must be the question's first topic, `{question.topics[0]}`."
        yield fault(question, "topics", message, "place")


def links(question: Question, known: Known) -> Iterator[Fault]:
    """Every link leads to something."""

    def missing(part: str, what: str, name: str) -> Fault:
        return fault(question, part, f"There is no {what} `{name}`.", "links")

    if known.topics is not None:
        yield from (missing("topics", "topic", topic) for topic in question.topics if topic not in known.topics)
    if known.modules is not None and question.module not in known.modules:
        yield missing("module", "module", question.module)
    if known.lessons is not None and question.links.lesson and question.links.lesson not in known.lessons:
        yield missing("links", "lesson", question.links.lesson)
    if known.labs is not None and question.links.lab and question.links.lab not in known.labs:
        yield missing("links", "lab", question.links.lab)
    if known.code_root is not None:
        for link in question.links.code:
            name, _, anchor = link.partition("#")
            path = known.code_root / name
            if not path.is_file():
                yield missing("links", "file", link)
            elif anchor and not _anchored(path, anchor):
                yield missing("links", "line", link)


def _anchored(path: Path, anchor: str) -> bool:
    """Whether `L12`, `L12-L20` or `line-12` are lines of the file."""
    match = _LINES.fullmatch(anchor)
    if match is None:
        return False
    first, last = int(match[1]), int(match[2] or match[1])
    return 1 <= first <= last <= path.read_bytes().count(b"\n") + 1


def feedback(question: Question) -> Iterator[Fault]:
    """Every option says why, and the explanation explains."""
    seen: dict[str, Option] = {}
    for option in question.options:
        words = normalised(option.feedback)
        if len(words) < MIN_FEEDBACK:
            message = (
                "Say below this option, in an indented line that starts with `>`, why it is right or wrong."
            )
            yield option_fault(question, option, message, "feedback")
        elif words in seen:
            message = (
                f"This feedback repeats that of line {seen[words].line}: say what is particular to this option."
            )
            yield option_fault(question, option, message, "feedback")
        seen.setdefault(words, option)
    for part, remark in question.body.remarks():
        yield fault(question, part, remark, "feedback")
    if len(normalised(question.explanation)) < MIN_EXPLANATION:
        message = (
            f"The explanation is shorter than {MIN_EXPLANATION} characters: say how one gets to the answer."
        )
        yield fault(question, "Explanation", message, "explanation")


def classified(question: Question) -> Iterator[Fault]:
    """Level and skills are needed to draw an interview's worth of questions, and to say what a learner lacks."""
    if question.meta.level is None:
        yield fault(question, "id", "Say with `level` in which interview it would be asked.", "classified")
    if not question.meta.skills:
        yield fault(question, "id", "Say with `skills` what it exercises: one to four.", "classified")


def placeholders(question: Question) -> Iterator[Fault]:
    """Places of a starting file that nobody has filled in."""
    document = question.document
    if document is None:
        return
    for key, value in document.front.items():
        if found := PLACEHOLDER.search(str(value)):
            yield fault(question, key, f"Fill in `{found[0]}`.", "placeholder")
    for section in (document.prompt, *document.sections.values()):
        for match in PLACEHOLDER.finditer(section.text):
            line = section.line + section.text.count("\n", 0, match.start())
            yield Fault(question.path, line, f"Fill in `{match[0]}`.", "placeholder")
