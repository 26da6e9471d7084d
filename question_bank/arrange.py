"""Puts the options of a file in an order that only their wording decides, so that right ones stand in every place
about equally often. Learners see options shuffled anyway; systems that we export to may not shuffle.
"""

from __future__ import annotations

from question_bank.loader import parse
from question_bank.question import Question
from question_bank.schema import CannotWrite

KINDS = ("single", "multiple")


def arranged(question: Question, text: str) -> str:
    """The text of a question's file with its options in the order of their keys; all else stays as it is.

    Raises `CannotWrite` when the result would be another question.
    """
    document = question.document
    if question.kind not in KINDS or document is None:
        return text
    lines = text.split("\n")
    starts = [option.line - 1 for option in question.options]
    section = document.sections["Options"]
    end = section.line + section.text.count("\n")
    entries = [lines[first:last] for first, last in zip(starts, [*starts[1:], end], strict=True)]
    spaced = any(not entry[-1].strip() for entry in entries[:-1])
    order = sorted(range(len(entries)), key=lambda index: question.options[index].key)
    written: list[str] = []
    for place, index in enumerate(order):
        entry = entries[index]
        while not entry[-1].strip():
            entry = entry[:-1]
        written.extend(["", *entry] if spaced and place else entry)
    result = "\n".join([*lines[: starts[0]], *written, *lines[end:]])
    again = parse(result, question.path, [])
    if again is None or {o.key: o for o in again.options} != {o.key: o for o in question.options}:
        raise CannotWrite(f"`{question.id}` can't be arranged: its options would change.")
    return result
