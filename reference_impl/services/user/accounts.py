"""Accounts: registration, sign-in, passwords, roles.

Hashing a password takes its time, so it happens between transactions, never inside one: SQLite has one writer, and a
connection to PostgreSQL is not to wait for a processor.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session as Connection

from reference_impl.services.user import metrics, throttle
from reference_impl.services.user.events import (
    PasswordChanged,
    PasswordResetRequested,
    RolesChanged,
    UserRegistered,
)
from reference_impl.services.user.models import PasswordReset, User
from reference_impl.services.user.secrets import Passwords, digest, new_token
from reference_impl.services.user.sessions import Refreshed, Sessions
from reference_impl.services.user.settings import UserSettings
from reference_impl.shared.auth import Role
from reference_impl.shared.database import Database
from reference_impl.shared.events import now
from reference_impl.shared.outbox import Outbox
from reference_impl.shared.problems import Problem

RESET_PREFIX = "mpr"
RESETS = 3
"""Free password resets of one address in an hour; then the waits begin."""


@dataclass(frozen=True)
class Accounts:
    """What can be done with accounts; each method is a use case with transactions of its own."""

    database: Database
    outbox: Outbox
    passwords: Passwords
    settings: UserSettings
    clock: Callable[[], datetime] = now

    def register(self, *, email: str, name: str, password: str) -> User:
        """A new customer. Raises Problem 409 when the address is taken."""
        hashed = self.passwords.hash(password)
        user = User(email=email.lower(), name=name, password_hash=hashed, roles=[Role.CUSTOMER.value])
        try:
            with self.database.write() as session:
                session.add(user)
                session.flush()
                payload = UserRegistered(user_id=user.id, email=user.email, name=user.name)
                self.outbox.add(session, payload, key=user.id)
        except IntegrityError as error:
            raise Problem(
                409, "email-taken", "This address has an account", "Sign in, or ask for a new password."
            ) from error
        metrics.REGISTRATIONS.inc()
        return user

    def sign_in(self, *, email: str, password: str, address: str, device: str) -> Refreshed:
        """A new session. Raises Problem 401 and 429, which tell nobody whether there is such an account."""
        allowances = throttle.sign_in(email.lower(), address)
        with self.database.write() as session:
            wait = throttle.admit(session, allowances, self.clock())
            user = session.scalar(select(User).where(User.email == email.lower()))
        if wait:
            metrics.SIGN_INS.labels("throttled").inc()
            raise Problem(
                429, "too-many-attempts", "Too many attempts", f"Try again in {wait} seconds."
            ).with_headers({"Retry-After": str(wait)})
        if not self.passwords.verify(user.password_hash if user else None, password) or user is None:
            metrics.SIGN_INS.labels("refused").inc()
            raise Problem(
                401, "sign-in-failed", "Sign-in failed", "The address or the password is wrong."
            ).with_headers({"WWW-Authenticate": "Bearer"})
        fresh = self.passwords.hash(password) if self.passwords.outdated(user.password_hash) else None
        with self.database.write() as session:
            user = session.scalars(select(User).where(User.id == user.id)).one()
            throttle.forgive(session, allowances)
            if fresh is not None:
                user.password_hash = fresh
            opened = Sessions(session, self.outbox, self.settings, self.clock).open(user, device)
        metrics.SIGN_INS.labels("accepted").inc()
        return opened

    def request_reset(self, email: str) -> None:
        """Send a token to this address if it has an account; nobody learns whether it has. Nothing happens beyond the limit."""
        token, at = new_token(RESET_PREFIX), self.clock()
        expires = at + timedelta(seconds=self.settings.reset_seconds)
        with self.database.write() as session:
            allowed = throttle.admit(session, [throttle.Allowance("reset", email.lower(), RESETS)], at) == 0
            user = session.scalar(select(User).where(User.email == email.lower()).with_for_update())
            if user is None or not allowed:
                metrics.PASSWORD_RESETS.labels("unknown" if user is None else "throttled").inc()
                return
            session.merge(PasswordReset(user_id=user.id, hash=digest(token), expires_at=expires))
            payload = PasswordResetRequested(user_id=user.id, email=user.email, token=token, expires_at=expires)
            self.outbox.add(session, payload, key=user.id)
        metrics.PASSWORD_RESETS.labels("requested").inc()

    def reset(self, *, token: str, password: str) -> None:
        """Set a new password and end every session. Raises Problem 422 for a token that is unknown, used or too old."""
        with self.database.read() as session:
            known = self._pending(session, token) is not None
        # Only a token that may be good is worth a hash; used twice at once, the second finds it gone below.
        hashed = self.passwords.hash(password) if known else ""
        with self.database.write() as session:
            user_id = session.scalar(
                delete(PasswordReset)
                .where(PasswordReset.hash == digest(token), PasswordReset.expires_at > self.clock())
                .returning(PasswordReset.user_id)
            )
            if user_id is not None and hashed:
                user = session.scalars(select(User).where(User.id == user_id)).one()
                user.password_hash = hashed
                Sessions(session, self.outbox, self.settings, self.clock).end(user.id)
                throttle.forgive(session, [throttle.account(user.email)])
                self.outbox.add(session, PasswordChanged(user_id=user.id, email=user.email), key=user.id)
        if user_id is None or not hashed:
            metrics.PASSWORD_RESETS.labels("refused").inc()
            detail = "It was used, has expired, or was replaced by a newer one. Ask for another."
            raise Problem(422, "reset-token-invalid", "This token sets no password", detail)
        metrics.PASSWORD_RESETS.labels("done").inc()

    def set_roles(self, user_id: str, roles: Collection[Role]) -> User:
        """Give somebody exactly these roles. Raises Problem 404."""
        with self.database.write() as session:
            user = self.get(session, user_id)
            wanted = sorted(role.value for role in set(roles))
            if user.roles != wanted:
                user.roles = wanted
                self.outbox.add(session, RolesChanged(user_id=user.id, roles=wanted), key=user.id)
        return user

    def prune(self) -> None:
        """Forget what has expired."""
        with self.database.write() as session:
            session.execute(delete(PasswordReset).where(PasswordReset.expires_at < self.clock()))
            Sessions(session, self.outbox, self.settings, self.clock).prune()
            throttle.prune(session)

    @staticmethod
    def get(session: Connection, user_id: str) -> User:
        """One user. Raises Problem 404."""
        user = session.scalar(select(User).where(User.id == user_id))
        if user is None:
            raise Problem(404, "unknown-user", "There is no such user", f"{user_id} has no account.")
        return user

    def _pending(self, session: Connection, token: str) -> PasswordReset | None:
        return session.scalar(
            select(PasswordReset).where(
                PasswordReset.hash == digest(token), PasswordReset.expires_at > self.clock()
            )
        )
