"""People: learners, instructors, admins."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

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
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)

    # What Flask-Login asks of a user.
    is_authenticated = True
    is_anonymous = False

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
