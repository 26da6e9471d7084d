"""The user service's tables. No secret is stored that could be used as it stands: passwords and tokens are hashes."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import JSON, ForeignKey, Index, String, Text, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from reference_impl.shared.database import UtcDateTime, stored_as_value
from reference_impl.shared.events import new_id, now


class Base(DeclarativeBase):
    """Everything this service owns."""


class User(Base):
    """Somebody with an account."""

    __tablename__ = "users"
    __table_args__ = ({"sqlite_autoincrement": True},)

    number: Mapped[int] = mapped_column(primary_key=True)
    """Position in the list of users; the cursor of its pages."""
    id: Mapped[str] = mapped_column(String(32), unique=True, default=new_id)
    email: Mapped[str] = mapped_column(String(254), unique=True)
    """In lower case: one mailbox, one account."""
    name: Mapped[str] = mapped_column(String(100))
    password_hash: Mapped[str] = mapped_column(String(255))
    roles: Mapped[list[str]] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=now)


class Session(Base):
    """One sign-in on one device, and all refresh tokens that descend from it: a family that lives and dies together."""

    __tablename__ = "sessions"

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    device: Mapped[str] = mapped_column(String(200), default="")
    """What the client says it is (its User-Agent); only to be shown to the user."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    used_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)


class TokenState(StrEnum):
    """What a refresh token is good for::

    active ──used──► rotated ──used again within the grace, successor unused──► rotated (with another successor)
       │                └────used again otherwise──► the whole session is revoked
       └──its predecessor was used again──► retired ──used──► the whole session is revoked
    """

    ACTIVE = "active"
    ROTATED = "rotated"
    RETIRED = "retired"


class RefreshToken(Base):
    """One refresh token by its hash."""

    __tablename__ = "refresh_tokens"

    hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    session_id: Mapped[str] = mapped_column(ForeignKey("sessions.id", ondelete="CASCADE"), index=True)
    state: Mapped[TokenState] = mapped_column(stored_as_value(TokenState), default=TokenState.ACTIVE)
    successor: Mapped[str | None] = mapped_column(String(64), default=None)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    rotated_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)


class PasswordReset(Base):
    """A token that sets a new password, by its hash. The row goes when it is used; a newer one replaces it."""

    __tablename__ = "password_resets"

    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), primary_key=True)
    hash: Mapped[str] = mapped_column(String(64), unique=True)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


class Attempts(Base):
    """How often something was tried lately under one key, such as a sign-in to one account."""

    __tablename__ = "attempts"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    """A hash: the table tells nobody which addresses were tried."""
    count: Mapped[int]
    last_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    blocked_until: Mapped[datetime] = mapped_column(UtcDateTime)


class KeyState(StrEnum):
    """What a signing key is for::

    next ──rotation──► active ──rotation──► previous ──nothing signed by it is valid any more──► deleted
    (published, so that    (signs)             (published, so that what it
     everybody has it)                          signed can be verified)
    """

    NEXT = "next"
    ACTIVE = "active"
    PREVIOUS = "previous"


class SigningKey(Base):
    """A key pair that signs access tokens."""

    __tablename__ = "signing_keys"
    __table_args__ = (
        # Replicas that start together must not make two active keys.
        Index(
            "one_active_and_one_next",
            "state",
            unique=True,
            sqlite_where=text("state IN ('next', 'active')"),
            postgresql_where=text("state IN ('next', 'active')"),
        ),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    """The `kid` of its tokens."""
    state: Mapped[KeyState] = mapped_column(stored_as_value(KeyState))
    private_pem: Mapped[str] = mapped_column(Text)
    public_jwk: Mapped[dict[str, str]] = mapped_column(JSON)
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    """When it came into its state."""


class ApiKey(Base):
    """A key for a program that acts for a user."""

    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(String(32), primary_key=True, default=new_id)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    name: Mapped[str] = mapped_column(String(100))
    prefix: Mapped[str] = mapped_column(String(16), unique=True)
    """The part that may be shown: which key is this?"""
    secret_hash: Mapped[str] = mapped_column(String(64))
    scopes: Mapped[list[str]] = mapped_column(JSON)
    plan: Mapped[str] = mapped_column(String(32))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime, default=None)
