"""What readers of formats share: from the parts that were found to questions that the bank can store.

intake = Intake("quiz.xml")
intake.add(Incoming(title="Deadlocks", kind="single", prompt="…", written=choices([…]), line=12))
return intake.imported()
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from question_bank.body import Written
from question_bank.document import read
from question_bank.formats.interface import MAX_QUESTIONS, Imported, Loss
from question_bank.formats.text import tame_markdown
from question_bank.loader import parse
from question_bank.question import Question
from question_bank.schema import MAX_FILE_BYTES, CannotWrite, Fault
from question_bank.tangle import tangled
from question_bank.writer import compose, write

NO_EXPLANATION = "‹Imported without an explanation: say how one gets to the answer.›"
"""What stands for an explanation that a file doesn't give; the lint asks for a longer one."""
NO_MODULE = "imported"
MAX_FAULTS = 2_000

_SECONDS = {"code": 900, "open": 600, "cloze": 150, "ordering": 120, "matching": 120, "numeric": 120}
_ASSUMED_SECONDS = 90
_ASSUMED_DIFFICULTY = 3
_SLUG_LENGTH = 60
_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)+|[a-z0-9]{2,}")
_LONGEST_ID = 80
_LINE = re.compile(r" (?:in|of) line \d+")
_TOP = re.compile(r"^\$[a-z]+\$(/top)?/?|^top/?")


@dataclass(frozen=True, slots=True)
class Incoming:
    """A question as it was found; texts are Markdown."""

    title: str
    """What the file calls it; the id is made from it when the file has none. The prompt serves when it is empty."""
    kind: str
    prompt: str
    written: Written
    """The kind's own fields and sections; `bodies` makes them."""
    explanation: str = ""
    references: str = ""
    meta: Mapping[str, Any] = field(default_factory=dict)
    """Fields of `FrontMatter` that the file gives: `id`, `module`, `topics`, `difficulty` and so on."""
    line: int = 1
    """Where it stands in the file."""
    path: str = ""
    """The file inside a package; empty for the file itself."""
    lost: tuple[tuple[str, str], ...] = ()
    """(part, sentence): what could not be taken along."""


class Intake:
    """Gathers the questions of one file, and what is wrong with the rest."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._questions: dict[str, Question] = {}
        self._faults: list[Fault] = []
        self._losses: list[Loss] = []
        self.full = False
        """Whether no further question is taken in."""

    def fault(self, line: int, message: str, path: str = "") -> None:
        """Note something that could not be read."""
        if len(self._faults) < MAX_FAULTS:
            self._faults.append(Fault(path or self.name, max(line, 1), message, "import"))
        if len(self._faults) == MAX_FAULTS and not self.full:
            self.full = True
            message = (
                f"There are more than {MAX_FAULTS:,} faults: reading ended here. Is this the right format?"
            )
            self._faults.append(Fault(path or self.name, max(line, 1), message, "import"))

    def lose(self, question: str, part: str, message: str) -> None:
        """Note what one question lost, or what had to be assumed for it."""
        self._losses.append(Loss(question, part, message))

    def add(self, incoming: Incoming) -> Question | None:
        """Take a question in; None, and a fault at its line, when the bank can't store it."""
        if self.full or len(self._questions) >= MAX_QUESTIONS:
            if not self.full:
                message = f"The file has more than {MAX_QUESTIONS:,} questions: the rest was left out."
                self.fault(incoming.line, message, incoming.path)
            self.full = True
            return None
        question_id = self._free_id(str(incoming.meta.get("id") or "") or incoming.title or incoming.prompt)
        tamed, lost = _tamed(incoming)
        meta, assumed = _meta(tamed, question_id)
        explanation = tamed.explanation or NO_EXPLANATION
        sections = {
            **tamed.written.sections,
            "Explanation": explanation,
            "References": tamed.references,
        }
        found: list[Fault] = []
        question = None
        if any(map(tangled, (tamed.prompt, explanation, tamed.references, *tamed.written.sections.values()))):
            found.append(
                Fault("", 1, "It has more brackets, or lists in lists, than any text for people: rewrite it.")
            )
        try:
            text = compose({**meta, **tamed.written.front}, tamed.prompt, sections)
            small = len(text.encode()) <= MAX_FILE_BYTES
            question = parse(text, "x.md", found) if small and not found else None
            if not small:
                found.append(Fault("", 1, f"It is larger than {MAX_FILE_BYTES // 1024} KiB."))
        except RecursionError:
            found.append(Fault("", 1, "Its fields are nested too deep."))
        if question is not None and not _as_meant(question, tamed, explanation):
            question = None
            found.append(Fault("", 1, "Its text would be read back as something else."))
        if question is None:
            title = " ".join((incoming.title or incoming.prompt).split())[:60]
            # Lines are those of the file that would have been written, which nobody sees.
            for fault in dict.fromkeys(_LINE.sub("", fault.message) for fault in found):
                self.fault(incoming.line, f"“{title}” can't be taken in: {fault}", incoming.path)
            return None
        question = replace(question, path="", lines={})
        self._questions[question_id] = question
        for part, message in (*incoming.lost, *lost, *assumed):
            self.lose(question_id, part, message)
        return question

    def adopt(self, question: Question, path: str = "") -> None:
        """Take in a question that is complete already; a second one of its id is a fault."""
        if question.id in self._questions:
            self.fault(1, f"The id `{question.id}` is in the file twice: the second was left out.", path)
        else:
            self._questions[question.id] = replace(question, path="", lines={})

    def imported(self) -> Imported:
        """All that was gathered."""
        return Imported(
            tuple(self._questions.values()), tuple(self._faults), tuple(dict.fromkeys(self._losses))
        )

    def _free_id(self, wish: str) -> str:
        kept = len(wish) <= _LONGEST_ID and _ID.fullmatch(wish)
        return free_id(wish if kept else slug(wish) or "question", self._questions)


