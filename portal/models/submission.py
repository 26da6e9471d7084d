"""What a learner handed in, and what the grader said of it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, LargeBinary, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.models.base import Base, UtcDateTime, utcnow


class SubmissionKind(StrEnum):
    """A check is provisional, a submission counts."""

    CHECK = "check"
    SUBMIT = "submit"


class SubmissionState(StrEnum):
    """QUEUED ─► RUNNING ─► GRADED, or ERROR when our side failed for good; a job that died goes back to QUEUED."""

    QUEUED = "queued"
    RUNNING = "running"
    GRADED = "graded"
    ERROR = "error"


PENDING_STATES = (SubmissionState.QUEUED, SubmissionState.RUNNING)
_PENDING_SQL = "state IN ('queued', 'running')"


class Submission(Base):
    """One check or submission. It is a row before it is a job: a job that died is run again from the row."""

    __tablename__ = "submissions"
    __table_args__ = (
        Index(
            "uq_submissions_pending",
            "user_id",
            "lab_id",
            unique=True,
            sqlite_where=text(_PENDING_SQL),
            postgresql_where=text(_PENDING_SQL),
        ),
        Index("ix_submissions_user_id_lab_id", "user_id", "lab_id"),
        Index("ix_submissions_state", "state"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    lab_id: Mapped[str] = mapped_column(String(80))
    kind: Mapped[str] = mapped_column(String(8))
    state: Mapped[str] = mapped_column(String(8), default=SubmissionState.QUEUED)
    seed: Mapped[int]
    """Draws the hidden inputs; kept so that the grade can be repeated."""
    notebook: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)
    """The notebook as handed in; taken from the workspace by the first run of the job, and never again."""
    notebook_sha256: Mapped[str | None] = mapped_column(String(64))
    content_hash: Mapped[str] = mapped_column(String(64))
    """Hash of the lab's content when it was handed in."""
    run_token: Mapped[str | None] = mapped_column(String(32))
    """Which run owns the row; a run that lost it must not write a result."""
    runs: Mapped[int] = mapped_column(default=0)
    heartbeat_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    score: Mapped[int] = mapped_column(default=0)
    """Points earned."""
    max_score: Mapped[int] = mapped_column(default=0)
    notebook_status: Mapped[str] = mapped_column(String(32), default="")
    notebook_message: Mapped[str] = mapped_column(Text, default="")
    report: Mapped[dict[str, Any] | None] = mapped_column(JSON, deferred=True)
    """The grader's report, schema 1; with the executed notebook as `executed` until that has been rendered."""
    executed_html: Mapped[str | None] = mapped_column(Text, deferred=True)
    """The executed notebook, rendered and sanitised; at most 2 MB. None until it has been rendered."""
    error: Mapped[str] = mapped_column(String(500), default="")
    """For the learner, when our side failed."""

    results: Mapped[list[TaskResult]] = relationship(
        back_populates="submission", lazy="raise", cascade="all, delete-orphan", order_by="TaskResult.position"
    )


class TaskResult(Base):
    """What one submission earned on one task. Progress is counted from these rows."""

    __tablename__ = "task_results"
    __table_args__ = (Index("ix_task_results_task_id_status", "task_id", "status"),)

    submission_id: Mapped[int] = mapped_column(
        ForeignKey("submissions.id", ondelete="CASCADE"), primary_key=True
    )
    task_id: Mapped[str] = mapped_column(String(80), primary_key=True)
    position: Mapped[int] = mapped_column(default=0)
    points: Mapped[int]
    earned: Mapped[int]
    status: Mapped[str] = mapped_column(String(16))
    """passed, failed or error."""
    message: Mapped[str] = mapped_column(Text, default="")

    submission: Mapped[Submission] = relationship(back_populates="results", lazy="raise")
