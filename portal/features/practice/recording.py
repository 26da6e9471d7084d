"""What an answer changes: the learner's memory of the question, and the question's sums.

Quizzes and practice sessions record through this one class, in the transaction that stores the answer. However many answers
there are at once, and however many were given before, it takes a handful of statements.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from portal.days import day_in
from portal.models import CountOf, ItemCount, ItemTally, PracticeSetting, ReviewCard, User, zone_for
from portal.models.base import Base
from question_bank import Graded, Question, scheduling, statistics

ROWS_AT_ONCE = 60
"""SQLite takes a limited number of values in one statement."""

WITH_PARTS = frozenset({"ordering", "matching", "cloze", "open", "code"})
"""Kinds whose feedback speaks of each part of the answer."""

TallyKey = tuple[str, str, str]
"""Question id, content hash, variant."""
CountKey = tuple[str, str, str, str, str]
"""Question id, content hash, variant, what, key."""


@dataclass(frozen=True, slots=True)
class Encounter:
    """One graded answer of a learner."""

    question: Question
    graded: Graded
    at: datetime
    seconds: float | None = None
    """None when it was not measured, as in a quiz."""
    variant: str = ""


@dataclass
class Sums:
    """Sums that wait to be added to the database."""

    tallies: dict[TallyKey, statistics.Tally]
    counts: dict[CountKey, statistics.OptionCount]

    @classmethod
    def empty(cls) -> Sums:
        """Nothing yet."""
        return cls({}, {})

    def add(self, encounter: Encounter, rest: float | None, *, counted: bool) -> None:
        """Add one answer of a learner with this mean on other questions."""
        question = encounter.question
        where = (question.id, question.content_hash, encounter.variant)
        one = statistics.tally(encounter.graded.fraction, rest, counted=counted)
        self.tallies[where] = self.tallies.get(where, statistics.Tally()) + one
        if not counted:
            return
        for key in chosen_keys(question.kind, encounter.graded):
            self._count((*where, CountOf.OPTION, key), rest)
        if encounter.seconds is not None and encounter.seconds <= statistics.MAX_SECONDS:
            self._count((*where, CountOf.SECONDS, str(statistics.bucket_of(encounter.seconds))), rest)

    def _count(self, where: CountKey, rest: float | None) -> None:
        one = statistics.OptionCount(where[4], 1, int(rest is not None), rest or 0.0)
        known = self.counts.get(where)
        self.counts[where] = known + one if known else one

    def write(self, db: Session) -> None:
        """Add them to what the database has; two requests at once lose nothing."""
        fields = statistics.Tally.__slots__
        _add_up(
            db,
            ItemTally,
            [
                dict(zip(("question_id", "content_hash", "variant"), where, strict=True))
                | {name: getattr(sums, name) for name in fields}
                for where, sums in sorted(self.tallies.items())
            ],
            fields,
        )
        names = ("question_id", "content_hash", "variant", "what", "key")
        _add_up(
            db,
            ItemCount,
            [
                dict(zip(names, map(str, where), strict=True))
                | {"count": one.chosen, "rested": one.rested, "rest": one.rest}
                for where, one in sorted(self.counts.items())
            ],
            ("count", "rested", "rest"),
        )


class Recorder:
    """Records answers of one database session."""

    def __init__(self, db: Session) -> None:
        self.db = db

    def record(self, user_id: int, encounters: Sequence[Encounter]) -> list[scheduling.Rating]:
        """Move the memories and add to the sums; the ratings, one an answer, in the same order."""
        if not encounters:
            return []
        # One learner's answers are taken one after another, also from two browsers; SQLite, which has no such lock,
        # has one writer at a time, and whoever answers has written before.
        self.db.execute(select(User.id).where(User.id == user_id).with_for_update())
        cards = {
            card.question_id: card
            for card in self.db.scalars(select(ReviewCard).where(ReviewCard.user_id == user_id))
        }
        wish = self.db.get(PracticeSetting, user_id)
        retention = wish.retention if wish is not None else scheduling.RETENTION_DEFAULT
        sums, zone = Sums.empty(), zone_for(self.db, user_id)
        ratings = [meet(cards, user_id, encounter, retention, sums, zone) for encounter in encounters]
        for card in cards.values():
            self.db.add(card)  # new ones; those that were read are in the session already
        self.db.flush()
        sums.write(self.db)
        return ratings


def meet(
    cards: dict[str, ReviewCard],
    user_id: int,
    encounter: Encounter,
    retention: float,
    sums: Sums,
    zone: tzinfo,
) -> scheduling.Rating:
    """Let one answer move the learner's card of that question, which is made if need be, and add it to `sums`.

    `cards` are all cards of the learner by question id, before the answer; `zone` is where the learner's days begin.
    """
    question, graded = encounter.question, encounter.graded
    rating = scheduling.rate(graded.fraction, seconds=encounter.seconds, expected=question.seconds)
    card = _card_of(cards, question)
    counted = card is None or card.content_hash != question.content_hash
    shown = {other: one.first_fraction for other, one in cards.items()}
    sums.add(encounter, statistics.rest_of(shown, card.question_id if card else question.id), counted=counted)
    memory = scheduling.review(memory_of(card) if card else None, rating, at=encounter.at, retention=retention)
    if card is None:
        card = ReviewCard(
            user_id=user_id,
            question_id=question.id,
            reviews=0,
            lapses=0,
            first_right_at=None,
            right_again_at=None,
            created_at=encounter.at,
        )
        cards[question.id] = card
    keep(card, memory)
    card.reviews += 1
    card.lapses += int(rating is scheduling.Rating.AGAIN)
    card.last_fraction = graded.fraction
    if counted:
        card.content_hash, card.first_fraction = question.content_hash, graded.fraction
    if graded.correct:
        if card.first_right_at is None:
            card.first_right_at = encounter.at
        elif card.right_again_at is None and day_in(zone, encounter.at) > day_in(zone, card.first_right_at):
            card.right_again_at = encounter.at
    return rating


def memory_of(card: ReviewCard) -> scheduling.Memory:
    """A card's row as the scheduler takes it."""
    return scheduling.Memory(
        state=scheduling.State(card.state),
        step=card.step,
        stability=card.stability,
        difficulty=card.difficulty,
        due=card.due,
        last_review=card.last_review,
    )


