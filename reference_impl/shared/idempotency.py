"""`Idempotency-Key`: a request that is sent twice takes effect once and is answered twice with the same body.

The key is stored in the transaction of the effect. A request that failed stores nothing, so it may be sent again.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Annotated, TypeVar

from fastapi import Header, Response
from pydantic import BaseModel
from sqlalchemy import JSON, Column, MetaData, String, Table, delete, select, update
from sqlalchemy.orm import Session

from reference_impl.shared.database import UtcDateTime, insert_into
from reference_impl.shared.events import now
from reference_impl.shared.problems import Problem

KEPT = timedelta(hours=24)
PRUNE_EVERY = 100
"""One of so many requests removes what is older than that; until then it lies there and counts no more."""
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
    _uses: Iterator[int] = field(default_factory=itertools.count)

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

        Raises Problem 422 when the key was used for another request.
        """
        if key is None:
            return act(), False
        table = self.table
        fingerprint = hashlib.sha256(request.model_dump_json().encode()).hexdigest()
        mine = (table.c.scope == scope, table.c.key == key)
        if not self._claim(session, scope, key, fingerprint):
            known = session.execute(select(table.c.fingerprint, table.c.answer).where(*mine)).one()
            if known.fingerprint != fingerprint:
                raise Problem(
                    422,
                    "idempotency-key-reused",
                    "This Idempotency-Key belongs to another request",
                    "Use a new key for a new intent; send the same body when you retry.",
                )
            return answer.model_validate(known.answer), True
        result = act()
        session.execute(update(table).where(*mine).values(answer=result.model_dump(mode="json")))
        if next(self._uses) % PRUNE_EVERY == 0:
            session.execute(delete(table).where(table.c.created_at < now() - KEPT))
        return result, False

    def _claim(self, session: Session, scope: str, key: str, fingerprint: str) -> bool:
        """Whether this key is new, or so old that it counts no more; it is then taken until the transaction ends.

        Of a request sent twice at the same moment the second waits here, and finds the answer to the first.
        """
        table, at = self.table, now()
        taken = {"fingerprint": fingerprint, "answer": None, "created_at": at}
        claim = (
            insert_into(session, table)
            .values(scope=scope, key=key, **taken)
            .on_conflict_do_update(
                index_elements=[table.c.scope, table.c.key], set_=taken, where=table.c.created_at < at - KEPT
            )
        )
        return session.scalar(claim.returning(table.c.key)) is not None


def mark(response: Response, replayed: bool) -> None:
    """Say in the answer's headers that nothing happened this time."""
    if replayed:
        response.headers[REPLAYED_HEADER] = "true"
