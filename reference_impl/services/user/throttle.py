"""How often one may guess. It counts what is tried, not who exists: an address without an account is throttled the same way.

An attempt is counted before it is looked at, and forgotten when it was right: a hundred guesses at once are a hundred.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import ceil

from sqlalchemy import delete
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from reference_impl.services.user.models import Attempts
from reference_impl.shared.events import now

FORGOTTEN = timedelta(hours=1)
"""So long nothing must be tried for the count to begin anew."""
LONGEST_BLOCK_SECONDS = 900
NEVER = datetime(1970, 1, 1, tzinfo=UTC)
"""Until when that is blocked which was not tried before. Not until its first attempt: one that arrived a moment earlier
may find the row of it, and the time of another process may be a little behind."""


@dataclass(frozen=True)
class Allowance:
    """Something that is tried, and how often that is free; each try beyond doubles the wait, from one second on."""

    kind: str
    value: str
    free: int

    @property
    def key(self) -> str:
        """What stands in the table."""
        return hashlib.sha256(f"{self.kind}|{self.value}".encode()).hexdigest()


def sign_in(email: str, address: str) -> list[Allowance]:
    """Five tries for one account from one address, and more in all, so that a stranger does not lock the owner out at once."""
    return [Allowance("account-from", f"{email}|{address}", 5), account(email)]


def account(email: str) -> Allowance:
    """Tries for one account from anywhere. Who sets a new password by mail is the owner, and begins anew."""
    return Allowance("account", email, 50)


def admit(session: Session, allowances: Sequence[Allowance], at: datetime | None = None) -> int:
    """Count one attempt; 0 when it may go on, else the seconds to wait. What is blocked is not counted again."""
    at = at or now()
    # In the order of their keys, so that two attempts that share some of them can't lock each other out.
    ordered = sorted(allowances, key=lambda allowance: allowance.key)
    rows = [_row(session, allowance.key, at) for allowance in ordered]
    wait = max((row.blocked_until - at).total_seconds() for row in rows)
    if wait > 0:
        return ceil(wait)
    for allowance, row in zip(ordered, rows, strict=True):
        row.count, row.last_at = row.count + 1, at
        excess = row.count - allowance.free
        if excess >= 0:
            row.blocked_until = at + timedelta(seconds=min(2 ** min(excess, 16), LONGEST_BLOCK_SECONDS))
    session.flush()
    return 0


def forgive(session: Session, allowances: Sequence[Allowance]) -> None:
    """It was right: begin anew."""
    session.execute(delete(Attempts).where(Attempts.key.in_([allowance.key for allowance in allowances])))


def prune(session: Session) -> None:
    """Forget what was tried long ago."""
    old = now() - FORGOTTEN
    session.execute(delete(Attempts).where(Attempts.last_at < old, Attempts.blocked_until < now()))


def _row(session: Session, key: str, at: datetime) -> Attempts:
    row = session.get(Attempts, key, with_for_update=True)
    if row is None:
        try:
            with session.begin_nested():
                row = Attempts(key=key, count=0, last_at=at, blocked_until=NEVER)
                session.add(row)
        except IntegrityError:  # somebody else tried the same for the first time just now
            row = session.get_one(Attempts, key, with_for_update=True)
    if row.last_at < at - FORGOTTEN and row.blocked_until <= at:
        row.count = 0
    return row
