"""Loads a folder of questions. It never stops at a fault: it returns what loaded and all that is wrong."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from pydantic import ValidationError

from question_bank.body import VARIANT_FIELDS
from question_bank.document import Document, read
from question_bank.items import MARKERS, Report
from question_bank.kinds import KINDS, Body
from question_bank.question import Question
from question_bank.schema import MAX_FILE_BYTES, MAX_FILES, MAX_TEXT, Fault, FrontMatter
from question_bank.values import complaint
from question_bank.variants import read_template

BUILT_IN = Path(__file__).parent / "questions"


@dataclass(frozen=True)
class Bank:
    """The questions that loaded, in the order of their ids, and the faults of the files that didn't or only
    partly did.
    """

    questions: Mapping[str, Question]
    """What is asked."""
    faults: list[Fault] = field(default_factory=list)
    retired: Mapping[str, Question] = field(default_factory=dict)
    """What is asked no more, kept so that earlier answers can still be shown."""

    def find(self, question_id: str) -> Question | None:
        """The question with this id, or the one that replaced it, or else a retired one; None when there is none."""
        return (
            self.questions.get(question_id)
            or self.questions.get(self._successors.get(question_id, ""))
            or self.retired.get(question_id)
        )

    @property
    def _successors(self) -> dict[str, str]:
        return {old: question.id for question in self.questions.values() for old in question.replaces}

    def modules(self, kinds: Collection[str] | None = None) -> dict[str, int]:
        """How many questions of these kinds (None: any) each module has, by module id."""
        chosen = (q.module for q in self.questions.values() if kinds is None or q.kind in kinds)
        return dict(sorted(Counter(chosen).items()))


def load(root: Path | None = None) -> Bank:
    """Load every question below `root` (default: the built-in bank), one Markdown file each.

    Raises nothing for what is wrong inside: a missing folder, an unreadable file and a broken question are
    faults.
    """
    root = root or BUILT_IN
    faults: list[Fault] = []
    found: list[Question] = []
    if not root.is_dir():
        return Bank(
            {}, [Fault(".", 1, f"There is no folder {root.name}: give the folder that holds the questions.")]
        )
    for path in _files(root, faults):
        question = load_file(path, root, faults)
        if question is not None:
            found.append(question)
    questions = by_id(found, faults)
    return Bank(MappingProxyType(questions), sorted(faults))


def load_file(path: Path, root: Path, faults: list[Fault]) -> Question | None:
    """Load one question; append what is wrong to `faults` and return None when it can't be used."""
    name = path.relative_to(root).as_posix()
    try:
        raw = path.read_bytes() if path.stat().st_size <= MAX_FILE_BYTES else None
    except OSError as error:
        faults.append(Fault(name, 1, f"The file can't be read: {error.strerror}."))
        return None
    if raw is None:
        faults.append(
            Fault(name, 1, f"The file is larger than {MAX_FILE_BYTES // 1024} KiB: shorten the question.")
        )
        return None
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        faults.append(Fault(name, line, "The file is not UTF-8: save it with that encoding."))
        return None
    return parse(text, name, faults)


def parse(text: str, name: str, faults: list[Fault]) -> Question | None:
    """Read a question from its file's text; `name` is the path to report faults under. None when there were
    any.
    """
    before = len(faults)

    def report(line: int, message: str) -> None:
        faults.append(Fault(name, line, message))

    document = read(text, report)
    if document is None:
        return None
    _check_texts(document, report)
    meta = _meta(document, report)
    kind = _kind(document, report)
    question_id = str(document.front.get("id"))
    template, body, values, shown = None, None, {}, document
    if kind and VARIANT_FIELDS.isdisjoint(document.front):
        body = kind.parse(question_id, document, report)
    elif kind and (read_in := read_template(question_id, kind, document, report)):
        template, sample = read_in
        body, values, shown = sample.body, dict(sample.values), sample.document
    if meta is None or body is None or len(faults) > before:
        return None
    references = shown.sections.get("References")
    explanation = shown.sections["Explanation"]
    return Question(
        meta=meta,
        prompt=shown.prompt.text,
        body=body,
        explanation=explanation.text,
        references=references.text if references else "",
        content_hash=hashlib.sha256("\n".join(text.splitlines()).encode()).hexdigest(),
        path=name,
        document=shown,
        template=template,
        values=values,
        lines={
            **document.key_lines,
            **{name: section.line for name, section in document.sections.items()},
            "prompt": document.prompt.line,
        },
    )


def _files(root: Path, faults: list[Fault]) -> Iterator[Path]:
    paths = sorted(path for path in root.rglob("*.md") if not path.name.startswith((".", "_")))
    if len(paths) > MAX_FILES:
        faults.append(
            Fault(".", 1, f"The bank has {len(paths)} files; only the first {MAX_FILES} were loaded.")
        )
    for path in paths[:MAX_FILES]:
        if path.is_symlink():
            faults.append(
                Fault(
                    path.relative_to(root).as_posix(), 1, "This is a link to another file: store the question."
                )
            )
        elif path.is_file():
            yield path


def _check_texts(document: Document, report: Report) -> None:
    explanation = document.sections.get("Explanation")
    if not document.prompt.text:
        report(document.prompt.line, "Write the prompt between the front matter and the first `##` heading.")
    if explanation is None or not explanation.text:
        report(
            explanation.line if explanation else 1,
            "Add a section `## Explanation` that says why the answer is right.",
        )
    for name, section in (("", document.prompt), *document.sections.items()):
        # Lists are bounded entry by entry.
        if len(section.text) > MAX_TEXT and name not in MARKERS:
            report(section.line, f"This text is longer than {MAX_TEXT} characters: shorten it.")


def _meta(document: Document, report: Report) -> FrontMatter | None:
    common = {key: value for key, value in document.front.items() if key in FrontMatter.model_fields}
    try:
        return FrontMatter.model_validate(common)
    except ValidationError as error:
        for problem in error.errors():
            where = ".".join(str(part) for part in problem["loc"])
            report(document.line_of(str(problem["loc"][0])), complaint(where, problem))
        return None


def _kind(document: Document, report: Report) -> type[Body] | None:
    kind = KINDS.get(str(document.front.get("kind")))
    if kind is None and "kind" in document.front:
        report(document.line_of("kind"), f"There is no kind of this name; the kinds are: {', '.join(KINDS)}.")
    return kind


def by_id(found: Iterable[Question], faults: list[Fault]) -> dict[str, Question]:
    """Questions in the order of their ids; ids that are taken twice, or replaced and still there, are faults."""
    questions: dict[str, Question] = {}
    for question in sorted(found, key=lambda question: (question.id, question.path)):
        if first := questions.get(question.id):
            line = question.lines.get("id", 1)
            faults.append(
                Fault(question.path, line, f"The id `{question.id}` is taken by {first.path}.", "ids")
            )
        else:
            questions[question.id] = question
    heirs: dict[str, str] = {}
    for question in questions.values():
        line = question.lines.get("replaces", 1)
        for old in question.replaces:
            if old in questions:
                message = f"`{old}` is said to be replaced but is still in the bank: delete one of the two."
                faults.append(Fault(question.path, line, message, "ids"))
            if old in heirs:
                faults.append(
                    Fault(question.path, line, f"`{old}` is already replaced by `{heirs[old]}`.", "ids")
                )
            heirs.setdefault(old, question.id)
    return questions
