"""People: learners, instructors, admins."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from enum import StrEnum

from sqlalchemy import String
from sqlalchemy.orm import Mapped, Session, mapped_column

from portal.days import ZONE_MAX, zone_of
from portal.models.base import Base, UtcDateTime, utcnow


class Role(StrEnum):
    """What a person may do; each role may do all that the one before it may."""

    LEARNER = "learner"
    INSTRUCTOR = "instructor"
    ADMIN = "admin"


class User(Base):
    """One person with an account."""

    __tablename__ = "users"

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(254), unique=True)
    """Normalised: trimmed, lower case."""
    display_name: Mapped[str] = mapped_column(String(80))
    password_hash: Mapped[str | None] = mapped_column(String(255))
    """Argon2id; None for an account that can sign in by a one-time link only."""
    role: Mapped[str] = mapped_column(String(16), default=Role.LEARNER)
    active: Mapped[bool] = mapped_column(default=True)
    session_epoch: Mapped[int] = mapped_column(default=0)
    """Part of the session's identity: raising it signs the person out everywhere."""
    time_zone: Mapped[str] = mapped_column(String(ZONE_MAX), default="", server_default="")
    """A name of the IANA database; empty until the person's browser, or the person, has told it."""
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    revision: Mapped[int] = mapped_column(default=0, server_default="0")
    """How often this row, or one that belongs to this person, was changed; `portal.revisions` raises it."""

    # What Flask-Login asks of a user.
    is_authenticated = True
    is_anonymous = False

    @property
    def zone(self) -> tzinfo:
        """Where this person's days begin and end; UTC while it isn't known."""
        return zone_of(self.time_zone)

    @property
    def is_active(self) -> bool:
        """Whether the account may sign in."""
        return self.active

    def get_id(self) -> str:
        """The identity kept in the session cookie."""
        return f"{self.id}.{self.session_epoch}"

    def has_role(self, role: Role) -> bool:
        """Whether this person may do what `role` may."""
        order = list(Role)
        return order.index(Role(self.role)) >= order.index(role)


def zone_for(db: Session, user_id: int) -> tzinfo:
    """The zone of that person's days. It takes a statement only when the session hasn't read the account yet."""
    user = db.get(User, user_id)
    return user.zone if user is not None else UTC
