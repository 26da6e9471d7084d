"""What is wrong with the text of a question: the loader's faults, the lint's remarks, and what only the bank shows."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection
from dataclasses import dataclass
from dataclasses import replace as with_changes

from portal.content import Content
from portal.errors import Invalid
from portal.settings import ROOT
from question_bank import Known, Question
from question_bank.document import read
from question_bank.lint import lint_question
from question_bank.loader import parse
from question_bank.rules.bank import similar
from question_bank.schema import MAX_FILE_BYTES, Fault

REMARKS_MOST = 100
MESSAGE_MOST = 500
SIMILAR_MOST = 3
EXCERPT = 300

_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_SCHEMA = "schema"


@dataclass(frozen=True)
class Remark:
    """One thing that is wrong with a text, and where."""

    line: int
    message: str
    rule: str
    stops: bool
    """Whether the question can't be used at all while it is so."""


@dataclass(frozen=True)
class Checked:
    """What is to be said about a text."""

    question: Question | None
    """None when it can't be read."""
    remarks: tuple[Remark, ...]
    similar: tuple[tuple[Question, float], ...] = ()
    """Questions of the bank that ask nearly the same, with the share in common."""

    @property
    def usable(self) -> bool:
        """Whether nothing stops it."""
        return self.question is not None and not any(remark.stops for remark in self.remarks)

    @property
    def stopping(self) -> int:
        """How many remarks stop it."""
        return sum(remark.stops for remark in self.remarks)


@dataclass(frozen=True)
class Gist:
    """What a list shows of a text, also of one that can't be used yet."""

    question_id: str
    kind: str
    module: str
    excerpt: str


def cleaned(text: str) -> str:
    """The text as a file holds it. Raises Invalid when there is none, or too much."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "").rstrip() + "\n"
    if not text.strip():
        raise Invalid("There is no text to save.")
    size = len(text.encode("utf-8", "replace"))
    if size > MAX_FILE_BYTES:
        raise Invalid(
            f"A question's file has at most {MAX_FILE_BYTES // 1024} KiB; this has {size // 1024 + 1}. Shorten it."
        )
    return text.encode("utf-8", "replace").decode("utf-8")


def digest(text: str) -> str:
    """The digest of a file's text, as questions and attempts have it."""
    return hashlib.sha256("\n".join(text.splitlines()).encode()).hexdigest()


def is_slug(name: str) -> bool:
    """Whether this can be an id."""
    return 2 <= len(name) <= 80 and _SLUG.fullmatch(name) is not None


def gist(text: str) -> Gist:
    """What can be read of a text; empty strings for what can't."""
    document = read(text, lambda _line, _message: None)
    if document is None:
        return Gist("", "", "", "")

    def word(key: str, most: int) -> str:
        value = document.front.get(key)
        return value[:most] if isinstance(value, str) else ""

    return Gist(
        word("id", 80), word("kind", 40), word("module", 80), " ".join(document.prompt.text.split())[:EXCERPT]
    )


def check(
    text: str, content: Content, *, question_id: str, fixed: bool, taken: Collection[str] = ()
) -> Checked:
    """Everything that is to be said about the text of the question that is known by this id.

    `fixed` says that the id can't change any more; `taken` are ids of drafts by others.
    """
    if len(text.encode("utf-8", "replace")) > MAX_FILE_BYTES:
        message = f"The file is larger than {MAX_FILE_BYTES // 1024} KiB: shorten the question."
        return Checked(None, (Remark(1, message, _SCHEMA, stops=True),))
    faults: list[Fault] = []
    found = parse(text, f"{question_id}.md", faults)
    remarks = [_remark(fault, stops=True) for fault in faults]
    if found is None:
        return Checked(None, _arranged(remarks))
    # Folder and name of the file follow from the text, so the rule on its place has nothing to find.
    question = with_changes(found, path=path_of(found))
    remarks.extend(_place_among_others(question, content, question_id, fixed=fixed, taken=taken))
    remarks.extend(_remark(fault, stops=False) for fault in lint_question(question, known_of(content)))
    alike = [pair for pair in similar(question, content.bank) if pair[0].id != question_id]
    line = question.lines.get("prompt", 1)
    for other, share in alike[:SIMILAR_MOST]:
        message = (
            f"This is nearly the same as `{other.id}` ({100 * share:.0f} % in common): ask something else."
        )
        remarks.append(Remark(line, message, "near-duplicate", stops=False))
    return Checked(question, _arranged(remarks), tuple(alike[:SIMILAR_MOST]))


def path_of(question: Question) -> str:
    """Where the question's file stands in a bank."""
    return f"{question.topics[0]}/{question.id}.md"


def known_of(content: Content) -> Known:
    """What links of a question may name."""
    return Known(
        topics=content.roadmap.topics.keys(),
        modules=content.roadmap.modules.keys(),
        lessons=content.roadmap.lessons.keys(),
        labs=content.labs.labs.keys(),
        code_root=ROOT,
    )


def _place_among_others(
    question: Question, content: Content, question_id: str, *, fixed: bool, taken: Collection[str]
) -> list[Remark]:
    found: list[Remark] = []
    line = question.lines.get("id", 1)
    if question.id != question_id:
        if fixed:
            message = (
                f"The id must stay `{question_id}`: answers are stored under it. For another id duplicate the question, "
                f"and write `replaces: [{question_id}]` into the new one."
            )
            found.append(Remark(line, message, "ids", stops=True))
        elif question.id in taken or content.bank.find(question.id) is not None:
            message = f"The id `{question.id}` is taken: choose another."
            found.append(Remark(line, message, "ids", stops=True))
    for old in question.replaces:
        if old in content.bank.questions and old != question_id:
            message = f"`{old}` is said to be replaced but is still asked: retire it first."
            found.append(Remark(question.lines.get("replaces", 1), message, "ids", stops=True))
    return found


def _remark(fault: Fault, *, stops: bool) -> Remark:
    return Remark(max(1, fault.line), fault.message[:MESSAGE_MOST], fault.rule, stops)


def _arranged(remarks: list[Remark]) -> tuple[Remark, ...]:
    unique = dict.fromkeys(remarks)
    return tuple(sorted(unique, key=lambda one: (one.line, not one.stops, one.message)))[:REMARKS_MOST]
