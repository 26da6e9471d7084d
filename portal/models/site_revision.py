"""How often what concerns many people was changed."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from portal.models.base import Base


class Subject(StrEnum):
    """What pages show of many people at once."""

    ANSWERS = "answers"
    """The sums over all answers to a question."""
    DRAFTS = "drafts"
    """Questions that are worked on, with their history and comments."""
    HAND_INS = "hand-ins"
    """What was handed in for activities."""
    PEOPLE = "people"
    """Names."""
    REPORTS = "reports"
    """What learners say is wrong with questions."""


class SiteRevision(Base):
    """The revision of one subject; there is a row for each. `portal.revisions` raises it."""

    __tablename__ = "site_revisions"

    subject: Mapped[str] = mapped_column(String(16), primary_key=True)
    number: Mapped[int]
