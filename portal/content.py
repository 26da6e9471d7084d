"""The content of the product as the portal uses it: roadmap, labs and question bank, loaded once, frozen."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import question_bank
import roadmap
from labs import catalogue as lab_catalogue
from labs.catalogue import Lab
from labs.errors import LabNotFound
from question_bank import Question


@dataclass(frozen=True)
class Content:
    """Everything that authors wrote, and every fault that the loaders found in it."""

    roadmap: roadmap.Catalogue
    labs: lab_catalogue.Catalogue
    bank: question_bank.Bank

    @property
    def faults(self) -> list[str]:
        """Every fault as `path:line: message`."""
        return [
            *(f"{fault.path}:{fault.line}: {fault.message}" for fault in self.roadmap.faults),
            *(f"{fault.path}:{fault.line}: {fault.message}" for fault in self.labs.faults),
            *(f"{fault.path}:{fault.line}: {fault.message}" for fault in self.bank.faults),
        ]

    @cached_property
    def questions_by_topic(self) -> dict[str, list[Question]]:
        """Questions that touch a topic, by topic id."""
        result: dict[str, list[Question]] = {}
        for question in self.bank.questions.values():
            for topic in question.topics:
                result.setdefault(topic, []).append(question)
        return result

    @cached_property
    def proofs_by_topic(self) -> dict[str, list[tuple[str, str]]]:
        """(lab, task) pairs that prove a topic, by topic id."""
        result: dict[str, list[tuple[str, str]]] = {}
        for lab in self.labs.labs.values():
            for task in lab.tasks:
                for topic in task.proves:
                    result.setdefault(topic, []).append((lab.id, task.id))
        return result

    def lab(self, lab_id: str) -> Lab | None:
        """The lab of that id, or the one that replaces it."""
        try:
            return self.labs.lab(lab_id)
        except LabNotFound:
            return None


def load_content() -> Content:
    """Load all content of this installation. Faults are gathered, not raised."""
    return Content(roadmap=roadmap.load(), labs=lab_catalogue.load(), bank=question_bank.load())
