"""Our own archive, both ways: a zip of the question files themselves. Nothing is lost."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import ClassVar

from question_bank.formats.intake import Intake
from question_bank.formats.interface import MAX_QUESTIONS, Exported, Format, FormatRefused, Imported, Loss
from question_bank.formats.safe_zip import open_package
from question_bank.kinds import KINDS
from question_bank.loader import parse
from question_bank.question import Question
from question_bank.schema import MAX_FILE_BYTES, CannotWrite, Fault
from question_bank.writer import write

_MANIFEST = "bank.json"
_VERSION = 1
_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)


class Archive(Format):
    """`questions/TOPIC/ID.md` for each question, and `bank.json` that says so; a zipped folder of a bank will do."""

    name: ClassVar[str] = "archive"
    title: ClassVar[str] = "Archive"
    extensions: ClassVar[tuple[str, ...]] = (".zip",)
    carries: ClassVar[frozenset[str]] = frozenset(KINDS)
    media_type: ClassVar[str] = "application/zip"

    @classmethod
    def sniff(cls, data: bytes) -> bool:
        if not data.startswith(b"PK"):
            return False
        try:
            files = open_package(data, "file").files
        except FormatRefused:
            return False
        return _MANIFEST in files or all(path.endswith(".md") for path in files)

    def _read(self, data: bytes, name: str) -> Imported:
        package = open_package(data, name)
        intake = Intake(name)
        for path, message in package.refused:
            intake.fault(1, message, path)
        _check_version(package.read(_MANIFEST) if _MANIFEST in package.files else b"", name, intake)
        paths = [path for path in sorted(package.files) if path.endswith(".md") and _visible(path)]
        if not paths:
            raise FormatRefused(f"{name} holds no question files (`.md`): choose the format that it has.")
        if len(paths) > MAX_QUESTIONS:
            intake.fault(1, f"The archive has more than {MAX_QUESTIONS:,} questions: the rest was left out.")
        for path in paths[:MAX_QUESTIONS]:
            try:
                raw = package.read(path)
            except FormatRefused as problem:
                intake.fault(1, str(problem), path)
                continue
            _take(raw, path, intake)
        return intake.imported()

    def _write(self, questions: Sequence[Question]) -> Exported:
        losses: list[Loss] = []
        written: list[str] = []
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            for question in questions:
                try:
                    text = write(question)
                except CannotWrite as problem:
                    losses.append(Loss(question.id, "question", f"It stays behind: {problem}"))
                    continue
                _add(archive, f"questions/{question.topics[0]}/{question.id}.md", text)
                written.append(question.id)
            manifest = {"format": "question-bank", "version": _VERSION, "questions": written}
            _add(archive, _MANIFEST, json.dumps(manifest, indent=2) + "\n")
        return Exported(out.getvalue(), tuple(written), tuple(losses))


def _add(archive: zipfile.ZipFile, path: str, text: str) -> None:
    """The same questions give the same bytes, whenever they are written."""
    entry = zipfile.ZipInfo(path, _ZIP_EPOCH)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    archive.writestr(entry, text.encode())


def _visible(path: str) -> bool:
    return not any(part.startswith((".", "_")) for part in PurePosixPath(path).parts)


def _check_version(raw: bytes, name: str, intake: Intake) -> None:
    if not raw:
        return
    try:
        manifest = json.loads(raw)
        version = manifest["version"]
    except (ValueError, KeyError, TypeError, RecursionError):
        intake.fault(1, "It can't be read; the question files were read without it.", _MANIFEST)
        return
    if version != _VERSION:
        raise FormatRefused(
            f"{name} has version {str(version)[:20]} of the archive; this program reads {_VERSION}."
        )


def _take(raw: bytes, path: str, intake: Intake) -> None:
    if len(raw) > MAX_FILE_BYTES:
        intake.fault(1, f"The file is larger than {MAX_FILE_BYTES // 1024} KiB: shorten the question.", path)
        return
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        intake.fault(line, "The file is not UTF-8: save it with that encoding.", path)
        return
    faults: list[Fault] = []
    question = parse(text, path, faults)
    for fault in faults:
        intake.fault(fault.line, fault.message, path)
    if question is not None:
        intake.adopt(question, path)
