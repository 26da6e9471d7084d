"""The answers to a question in sums, so that no page has to read the answers themselves."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from portal.models.base import Base


class ItemTally(Base):
    """Sums over the answers to one variant of one version of a question: `question_bank.statistics.Tally`."""

    __tablename__ = "item_tallies"

    question_id: Mapped[str] = mapped_column(String(120), primary_key=True)
    content_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    variant: Mapped[str] = mapped_column(String(80), primary_key=True)
    """Empty for a question without parameters."""
    answers: Mapped[int]
    counted: Mapped[int]
    correct: Mapped[int]
    x: Mapped[float]
    pairs: Mapped[int]
    px: Mapped[float]
    py: Mapped[float]
    pxx: Mapped[float]
    pyy: Mapped[float]
    pxy: Mapped[float]


class CountOf(StrEnum):
    """What is counted apart."""

    OPTION = "option"
    """An option that was chosen, or how a typed answer did."""
    SECONDS = "seconds"
    """A bucket of answer times."""


class ItemCount(Base):
    """How often something happened among the counted answers to one variant of one version of a question."""

    __tablename__ = "item_counts"

    question_id: Mapped[str] = mapped_column(String(120), primary_key=True)
    content_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    variant: Mapped[str] = mapped_column(String(80), primary_key=True)
    what: Mapped[str] = mapped_column(String(8), primary_key=True)
    key: Mapped[str] = mapped_column(String(40), primary_key=True)
    """The option's key, or the number of the bucket."""
    count: Mapped[int]
    rested: Mapped[int]
    """How many of them are of learners whose rest is known."""
    rest: Mapped[float]
    """The sum of these rests."""
