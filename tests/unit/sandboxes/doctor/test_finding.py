"""Checks are run side by side; one that hangs or breaks spoils no other."""

from __future__ import annotations

import threading

from sandboxes.doctor.finding import Check, Finding, State, run_all


def fine(name: str) -> Check:
    return Check(name, lambda: Finding(name, State.OK, "fine"), seconds=60)


def test_one_that_hangs_and_one_that_breaks_are_findings_too() -> None:
    def breaks() -> Finding:
        raise RuntimeError("a surprise")

    hang = threading.Event()

    def hangs() -> list[Finding]:
        hang.wait(60)
        return []

    checks = [
        fine("first"),
        Check("hangs", hangs, seconds=0.2),
        Check("breaks", breaks, seconds=60),
        Check("two", lambda: [Finding("two a", State.OK, ""), Finding("two b", State.PROBLEM, "")], seconds=60),
        fine("last"),
    ]
    found = run_all(checks)
    hang.set()
    assert [one.name for one in found] == ["first", "hangs", "breaks", "two a", "two b", "last"]
    assert [str(one.state) for one in found] == ["ok", "warning", "warning", "ok", "problem", "ok"]
    assert "No answer within 0.2 s" in found[1].found
    assert "a surprise" in found[2].found