def keep(card: ReviewCard, memory: scheduling.Memory) -> None:
    """Store what the scheduler made of a card."""
    card.state, card.step = int(memory.state), memory.step
    card.stability, card.difficulty = memory.stability, memory.difficulty
    card.due, card.last_review = memory.due, memory.last_review


def chosen_keys(kind: str, graded: Graded) -> Iterable[str]:
    """What is counted of an answer: the options that were chosen; of one with parts, the parts that went wrong; of
    a typed one, how it did.
    """
    if not graded.answered:
        return ("blank",)
    if kind in WITH_PARTS:
        return sorted({feedback.key[:40] for feedback in graded.feedback if not feedback.right})
    chosen = [feedback for feedback in graded.feedback if feedback.chosen]
    if any(feedback.key for feedback in chosen):
        return sorted({feedback.key[:40] for feedback in chosen if feedback.key})
    if graded.correct:
        return ("right",)
    return ("foreseen",) if any(feedback.comment for feedback in chosen) else ("unforeseen",)


def _card_of(cards: Mapping[str, ReviewCard], question: Question) -> ReviewCard | None:
    """The learner's card of the question, or of one that it replaces: the newest of them."""
    found = [card for name in (question.id, *question.replaces) if (card := cards.get(name)) is not None]
    return max(found, key=lambda card: card.last_review, default=None)


def _add_up(db: Session, model: type[Base], rows: list[dict[str, Any]], sums: Iterable[str]) -> None:
    """Insert rows; add the columns `sums` where there is a row with that key already."""
    table = model.__table__
    insert = postgresql.insert if db.get_bind().dialect.name == "postgresql" else sqlite.insert
    names = tuple(sums)
    for start in range(0, len(rows), ROWS_AT_ONCE):
        statement = insert(table).values(rows[start : start + ROWS_AT_ONCE])  # type: ignore[arg-type]
        db.execute(
            statement.on_conflict_do_update(
                index_elements=[column.name for column in table.primary_key.columns],  # type: ignore[attr-defined]
                set_={name: table.c[name] + statement.excluded[name] for name in names},
            )
        )
