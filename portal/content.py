"""The content of the product as the portal uses it: roadmap, labs and question bank, loaded once, frozen.

Only the instance's own questions change while the portal runs: `ContentSource` notices and gives new content.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeVar

import question_bank
import roadmap
from commandline.loading import loading
from labs import catalogue as lab_catalogue
from labs.catalogue import Lab
from labs.errors import LabNotFound
from portal.own_bank import OwnBank, Stamp
from portal.settings import Settings
from question_bank import Question
from question_bank.layers import layered
from roadmap import Activity, Kind

Derived = TypeVar("Derived")
_SERIALS = itertools.count(1)


@dataclass(frozen=True)
class Content:
    """Everything that authors wrote, and every fault that the loaders found in it."""

    roadmap: roadmap.Catalogue
    labs: lab_catalogue.Catalogue
    bank: question_bank.Bank

    @cached_property
    def serial(self) -> int:
        """A number that no other content of this process has."""
        return next(_SERIALS)

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
        """Questions that touch a topic, by the id that the topic goes by now."""
        result: dict[str, list[Question]] = {}
        for question in self.bank.questions.values():
            for topic in dict.fromkeys(map(self.topic_id, question.topics)):
                result.setdefault(topic, []).append(question)
        return result

    @cached_property
    def proofs_by_topic(self) -> dict[str, list[tuple[str, str]]]:
        """(lab, task) pairs that prove a topic, by the id that the topic goes by now."""
        result: dict[str, list[tuple[str, str]]] = {}
        for lab in self.labs.labs.values():
            for task in lab.tasks:
                for topic in dict.fromkeys(map(self.topic_id, task.proves)):
                    result.setdefault(topic, []).append((lab.id, task.id))
        return result

    @cached_property
    def activities_by_topic(self) -> dict[str, list[Activity]]:
        """Activities that prove a topic once they are approved, by topic id."""
        result: dict[str, list[Activity]] = {}
        for activity in self.roadmap.activities.values():
            for topic in activity.topics:
                result.setdefault(topic, []).append(activity)
        return result

    def topic_id(self, named: str) -> str:
        """The id that a topic goes by now, for one that a lab or a question names by a former id."""
        return self.roadmap.current_id(Kind.TOPIC, named) or named

    def derived(self, make: Callable[[Content], Derived]) -> Derived:
        """What `make`, a function of a module, makes of this content: made at the first call, and kept as long as
        the content. It is shared between threads and must not be changed.
        """
        found: Derived | None = self._derived.get(make)
        if found is None:
            found = self._derived[make] = make(self)
        return found

    @cached_property
    def _derived(self) -> dict[Callable[[Content], Any], Any]:
        return {}

    def lab(self, lab_id: str) -> Lab | None:
        """The lab of that id, or the one that replaces it."""
        try:
            return self.labs.lab(lab_id)
        except LabNotFound:
            return None


class ContentSource:
    """What the content is now: what was loaded at the start, under the instance's own questions of this moment.

    Every process has one. A change made by another process is seen at the next `current()`.
    """

    def __init__(self, base: Content, own: OwnBank | None = None) -> None:
        self.base = base
        """What the product brings along."""
        self.own = own
        self._lock = threading.Lock()
        self._loaded: tuple[Stamp | None, Content] | None = None if own is not None else (None, base)

    @classmethod
    def of(cls, settings: Settings, base: Content | None = None) -> ContentSource:
        """The content of an instance; `base` is loaded when it is not given."""
        return cls(base or load_content(), OwnBank(settings.bank_dir_effective))

    def current(self) -> Content:
        """The content of this moment, frozen; the same object until something changes."""
        if self.own is None:
            return self.base
        stamp = self.own.stamp()
        loaded = self._loaded
        if loaded is not None and loaded[0] == stamp:
            return loaded[1]
        with self._lock:
            if self._loaded is not None and self._loaded[0] == stamp:
                return self._loaded[1]
            # The stamp was read before the files: what changes from here on is seen next time.
            own, retired = self.own.load()
            bank = layered(self.base.bank, own, retired)
            empty = not (own.questions or own.faults or retired.questions or retired.faults)
            content = self.base if empty else replace(self.base, bank=bank)
            self._loaded = (stamp, content)
            return content


def load_content() -> Content:
    """Load all content that the product brings along. Faults are gathered, not raised."""
    with loading():
        return Content(roadmap=roadmap.load(), labs=lab_catalogue.load(), bank=question_bank.load())
