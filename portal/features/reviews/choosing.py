"""Which questions a session asks: by what the learner wants, and by what they are about to forget."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Protocol, TypeVar

from portal.content import Content
from portal.errors import Invalid, NotFound
from portal.features.practice import practisable
from portal.models import PracticeSource
from question_bank import Question
from question_bank.draw import draw_from
from roadmap import Kind

WEAK_BELOW = 0.75
"""A topic on which a learner's last answers earned less than this is a weak spot."""
PRIOR = 0.8
"""What a topic is taken to earn before anything is known; one slip alone makes no weak spot of a topic known well."""
WEAK_SHOWN = 5


class Card(Protocol):
    """What is asked of a card here."""

    @property
    def question_id(self) -> str: ...
    @property
    def due(self) -> datetime: ...
    @property
    def last_review(self) -> datetime: ...
    @property
    def last_fraction(self) -> float: ...


AnyCard = TypeVar("AnyCard", bound=Card)


@dataclass(frozen=True)
class WeakTopic:
    """A topic on which a learner's last answers earned little."""

    topic_id: str
    earned: float
    """Mean of the last fractions on its questions, pulled towards 0.8 while there are few."""
    answered: int


class Chooser:
    """Chooses for one learner, from their cards."""

    def __init__(self, content: Content, cards: Iterable[Card], now: datetime) -> None:
        self.content = content
        self.now = now
        self.cards = current_cards(content, cards)

    def choose(
        self, source: PracticeSource, source_id: str, count: int, seed: int, marked: set[str]
    ) -> list[Question]:
        """At most `count` questions; `marked` are the ids of bookmarked ones.

        Raises NotFound when there is no such topic, module or track, and Invalid when there is nothing to ask.
        """
        if source is PracticeSource.DUE:
            due = self.due()[:count]
            if not due:
                raise Invalid("Nothing is due now. Choose a module, a topic or a track instead.")
            return due
        if source is PracticeSource.WEAKNESS:
            return self._weak(count, seed)
        if source is PracticeSource.BOOKMARKS:
            pool = [q for q in self._all() if q.id in marked]
            empty = "You have no bookmarked questions. Press b at a question to bookmark it."
        else:
            found = self._of(source, source_id)
            pool = [question for question in found if practisable(question)]
            empty = "There are no questions on this yet. Choose something wider."
        if not pool:
            raise Invalid(empty)
        return draw_from(pool, count=count, seed=seed, turn=self._turn)

    def due(self) -> list[Question]:
        """What is due now, the longest overdue first."""
        found = [(card.due, question) for question, card in self._known if card.due <= self.now]
        return [question for _due, question in sorted(found, key=lambda pair: (pair[0], pair[1].id))]

    def dues(self) -> list[datetime]:
        """When each question that the learner has met is due."""
        return [card.due for _question, card in self._known]

    def weak_topics(self) -> list[WeakTopic]:
        """The topics that went worst, the worst first."""
        sums: dict[str, float] = {}
        counts: dict[str, int] = {}
        for question, card in self._known:
            earned = card.last_fraction
            for topic in question.topics:
                sums[topic] = sums.get(topic, 0.0) + earned
                counts[topic] = counts.get(topic, 0) + 1
        topics = [
            WeakTopic(topic, (earned + PRIOR) / (counts[topic] + 1), counts[topic])
            for topic, earned in sums.items()
        ]
        return sorted(
            (topic for topic in topics if topic.earned < WEAK_BELOW), key=lambda one: (one.earned, one.topic_id)
        )

    def _weak(self, count: int, seed: int) -> list[Question]:
        weak = {topic.topic_id for topic in self.weak_topics()}
        pool = [
            question for question in self._all() if weak & set(question.topics) and not self._is_known(question)
        ]
        if not pool:
            raise Invalid(
                "There is no weak spot to practise: nothing went wrong lately. Choose a module, a topic or a track."
            )
        # What went wrong comes before what was never met.
        return draw_from(pool, count=count, seed=seed, turn=lambda q: 0 if q.id in self.cards else 1)

    def _of(self, source: PracticeSource, source_id: str) -> list[Question]:
        roadmap = self.content.roadmap
        kind = {
            PracticeSource.TOPIC: Kind.TOPIC,
            PracticeSource.MODULE: Kind.MODULE,
            PracticeSource.TRACK: Kind.TRACK,
            PracticeSource.LESSON: Kind.LESSON,
        }[source]
        current = roadmap.current_id(kind, source_id)
        if current is None:
            raise NotFound(f"There is no such {source}.")
        if source is PracticeSource.TOPIC:
            return [question for question in self._bank() if current in question.topics]
        if source is PracticeSource.LESSON:
            asked = (self.content.bank.find(question_id) for question_id in roadmap.lessons[current].quick)
            return [question for question in asked if question is not None]
        modules = {current} if source is PracticeSource.MODULE else set(roadmap.tracks[current].modules)
        return [question for question in self._bank() if question.module in modules]

    def _turn(self, question: Question) -> int:
        """What is due comes first, then what was never met, then what is still remembered."""
        card = self.cards.get(question.id)
        if card is None:
            return 1
        return 0 if card.due <= self.now else 2

    def _is_known(self, question: Question) -> bool:
        card = self.cards.get(question.id)
        return card is not None and card.last_fraction >= 1.0 and card.due > self.now

    def _bank(self) -> Iterable[Question]:
        return self.content.bank.questions.values()

    def _all(self) -> list[Question]:
        return [question for question in self._bank() if practisable(question)]

    @cached_property
    def _known(self) -> list[tuple[Question, Card]]:
        """What the learner has met, in the order of the bank."""
        place = self.content.derived(_places)
        known = [(place[name], card) for name, card in self.cards.items() if name in place]
        return [(question, card) for (_number, question), card in sorted(known, key=lambda one: one[0][0])]


def _places(content: Content) -> dict[str, tuple[int, Question]]:
    """Question id → its place in the bank and the question, of those that can be practised."""
    found = (question for question in content.bank.questions.values() if practisable(question))
    return {question.id: (number, question) for number, question in enumerate(found)}


def current_cards(content: Content, cards: Iterable[AnyCard]) -> Mapping[str, AnyCard]:
    """Cards by today's question id; where questions were merged, the one answered last. Retired ones are left out."""
    found: dict[str, AnyCard] = {}
    for card in sorted(cards, key=lambda one: one.last_review):
        question = content.bank.find(card.question_id)
        if question is not None:
            found[question.id] = card
    return found
