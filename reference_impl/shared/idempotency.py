"""`Idempotency-Key`: a request that is sent twice takes effect once and is answered twice with the same body.

The key is stored in the transaction of the effect. A request that failed stores nothing, so it may be sent again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, TypeVar

from fastapi import Header, Response
from pydantic import BaseModel
from sqlalchemy import JSON, Column, MetaData, String, Table, delete, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from reference_impl.shared.database import UtcDateTime, one_after_another
from reference_impl.shared.events import now
from reference_impl.shared.problems import Problem

KEPT = timedelta(hours=24)
REPLAYED_HEADER = "Idempotent-Replayed"

Answer = TypeVar("Answer", bound=BaseModel)

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=128,
        description="Any text that names this intent. The same key within 24 hours takes effect once.",
    ),
]


@dataclass(frozen=True)
class IdempotencyKeys:
    """The keys one service has seen, as a table in its own database."""

    table: Table

    @classmethod
    def on(cls, metadata: MetaData) -> IdempotencyKeys:
        """Declare the table among the service's own."""
        table = Table(
            "idempotency_keys",
            metadata,
            Column("scope", String(80), primary_key=True),
            Column("key", String(128), primary_key=True),
            Column("fingerprint", String(64), nullable=False),
            Column("answer", JSON, nullable=False),
            Column("created_at", UtcDateTime, nullable=False, index=True),
        )
        return cls(table)

    def once(
        self,
        session: Session,
        *,
        scope: str,
        key: str | None,
        request: BaseModel,
        answer: type[Answer],
        act: Callable[[], Answer],
    ) -> tuple[Answer, bool]:
        """The answer to this request, and whether it is a replay.

        Raises Problem 409 when the same request is being worked on elsewhere, 422 when the key was used for another request.
        """
        if key is None:
            return act(), False
        table = self.table
        # Sent twice at the same moment, the second waits here and finds the answer to the first.
        one_after_another(session, f"{scope}|{key}")
        session.execute(delete(table).where(table.c.created_at < now() - KEPT))
        fingerprint = hashlib.sha256(request.model_dump_json().encode()).hexdigest()
        known = session.execute(select(table).where(table.c.scope == scope, table.c.key == key)).one_or_none()
        if known is not None:
            if known.fingerprint != fingerprint:
                raise Problem(
                    422,
                    "idempotency-key-reused",
                    "This Idempotency-Key belongs to another request",
                    "Use a new key for a new intent; send the same body when you retry.",
                )
            return answer.model_validate(known.answer), True
        result = act()
        row = {
            "scope": scope,
            "key": key,
            "fingerprint": fingerprint,
            "answer": result.model_dump(mode="json"),
            "created_at": now(),
        }
        try:
            session.execute(insert(table).values(**row))
        except IntegrityError:
            # The other one has committed while we worked: all that we did in this transaction is undone.
            detail = "Nothing happened twice. Send it again to read the answer."
            raise Problem(409, "request-in-progress", "The same request was being worked on", detail) from None
        return result, False


def mark(response: Response, replayed: bool) -> None:
    """Say in the answer's headers that nothing happened this time."""
    if replayed:
        response.headers[REPLAYED_HEADER] = "true"
