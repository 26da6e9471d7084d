"""A table: one row a question, for spreadsheets. It carries every kind without loss.

The columns that most questions need are plain; what a kind has besides stands in `fields` as JSON, and in columns of
its sections. People who write a table by hand can leave out every column but `prompt` and what holds the answer.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from question_bank.body import Written
from question_bank.document import Document, read
from question_bank.formats import bodies
from question_bank.formats.intake import NO_EXPLANATION, Incoming, Intake
from question_bank.formats.interface import Exported, Format, FormatRefused, Imported, Loss
from question_bank.formats.text import beginning, decode
from question_bank.items import WrittenItem
from question_bank.kinds import KINDS
from question_bank.kinds.matching import split_pair
from question_bank.question import Question
from question_bank.schema import MAX_OPTIONS, CannotWrite, FrontMatter
from question_bank.writer import write

ENTRIES = 12
"""Columns for options, items, or pairs and distractors."""
_META = tuple(FrontMatter.model_fields)
_SECTIONS = ("Text", "Starter", "Solution", "Harness", "Model answer")
_LISTS = {"single": "Options", "multiple": "Options", "true-false": "Options", "ordering": "Items"}
_LISTS["matching"] = "Pairs"
COLUMNS = (
    *_META,
    "title",
    "prompt",
    "right",
    *(f"{what} {number}" for number in range(1, ENTRIES + 11) for what in ("option", "partner", "feedback")),
    "answer",
    "tolerance",
    "unit",
    "fields",
    *(name.lower() for name in _SECTIONS),
    "explanation",
    "references",
)
_ALIASES = {
    "question": "prompt",
    "text of question": "prompt",
    "type": "kind",
    "name": "title",
    "topic": "topics",
}
_HAZARD = re.compile(r"^'*[=+\-@\t\r]")
_NUMBER = re.compile(r"\s*[+-]?\d+(\.\d+)?([eE][+-]?\d+)?\s*", re.ASCII)


class CsvTable(Format):
    """CSV with a header line; commas, semicolons or tabs are recognised."""

    name: ClassVar[str] = "csv"
    title: ClassVar[str] = "CSV"
    extensions: ClassVar[tuple[str, ...]] = (".csv", ".tsv")
    carries: ClassVar[frozenset[str]] = frozenset(KINDS)
    media_type: ClassVar[str] = "text/csv"

    @classmethod
    def sniff(cls, data: bytes) -> bool:
        first = beginning(data, 4096).lower().split("\n", 1)[0]
        return bool(
            re.search(r'[,;\t]"?(prompt|question)"?\s*(?=[,;\t]|$)|^"?(prompt|question)"?[,;\t]', first)
        )

    def _read(self, data: bytes, name: str) -> Imported:
        decoded = decode(data, name)
        intake = Intake(name)
        if decoded.doubt:
            intake.fault(1, decoded.doubt)
        first = decoded.text.split("\n", 1)[0]
        delimiter = max(",;\t", key=first.count)
        rows = csv.reader(io.StringIO(decoded.text), delimiter=delimiter, strict=True)
        header: list[str] | None = None
        line = 1
        while True:
            try:
                cells = next(rows, None)
            except csv.Error as error:
                intake.fault(line, f"The row that begins here can't be read: {error}.")
                line = rows.line_num + 1
                continue
            if cells is None or intake.full:
                break
            if header is None:
                header = _header(cells, name, intake)
            elif any(cell.strip() for cell in cells):
                _take(dict(zip(header, map(_unguarded, cells), strict=False)), line, intake)
            line = rows.line_num + 1
        return intake.imported()

    def _write(self, questions: Sequence[Question]) -> Exported:
        losses: list[Loss] = []
        rows: list[dict[str, str]] = []
        written: list[str] = []
        for question in questions:
            try:
                rows.append(_row(question))
                written.append(question.id)
            except CannotWrite as error:
                losses.append(Loss(question.id, "question", f"It stays behind: {error}"))
        used = [column for column in COLUMNS if any(row.get(column) for row in rows) or column in _ALWAYS]
        out = io.StringIO()
        table = csv.DictWriter(out, used, restval="", lineterminator="\r\n")
        table.writeheader()
        for row in rows:
            table.writerow({column: _guarded(row.get(column, "")) for column in used})
        return Exported(out.getvalue().encode("utf-8-sig"), tuple(written), tuple(losses))


_ALWAYS = ("id", "kind", "module", "topics", "difficulty", "seconds", "prompt", "explanation")


def _guarded(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if _HAZARD.match(cell) else cell


def _unguarded(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and _HAZARD.match(cell) else cell


def _row(question: Question) -> dict[str, str]:
    """The cells of a question. Goes by its file's form, so that templates keep their formulae."""
    document = read(write(question), lambda line, message: None)
    assert document is not None
    row = {key: _cell(document.front[key]) for key in _META if key in document.front}
    fields = {key: value for key, value in document.front.items() if key not in _META}
    if fields:
        row["fields"] = json.dumps(fields, ensure_ascii=False)
    row["prompt"] = document.prompt.text
    for name in (*_SECTIONS, "Explanation", "References"):
        if name in document.sections:
            row[name.lower()] = document.sections[name].text
    for number, (item, text, partner) in enumerate(_entries(document), start=1):
        row[f"option {number}"], row[f"partner {number}"] = text, partner
        row[f"feedback {number}"] = item.feedback
    if "Options" in document.lists:
        row["right"] = " ".join(
            str(n) for n, item in enumerate(document.lists["Options"], start=1) if item.right
        )
    elif "Items" in document.lists:
        row["right"] = " ".join(item.mark for item in document.lists["Items"])
    return row


