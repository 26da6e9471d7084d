"""Dead letters: events that a service gave up on, in its own database, until somebody replays or discards them.

    delivered ──► handled
         └──► parked ──► replayed: handed to the same handler again; gone when it succeeds, else kept with the new error
                   └──► discarded

An event is parked once, however often it is delivered. Replaying one that took effect meanwhile changes nothing, because the
inbox knows it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Protocol

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from sqlalchemy import JSON, Column, Integer, MetaData, Row, String, Table, delete, select
from sqlalchemy.orm import Session

from reference_impl.shared.database import UtcDateTime, insert_into
from reference_impl.shared.events import Event, new_id, now
from reference_impl.shared.problems import Problem, responses
from reference_impl.shared.types import IdentifierPath

LONGEST_ERROR = 2_000

Limit = Annotated[int, Query(ge=1, le=500, description="How many to return at most.")]


class DeadLetter(BaseModel):
    """An event that one consumer gave up on."""

    id: str
    consumer: Annotated[str, Field(description="The service that could not handle it.")]
    error: str
    attempts: Annotated[int, Field(description="How often it was parked or replayed in vain.")]
    parked_at: datetime
    event: Event


@dataclass(frozen=True)
class DeadLetters:
    """The dead letters of one service, as a table in its own database."""

    table: Table

    @classmethod
    def on(cls, metadata: MetaData) -> DeadLetters:
        """Declare the table among the service's own."""
        table = Table(
            "dead_letters",
            metadata,
            Column("number", Integer, primary_key=True, autoincrement=True),
            Column("id", String(32), nullable=False, unique=True),
            Column("event_id", String(64), nullable=False, unique=True),
            Column("event", JSON, nullable=False),
            Column("error", String(LONGEST_ERROR), nullable=False),
            Column("attempts", Integer, nullable=False),
            Column("parked_at", UtcDateTime, nullable=False),
        )
        return cls(table)

    def park(self, session: Session, event: Event, error: str) -> None:
        """Keep an event that can't be handled; one that is here already gets the newer error."""
        table = self.table
        row = {
            "id": new_id(),
            "event_id": event.id,
            "event": event.model_dump(mode="json"),
            "error": error[:LONGEST_ERROR],
            "attempts": 1,
            "parked_at": now(),
        }
        newer = {"error": error[:LONGEST_ERROR], "attempts": table.c.attempts + 1}
        session.execute(
            insert_into(session, table)
            .values(**row)
            .on_conflict_do_update(index_elements=[table.c.event_id], set_=newer)
        )

    def page(self, session: Session, consumer: str, limit: int) -> list[DeadLetter]:
        """The oldest ones."""
        query = select(self.table).order_by(self.table.c.number).limit(limit)
        return [_letter(row, consumer) for row in session.execute(query)]

    def find(self, session: Session, consumer: str, letter_id: str) -> DeadLetter | None:
        """One of them."""
        row = session.execute(select(self.table).where(self.table.c.id == letter_id)).one_or_none()
        return None if row is None else _letter(row, consumer)

    def remove(self, session: Session, letter_id: str) -> bool:
        """Forget one; whether it was there."""
        query = delete(self.table).where(self.table.c.id == letter_id).returning(self.table.c.id)
        return session.scalar(query) is not None


class Keeper(Protocol):
    """Who keeps dead letters and can hand them to their handler again: a consumer."""

    def parked(self, limit: int) -> list[DeadLetter]:
        """The oldest ones."""

    def replay(self, letter_id: str) -> bool:
        """Handle one again; whether it was known. Raises Problem 409 when it fails again."""

    def discard(self, letter_id: str) -> bool:
        """Forget one; whether it was known."""


def oldest(keepers: Sequence[Keeper], limit: int) -> list[DeadLetter]:
    """The oldest dead letters of all of them."""
    found = [letter for keeper in keepers for letter in keeper.parked(limit)]
    return sorted(found, key=lambda letter: letter.parked_at)[:limit]


def router(keepers: Sequence[Keeper]) -> APIRouter:
    """The dead letters of the services of one process over HTTP."""
    routes = APIRouter(prefix="/dead-letters", tags=["dead letters"])

    @routes.get("", summary="Events that a consumer gave up on, oldest first", responses=responses(422))
    def list_dead_letters(limit: Limit = 100) -> list[DeadLetter]:
        return oldest(keepers, limit)

    @routes.post(
        "/{letter_id}/replay",
        status_code=204,
        summary="Handle a dead letter again",
        description="It is gone when its handler succeeds. 409 when it fails again; the letter then keeps the new error.",
        responses=responses(404, 409, 422),
    )
    def replay_dead_letter(letter_id: IdentifierPath) -> None:
        if not any(keeper.replay(letter_id) for keeper in keepers):
            raise _unknown(letter_id)

    @routes.delete(
        "/{letter_id}", status_code=204, summary="Discard a dead letter", responses=responses(404, 422)
    )
    def discard_dead_letter(letter_id: IdentifierPath) -> None:
        if not any(keeper.discard(letter_id) for keeper in keepers):
            raise _unknown(letter_id)

    return routes


def _letter(row: Row[tuple[object, ...]], consumer: str) -> DeadLetter:
    return DeadLetter(
        id=row.id,
        consumer=consumer,
        error=row.error,
        attempts=row.attempts,
        parked_at=row.parked_at,
        event=Event.model_validate(row.event),
    )


def _unknown(letter_id: str) -> Problem:
    detail = f"{letter_id} is none, or was replayed or discarded: GET /dead-letters lists what is left."
    return Problem(404, "unknown-dead-letter", "There is no such dead letter", detail)
