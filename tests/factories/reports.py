"""What the worker reported of itself."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import datetime

from sqlalchemy.orm import Session

from portal.models import LabSession, WorkerStatus, utcnow
from portal.reports import (
    CheckLine,
    ChecksReport,
    FlavourLine,
    PoolReport,
    SandboxesReport,
    SandboxLine,
)

CHECKS = (
    CheckLine("engine", "ok", "Docker 20.10.24 on Debian GNU/Linux 12 (bookworm), 2 CPUs.", ""),
    CheckLine(
        "image base", "warning", "It is not built.", "The first launch builds it; `make images` does so before."
    ),
    CheckLine("workspaces' disk", "problem", "0.3 GB free of 20.0 GB.", "Free some, or set INSTANCE_DIR."),
)
FLAVOURS = (
    FlavourLine("never-oversell", "session", 2, 1, 1, hits=14, misses=3, failure=""),
    FlavourLine("never-oversell", "grading", 1, 0, 0, hits=0, misses=2, failure="Postgres did not answer."),
)


def line(session: LabSession | None = None, **values: object) -> SandboxLine:
    """A sandbox as it was seen: of this session, or of nobody."""
    facts: dict[str, object] = {
        "id": session.sandbox_id if session else "ab12cd34ef56",
        "purpose": "session" if session else "waiting",
        "state": "ready",
        "session": session.id if session else None,
        "lab": session.lab_id if session else "",
        "started_at": time.time() - 300,
        "memory_bytes": 184_000_000,
    }
    return SandboxLine(**{**facts, **values})  # type: ignore[arg-type]


def worker_status(
    db: Session,
    *,
    lines: Iterable[SandboxLine] = (),
    checks: tuple[CheckLine, ...] = CHECKS,
    flavours: tuple[FlavourLine, ...] | None = FLAVOURS,
    heartbeat_at: datetime | None = None,
    driver: str = "docker",
    isolated: bool = True,
    **facts: object,
) -> WorkerStatus:
    """The row of a worker that reports all this."""
    now = utcnow()
    pool = PoolReport(now, total=4, warm=1, hits=14, misses=5, lines=flavours) if flavours is not None else None
    made = WorkerStatus(
        id=1,
        driver=driver,
        isolated=isolated,
        reason="a container engine answers" if driver else "Start a Docker engine.",
        heartbeat_at=heartbeat_at or now,
        sandboxes=SandboxesReport.of(now, lines, **facts).document(),
        pool=pool.document() if pool else None,
        checks=ChecksReport(now, checks).document(),
    )
    db.merge(made)
    db.flush()
    return made
