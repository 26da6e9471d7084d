"""What the operator's page shows, as plain values for its templates."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from portal.content import Content
from portal.features.admin import queries
from portal.models import PLACE_STATES, LabSession, SessionState, WorkerStatus, utcnow
from portal.reports import ChecksReport, PoolReport, SandboxesReport, SandboxLine

SILENT_AFTER = timedelta(seconds=30)
"""After which a worker is taken for dead."""
PURPOSES = {
    "session": "Learner",
    "grading": "Grading",
    "program": "Program",
    "waiting": "Waiting",
    "doctor": "Check",
}
WORKS = {"launch": "Launch", "session": "Running session", "grading": "Grading", "program": "Program"}


def sandboxes_page(db: Session, content: Content) -> dict[str, Any]:
    """Everything the page and its polled part need."""
    worker = queries.worker(db)
    report = SandboxesReport.parse(worker.sandboxes) if worker else None
    checks = ChecksReport.parse(worker.checks) if worker else None
    counts = queries.count_by_state(db)
    return {
        "worker": _worker(worker),
        "places": _places(worker, counts),
        "report": report,
        "memory": memory(report.memory_bytes) if report else "",
        "sessions": [
            _session(content, session, learner, report) for session, learner in queries.open_sessions(db)
        ],
        "others": [_other(content, line) for line in report.lines if line.session is None] if report else [],
        "pool": PoolReport.parse(worker.pool) if worker else None,
        "lab_title": lambda lab_id: _title(content, lab_id),
        "checks": checks,
        "attention": [line for line in checks.lines if line.state != "ok"] if checks else [],
        "fine": [line for line in checks.lines if line.state == "ok"] if checks else [],
        "failures": [
            {"what": WORKS.get(one.work, one.work), "lab": _title(content, one.last_lab), "count": one}
            for one in queries.failures(db)
        ],
    }


def _worker(worker: WorkerStatus | None) -> dict[str, Any]:
    return {
        "known": worker is not None,
        "alive": worker is not None and worker.heartbeat_at > utcnow() - SILENT_AFTER,
        "driver": worker.driver if worker else "",
        "isolated": bool(worker and worker.isolated),
        "reason": worker.reason if worker else "",
        "heartbeat_at": worker.heartbeat_at if worker else None,
    }


def _places(worker: WorkerStatus | None, counts: Mapping[str, int]) -> dict[str, int | None]:
    """Used, free and queued; free is None while nobody has said how many there are."""
    used = sum(counts.get(state, 0) for state in PLACE_STATES)
    total = worker.places if worker is not None else 0
    return {
        "used": used,
        "total": total or None,
        "free": max(0, total - used) if total else None,
        "queued": sum(counts.values()) - used,
    }


def _session(
    content: Content, session: LabSession, learner: str, report: SandboxesReport | None
) -> dict[str, Any]:
    line = next((one for one in report.lines if one.session == session.id), None) if report else None
    return {
        "id": session.id,
        "learner": learner,
        "lab": _title(content, session.lab_id),
        "state": session.state,
        "phase": session.phase if session.state == SessionState.STARTING else "",
        "since": session.ready_at or session.requested_at,
        "memory": memory(line.memory_bytes) if line else "",
        "last_active_at": session.last_active_at,
        "sandbox_id": line.id if line else "",
        "stoppable": session.state in (SessionState.STARTING, SessionState.READY),
    }


def _other(content: Content, line: SandboxLine) -> dict[str, Any]:
    return {
        "id": line.id,
        "purpose": PURPOSES.get(line.purpose, "Unknown"),
        "lab": _title(content, line.lab),
        "state": line.state,
        "since": datetime.fromtimestamp(line.started_at, UTC) if line.started_at else None,
        "memory": memory(line.memory_bytes),
    }


def memory(count: int | None) -> str:
    """`184 MB`, `1.2 GB`; empty when it is not known."""
    if count is None:
        return ""
    return f"{count / 1_000_000:.0f} MB" if count < 1_000_000_000 else f"{count / 1_000_000_000:.1f} GB"


def _title(content: Content, lab_id: str) -> str:
    lab = content.lab(lab_id) if lab_id else None
    return lab.title if lab is not None else lab_id
