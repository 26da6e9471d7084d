"""The worker's reports: bounded, and the same after the way through the database."""

from __future__ import annotations

import json

from portal.models import utcnow
from portal.reports import (
    SANDBOXES_MOST,
    CheckLine,
    ChecksReport,
    PoolReport,
    SandboxesReport,
    SandboxLine,
)

NOTE = {
    "at": 1_700_000_000.0,
    "total": 4,
    "warm": 1,
    "hits": 3,
    "misses": 1,
    "flavours": [
        {"lab": "a-lab", "purpose": "session", "wanted": 2, "warm": 1, "hits": 3, "misses": 1, "failure": ""},
        {"lab": "", "image": "base", "purpose": "grading", "failure": "x" * 5_000},
    ],
}


def a_line(number: int, **values: object) -> SandboxLine:
    facts: dict[str, object] = {
        "id": f"id{number}", "purpose": "session", "state": "ready", "session": number,
        "lab": "a-lab", "started_at": float(number), "memory_bytes": 1_000,
    }  # fmt: skip
    return SandboxLine(**{**facts, **values})  # type: ignore[arg-type]


def test_reports_come_back_as_they_were() -> None:
    now = utcnow()
    sandboxes = SandboxesReport.of(now, [a_line(1), a_line(2, memory_bytes=None)], remains=2, reaped_at=now)
    checks = ChecksReport(now, (CheckLine("engine", "ok", "found", "todo"),))
    pool = PoolReport.of_note(NOTE)
    for report in (sandboxes, checks, pool):
        assert type(report).parse(json.loads(json.dumps(report.document()))) == report


def test_many_sandboxes_are_cut_with_learners_first() -> None:
    lines = [a_line(n, session=None, purpose="waiting") for n in range(150)] + [a_line(n) for n in range(150)]
    report = SandboxesReport.of(utcnow(), lines)
    assert len(report.lines) == SANDBOXES_MOST
    assert report.omitted == 100
    assert all(line.session is not None for line in report.lines[:150])
    assert report.memory_bytes == 300_000
    assert len(json.dumps(report.document())) < 65_536


def test_long_texts_are_cut() -> None:
    checks = ChecksReport(utcnow(), tuple(CheckLine("n", "ok", "x" * 9_000, "y" * 9_000) for _ in range(500)))
    assert len(json.dumps(checks.document())) < 100_000
    assert len(PoolReport.of_note(NOTE).lines[1].failure) < 1_000


def test_what_needs_somebody_comes_first() -> None:
    states = ["ok", "problem", "ok", "warning"]
    report = ChecksReport(utcnow(), tuple(CheckLine(str(n), state, "", "") for n, state in enumerate(states)))
    assert [line["state"] for line in report.document()["lines"]] == ["problem", "warning", "ok", "ok"]


def test_nonsense_is_no_report() -> None:
    for kind in (SandboxesReport, ChecksReport, PoolReport):
        for document in (None, {}, {"at": "yesterday", "lines": []}, {"at": None, "lines": 3}):
            assert kind.parse(document) is None  # type: ignore[attr-defined]
