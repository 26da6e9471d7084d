"""Writes a QTI package: a zip with a manifest and one file for each item, or each drawn variant."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Sequence

from question_bank.formats import qti_manifest, qti_tree, qti_write
from question_bank.formats.interface import Exported, Loss
from question_bank.formats.qti_vocabulary import Version
from question_bank.question import Question

VARIANTS = 5
"""How many instances of a question with parameters are drawn."""
_TRIES = 40
_EARLIEST = (1980, 1, 1, 0, 0, 0)
"""The time of every file in a package, so that the same questions give the same bytes."""
_LONGEST = 76


def write(questions: Sequence[Question], version: Version) -> Exported:
    """The package. Questions of kinds without a form in QTI stay behind, and are among the losses."""
    losses: list[Loss] = []
    entries: list[qti_manifest.Entry] = []
    written: list[str] = []
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for question in questions:
            if question.kind not in qti_write.KINDS:
                losses.append(Loss(question.id, "question", f"QTI has no form for the kind `{question.kind}`."))
                continue
            for identifier, drawn in _instances(question, losses):
                made = qti_write.item(drawn, identifier)
                losses.extend(Loss(question.id, part, message) for part, message in made.lost)
                href = f"items/{identifier}.xml"
                _put(archive, href, qti_tree.write_item(made.root, version))
                entries.append(qti_manifest.Entry(identifier, href, made.title, question.meta))
            written.append(question.id)
        _put(archive, qti_manifest.MANIFEST, qti_manifest.write(entries, version))
    return Exported(packed.getvalue(), tuple(written), tuple(dict.fromkeys(losses)))


def _put(archive: zipfile.ZipFile, path: str, data: bytes) -> None:
    info = zipfile.ZipInfo(path, _EARLIEST)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = 0o644 << 16
    archive.writestr(info, data)


def _instances(question: Question, losses: list[Loss]) -> Iterator[tuple[str, Question]]:
    """The question, or variants of it that differ; each under the id that it gets."""
    if not question.parameterised:
        yield question.id, question
        return
    drawn: dict[str, Question] = {}
    for number in range(_TRIES):
        variant = question.at(f"export-{number}")
        drawn.setdefault(str(sorted(variant.values.items())), variant)
        if len(drawn) == VARIANTS:
            break
    names = [f"{question.id[:_LONGEST].rstrip('-')}-v{number}" for number in range(1, len(drawn) + 1)]
    said = (
        f"{len(names)} drawn instances stand for it, `{names[0]}` to `{names[-1]}`: the formulae stay behind."
    )
    losses.append(Loss(question.id, "parameters", said))
    yield from zip(names, drawn.values(), strict=True)
