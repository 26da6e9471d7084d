"""What the worker says of itself, for the pages."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, String
from sqlalchemy.orm import Mapped, mapped_column

from portal.models.base import Base, UtcDateTime, utcnow


class WorkerStatus(Base):
    """One row: which driver runs the labs here and why, and when the worker last said so."""

    __tablename__ = "worker_status"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """Always 1."""
    driver: Mapped[str] = mapped_column(String(16), default="")
    isolated: Mapped[bool] = mapped_column(default=False)
    reason: Mapped[str] = mapped_column(String(500), default="")
    """Why this driver was chosen, or what is missing when there is none."""
    places: Mapped[int] = mapped_column(default=0)
    """How many sandboxes of learners may run at once; 0 before the worker said so."""
    heartbeat_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    sandboxes: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True), deferred=True)
    """What runs, as `portal.reports.SandboxesReport` writes it; None before the worker looked."""
    pool: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True), deferred=True)
    """What waits, as `portal.reports.PoolReport` writes it; None when no pool is kept."""
    checks: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True), deferred=True)
    """What works here, as `portal.reports.ChecksReport` writes it; None before the worker looked."""
