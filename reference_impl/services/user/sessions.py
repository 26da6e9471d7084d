"""Sessions and their refresh tokens. A refresh token works once and is answered with its successor.

When one comes a second time, either the client lost our answer or two parties hold the same session. The first is forgiven
for `refresh_grace_seconds`, as long as the successor that the client lost was not used; that successor is then retired. All
else ends the session. So a thief and the owner can't both go on: whoever comes second with a used or retired token ends it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session as Connection

from reference_impl.services.user import metrics
from reference_impl.services.user.events import RefreshTokenReused
from reference_impl.services.user.models import RefreshToken, Session, TokenState, User
from reference_impl.services.user.secrets import digest, new_token
from reference_impl.services.user.settings import UserSettings
from reference_impl.shared import logs
from reference_impl.shared.events import now
from reference_impl.shared.outbox import Outbox

PREFIX = "mrt"
_log = logs.logger("meridian.user")


@dataclass(frozen=True)
class Refreshed:
    """A session that goes on, with its new refresh token."""

    user: User
    session: Session
    token: str


class Sessions:
    """The sessions, within one transaction of the caller's."""

    def __init__(
        self,
        connection: Connection,
        outbox: Outbox,
        settings: UserSettings,
        clock: Callable[[], datetime] = now,
    ) -> None:
        self._connection = connection
        self._outbox = outbox
        self._settings = settings
        self._now = clock()

    def open(self, user: User, device: str) -> Refreshed:
        """Begin a session."""
        ends = self._now + timedelta(seconds=self._settings.session_seconds)
        session = Session(
            user_id=user.id, device=device[:200], created_at=self._now, used_at=self._now, expires_at=ends
        )
        self._connection.add(session)
        self._connection.flush()
        return Refreshed(user, session, self._issue(session))

    def refresh(self, token: str) -> Refreshed | None:
        """Go on with a session; None when the token is not accepted. The caller commits either way: a reuse ends the session."""
        found = self._connection.execute(
            select(RefreshToken.session_id).where(RefreshToken.hash == digest(token))
        ).scalar()
        if found is None:
            metrics.REFRESHES.labels("refused").inc()
            return None
        # The session's row is the lock of its family: of two uses at once, the second sees what the first has done.
        session = self._connection.get_one(Session, found, with_for_update=True)
        held = self._connection.get_one(RefreshToken, digest(token))
        user = self._connection.scalars(select(User).where(User.id == session.user_id)).one()
        over = session.revoked_at is not None or session.expires_at <= self._now
        # Of a used one the age is no matter: who shows it shares the session with somebody, also after a long holiday.
        if over or (held.state is TokenState.ACTIVE and held.expires_at <= self._now):
            metrics.REFRESHES.labels("refused").inc()
            return None
        if held.state is TokenState.ACTIVE:
            metrics.REFRESHES.labels("rotated").inc()
            return self._rotate(user, session, held)
        if self._lost(held):
            metrics.REFRESHES.labels("repeated").inc()
            return self._rotate(user, session, held)
        self._end_reused(user, session)
        return None

    def of(self, user_id: str) -> list[Session]:
        """The sessions of a user that go on, latest first."""
        query = (
            select(Session)
            .where(Session.user_id == user_id, Session.revoked_at.is_(None), Session.expires_at > self._now)
            .order_by(Session.used_at.desc(), Session.id)
            .limit(100)
        )
        return list(self._connection.scalars(query))

    def end(self, user_id: str, session_id: str | None = None) -> int:
        """End one session of this user, or all; how many that were."""
        query = update(Session).where(Session.user_id == user_id, Session.revoked_at.is_(None))
        if session_id is not None:
            query = query.where(Session.id == session_id)
        ended = self._connection.scalars(query.values(revoked_at=self._now).returning(Session.id)).all()
        return len(ended)

    def end_by_token(self, token: str) -> None:
        """End the session that a refresh token belongs to, if there is one; whoever holds the token may."""
        found = self._connection.scalar(
            select(RefreshToken.session_id).where(RefreshToken.hash == digest(token))
        )
        if found is not None:
            self._connection.execute(
                update(Session)
                .where(Session.id == found, Session.revoked_at.is_(None))
                .values(revoked_at=self._now)
            )

    def prune(self) -> None:
        """Forget sessions that ended a week ago, and their tokens, which are refused before and after."""
        old = self._now - timedelta(days=7)
        ended = select(Session.id).where((Session.expires_at < old) | (Session.revoked_at < old))
        self._connection.execute(delete(RefreshToken).where(RefreshToken.session_id.in_(ended)))
        self._connection.execute(delete(Session).where(Session.id.in_(ended)))

    def _lost(self, held: RefreshToken) -> bool:
        """Whether the answer to its first use was, it seems, lost."""
        if held.state is not TokenState.ROTATED or held.rotated_at is None or held.successor is None:
            return False
        grace = timedelta(seconds=self._settings.refresh_grace_seconds)
        successor = self._connection.get_one(RefreshToken, held.successor)
        # Of two uses at once the one that waited for the other may have come first.
        age = max(timedelta(0), self._now - held.rotated_at)
        return successor.state is TokenState.ACTIVE and age < grace

    def _rotate(self, user: User, session: Session, held: RefreshToken) -> Refreshed:
        if held.successor is not None:
            self._connection.get_one(RefreshToken, held.successor).state = TokenState.RETIRED
        else:
            held.state, held.rotated_at = TokenState.ROTATED, self._now
        token = self._issue(session)
        held.successor = digest(token)
        session.used_at = self._now
        return Refreshed(user, session, token)

    def _issue(self, session: Session) -> str:
        token = new_token(PREFIX)
        ends = min(self._now + timedelta(seconds=self._settings.refresh_seconds), session.expires_at)
        self._connection.add(RefreshToken(hash=digest(token), session_id=session.id, expires_at=ends))
        self._connection.flush()
        return token

    def _end_reused(self, user: User, session: Session) -> None:
        session.revoked_at = self._now
        metrics.REFRESHES.labels("reused").inc()
        _log.warning("refresh token reused; session ended", user_id=user.id, session_id=session.id)
        payload = RefreshTokenReused(user_id=user.id, email=user.email, session_id=session.id)
        self._outbox.add(self._connection, payload, key=user.id)