def _entries(document: Document) -> list[tuple[WrittenItem, str, str]]:
    """The entries of a question's lists: (entry, text, partner). A distractor has a partner alone."""
    entries = []
    for name in ("Options", "Items"):
        entries += [(item, item.text, "") for item in document.lists.get(name, ())]
    for item in document.lists.get("Pairs", ()):
        left, right = split_pair(item.text)
        entries.append((item, left, right or ""))
    return entries + [(item, "", item.text) for item in document.lists.get("Distractors", ())]


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(map(str, value))
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _header(cells: list[str], name: str, intake: Intake) -> list[str]:
    header = [" ".join(cell.replace("_", " ").lower().split()) for cell in cells]
    header = [_ALIASES.get(cell, cell) for cell in header]
    if "prompt" not in header:
        raise FormatRefused(
            f"{name} has no column `prompt`: the first line names the columns, such as `prompt,option 1,option 2,right`."
        )
    for cell in header:
        if cell and cell not in COLUMNS:
            intake.fault(1, f"There is no column `{cell}`: its cells were left out.")
    return header


def _take(row: Mapping[str, str], line: int, intake: Intake) -> None:
    row = {key: cell.replace("\r\n", "\n") for key, cell in row.items() if cell and cell.strip()}
    faults: list[str] = []
    meta = _meta(row, faults)
    entries = _row_entries(row)
    kind = row.get("kind", "").strip().lower().replace(" ", "-") or _guessed_kind(row, entries)
    written = _body(kind, row, entries, faults) if not faults else None
    for fault in faults:
        intake.fault(line, fault)
    if written is None:
        return
    intake.add(
        Incoming(
            title=row.get("title", ""),
            kind=kind,
            prompt=row.get("prompt", ""),
            written=written,
            explanation="" if row.get("explanation") == NO_EXPLANATION else row.get("explanation", ""),
            references=row.get("references", ""),
            meta=meta,
            line=line,
        )
    )


def _meta(row: Mapping[str, str], faults: list[str]) -> dict[str, Any]:
    meta: dict[str, Any] = {}
    for key in _META:
        cell = row.get(key, "").strip()
        if not cell or key == "kind":
            continue
        if key in ("topics", "skills", "replaces"):
            meta[key] = [word for word in re.split(r"[\s,;|]+", cell) if word]
        elif key in ("difficulty", "seconds"):
            if not re.fullmatch(r"\d{1,5}", cell, re.ASCII):
                faults.append(f"`{key}` must be a whole number, not “{cell[:40]}”.")
                continue
            meta[key] = int(cell)
        elif key == "scenario":
            meta[key] = cell.lower() in ("true", "yes", "1", "x")
        elif key == "links":
            meta[key] = _json(cell, "links", faults)
        else:
            meta[key] = cell
    return meta


