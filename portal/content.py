"""The content of the product as the portal uses it: roadmap, labs and question bank, loaded once, frozen."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import labs
import question_bank
import roadmap

if TYPE_CHECKING:
    from labs import Lab
    from question_bank import Question


@dataclass(frozen=True)
class Content:
    """Everything that authors wrote, and every fault that the loaders found in it."""

    roadmap: roadmap.Catalogue
    labs: labs.Catalogue
    bank: question_bank.Bank

    @property
    def faults(self) -> list[str]:
        """Every fault as `path:line: message`."""
        found = [*self.roadmap.faults, *self.labs.faults, *self.bank.faults]
        return [f"{fault.path}:{fault.line}: {fault.message}" for fault in found]

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
        return self.labs.labs.get(self.labs.current_id(lab_id))


def load_content() -> Content:
    """Load all content of this installation. Faults are gathered, not raised."""
    return Content(roadmap=roadmap.load(), labs=labs.load(), bank=question_bank.load())