def slug(text: str) -> str:
    """A text as an id: words in lower case with hyphens, at most 60 characters; empty when nothing is left."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().casefold()
    words = re.findall(r"[a-z0-9]+", plain)
    made = ""
    for word in words:
        longer = f"{made}-{word}" if made else word
        if len(longer) > _SLUG_LENGTH:
            break
        made = longer
    made = made or (words[0][:_SLUG_LENGTH] if words else "")
    return f"{made}-1" if len(made) == 1 else made


def topic_of_category(category: str) -> str:
    """The last part of a category's path such as `$course$/top/Databases/Locks`, as a topic; empty when there is
    none.
    """
    parts = _TOP.sub("", category.replace("//", "\0")).split("/")
    topics = [made for part in parts if len(made := slug(part.replace("\0", " "))) > 1]
    return topics[-1] if topics else ""


def free_id(wish: str, taken: Iterable[str]) -> str:
    """The id that is wished for, or that with the first number behind it that nobody has."""
    names = taken if isinstance(taken, Mapping | set | frozenset) else set(taken)
    if wish not in names:
        return wish
    number = 2
    while f"{wish}-{number}" in names:
        number += 1
    return f"{wish}-{number}"


def renamed(question: Question, new_id: str, **meta: Any) -> Question:
    """The question under another id, and with other common fields: its options' keys change along.

    Raises `CannotWrite` when it has no form as a file.
    """
    front = {"id": new_id, **meta}
    if all(getattr(question.meta, key) == value for key, value in front.items()):
        return question
    text = write(question)
    # The front matter's common fields are written anew; whatever else the file holds stays as it is.
    document = read(text, lambda line, message: None)
    assert document is not None
    fields = {**document.front, **{key: _plain(value) for key, value in front.items()}}
    sections = {name: section.text for name, section in document.sections.items()}
    faults: list[Fault] = []
    again = parse(compose(fields, document.prompt.text, sections), "x.md", faults)
    if again is None:
        raise CannotWrite(f"`{question.id}` can't be renamed to `{new_id}`: {faults[0].message}")
    return replace(again, path="", lines={})


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _meta(incoming: Incoming, question_id: str) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """The common fields, with what the file doesn't say assumed; and what was."""
    given = {key: value for key, value in incoming.meta.items() if value not in (None, "", (), [])}
    seconds = _SECONDS.get(incoming.kind, _ASSUMED_SECONDS)
    assumptions: dict[str, Any] = {
        "module": NO_MODULE,
        "topics": [given.get("module", NO_MODULE)],
        "difficulty": _ASSUMED_DIFFICULTY,
        "seconds": seconds,
    }
    missing = {key: value for key, value in assumptions.items() if key not in given}
    notes = []
    if missing:
        said = ", ".join(f"{key} {_in_words(value)}" for key, value in missing.items())
        notes.append(("assumed", f"The file doesn't say: {said}."))
    if not incoming.explanation:
        notes.append(("explanation", "There is none in the file: write one before the question is used."))
    given.update(id=question_id, kind=incoming.kind, **missing)
    return {key: _plain(value) for key, value in given.items()}, notes


def _in_words(value: Any) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value)


def _tamed(incoming: Incoming) -> tuple[Incoming, list[tuple[str, str]]]:
    """The question without what has a meaning in question files; and what was changed for it."""
    notes: list[tuple[str, str]] = []

    def tame(part: str, text: str) -> str:
        changed = tame_markdown(text)
        if changed.strip() != "\n".join(text.splitlines()).strip():
            notes.append(
                (part, "Headings or open code blocks in it were changed so that a file can hold them.")
            )
        return changed.strip()

    return (
        replace(
            incoming,
            prompt=tame("prompt", incoming.prompt),
            explanation=tame("explanation", incoming.explanation),
            references=tame("references", incoming.references),
        ),
        notes,
    )


def _as_meant(question: Question, incoming: Incoming, explanation: str) -> bool:
    if question.template is not None:
        return True
    written = question.body.write()
    return (
        question.prompt.strip() == incoming.prompt.strip()
        and question.explanation.strip() == explanation.strip()
        and {name: text for name, text in written.sections.items() if text.strip()}
        == {name: text for name, text in incoming.written.sections.items() if text.strip()}
    )
