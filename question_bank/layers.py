"""A bank over another: an instance's own questions over those that are built in."""

from __future__ import annotations

from types import MappingProxyType

from question_bank.loader import Bank, by_id
from question_bank.schema import Fault


def layered(base: Bank, own: Bank, retired: Bank) -> Bank:
    """The questions of `base` without those in `retired`, and over them those of `own`, by id.

    What is in `own` is asked even when it is in `retired` too: bringing a question back writes the one file before it
    removes the other.
    """
    faults: list[Fault] = [*base.faults, *own.faults, *retired.faults]
    gone = {
        question_id: old for question_id, old in retired.questions.items() if question_id not in own.questions
    }
    asked = {**base.questions, **own.questions}
    questions = by_id((one for one in asked.values() if one.id not in gone), faults)
    return Bank(MappingProxyType(questions), sorted(faults), MappingProxyType(gone))