def _json(cell: str, column: str, faults: list[str]) -> dict[str, Any]:
    try:
        value = json.loads(cell)
    except (ValueError, RecursionError) as error:
        faults.append(f"`{column}` is no JSON: {error}.")
        return {}
    if not isinstance(value, dict):
        faults.append(f"`{column}` must be a JSON object.")
        return {}
    return value


def _row_entries(row: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """(option, partner, feedback), up to the last that has any."""
    found = []
    for number in range(1, ENTRIES + 11):
        entry = tuple(row.get(f"{what} {number}", "").strip() for what in ("option", "partner", "feedback"))
        if entry[0] or entry[1]:
            found.append(entry)
    return found  # type: ignore[return-value]


def _guessed_kind(row: Mapping[str, str], entries: list[tuple[str, str, str]]) -> str:
    if any(partner for _, partner, _ in entries):
        return "matching"
    if entries:
        return "multiple" if len(_rights(row)) > 1 else "single"
    return "numeric" if _NUMBER.fullmatch(row.get("answer", "")) else "short"


def _rights(row: Mapping[str, str]) -> list[int]:
    """The numbers under `right`; letters count as well, as in `B` or `A, C`."""
    words = re.findall(r"\d{1,2}|[A-Za-z]\b", row.get("right", ""))
    return [int(word) if word.isdigit() else ord(word.upper()) - ord("A") + 1 for word in words]


def _body(
    kind: str, row: Mapping[str, str], entries: list[tuple[str, str, str]], faults: list[str]
) -> Written | None:
    if kind not in KINDS:
        faults.append(f"There is no kind “{kind[:40]}”; the kinds are: {', '.join(KINDS)}.")
        return None
    fields = _json(row["fields"], "fields", faults) if "fields" in row else {}
    if faults:
        return None
    made = Written()
    rights = _rights(row)
    if _LISTS.get(kind) == "Options":
        if not 2 <= len(entries) <= MAX_OPTIONS:
            faults.append(
                f"Give 2 to {MAX_OPTIONS} options in `option 1`, `option 2` …; there are {len(entries)}."
            )
            return None
        if not rights or max(rights) > len(entries):
            faults.append("Say in `right` which options are right, by their numbers, such as `2` or `1 3`.")
            return None
        made = bodies.choices(
            [bodies.Choice(text, n in rights, fb) for n, (text, _, fb) in enumerate(entries, start=1)]
        )
    elif kind == "ordering":
        places = rights if len(rights) == len(entries) else list(range(1, len(entries) + 1))
        made = bodies.ordering([(text, fb) for text, _, fb in entries], places)
    elif kind == "matching":
        pairs = [(left, right, fb) for left, right, fb in entries if left]
        made = bodies.matching(pairs, [(right, fb) for left, right, fb in entries if not left])
    elif kind in ("numeric", "short") and "answer" not in fields:
        made = bodies.answer(_simple_answer(kind, row, faults))
    sections = {name: row[name.lower()].strip("\n") for name in _SECTIONS if name.lower() in row}
    return None if faults else Written(front={**made.front, **fields}, sections={**made.sections, **sections})


def _simple_answer(kind: str, row: Mapping[str, str], faults: list[str]) -> dict[str, Any]:
    given = row.get("answer", "").strip()
    if not given:
        faults.append("Give options with `right`, or an `answer`.")
    if kind == "short":
        return {"accept": [form.strip() for form in given.split("|") if form.strip()]}
    if not _NUMBER.fullmatch(given) or not _NUMBER.fullmatch(row.get("tolerance", "0")):
        faults.append("`answer` and `tolerance` must be numbers such as `1200` or `0.75`.")
        return {}
    found: dict[str, Any] = {"value": float(given), "tolerance": float(row.get("tolerance", "0"))}
    return {**found, "unit": row["unit"].strip()} if "unit" in row else found
