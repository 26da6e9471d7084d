"""Programs that learners hand in to code questions, and what came out when they were run."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ForeignKey, ForeignKeyConstraint, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from portal.models.base import Base, UtcDateTime, utcnow


class RunPurpose(StrEnum):
    """A try runs the examples and counts for nothing; an answer runs all cases."""

    TRY = "try"
    ANSWER = "answer"


class RunState(StrEnum):
    """QUEUED ─► RUNNING ─► DONE, or FAILED when our side could not run it; a run that died begins again."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


RUNS_PENDING = (RunState.QUEUED, RunState.RUNNING)
_PENDING_SQL = "state IN ('queued', 'running')"


class CodeRun(Base):
    """One program to run for one question of a practice session. A learner has one at a time that waits or runs."""

    __tablename__ = "code_runs"
    __table_args__ = (
        ForeignKeyConstraint(
            ["session_id", "position"],
            ["practice_answers.session_id", "practice_answers.position"],
            ondelete="CASCADE",
        ),
        Index(
            "uq_code_runs_pending",
            "user_id",
            unique=True,
            sqlite_where=text(_PENDING_SQL),
            postgresql_where=text(_PENDING_SQL),
        ),
        Index("ix_code_runs_session_id_position", "session_id", "position"),
        Index("ix_code_runs_state_id", "state", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    session_id: Mapped[int]
    position: Mapped[int]
    """The practice answer that it is for."""
    content_hash: Mapped[str] = mapped_column(String(64))
    """Hash of the question's file when it was handed in: only that version can judge what comes out."""
    purpose: Mapped[str] = mapped_column(String(8))
    state: Mapped[str] = mapped_column(String(8), default=RunState.QUEUED)
    program: Mapped[str] = mapped_column(Text)
    """The learner's text."""
    request: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True), deferred=True)
    """What to run, as `question_bank.runner.RunRequest` names it; None once it has been judged."""
    result: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True), deferred=True)
    """What came out, as `question_bank.runner.RunResult` names it; None until it is DONE, and once it has been judged."""
    verdict: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    """What the question says to it; None until it has been judged. Nothing in it tells a hidden case."""
    cases: Mapped[int]
    """How many inputs there are."""
    cases_done: Mapped[int] = mapped_column(default=0)
    run_token: Mapped[str | None] = mapped_column(String(32))
    """Which run owns the row; a run that lost it must not write a result."""
    runs: Mapped[int] = mapped_column(default=0)
    heartbeat_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, default=utcnow)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    error: Mapped[str] = mapped_column(String(500), default="")
    """For the learner, when our side failed."""
