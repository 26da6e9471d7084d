"""When sessions end, and when they warn."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from portal.lifetime import WarningKind, due_end, idle_end, warning
from portal.models import EndReason, LabSession, SessionState
from portal.settings import Settings

NOW = datetime(2026, 5, 4, 14, 0, tzinfo=UTC)


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


def session(left: float = 120, quiet: float = 0, state: SessionState = SessionState.READY) -> LabSession:
    """One that has `left` minutes and was used `quiet` minutes ago."""
    return LabSession(
        state=state,
        requested_at=NOW - minutes(300),
        ready_at=NOW - minutes(299),
        last_active_at=NOW - minutes(quiet),
        expires_at=NOW + minutes(left),
    )


@pytest.mark.parametrize(
    ("left", "quiet", "expected"),
    [
        (120, 0, None),
        (0, 0, EndReason.EXPIRED),
        (-1, 90, EndReason.EXPIRED),
        (120, 59.9, None),
        (120, 60, EndReason.IDLE),
    ],
)
def test_an_end_is_due_when_its_moment_has_come(left: float, quiet: float, expected: EndReason | None) -> None:
    assert due_end(session(left, quiet), Settings(), NOW) == expected


@pytest.mark.parametrize("state", [s for s in SessionState if s != SessionState.READY])
def test_only_running_sessions_end_or_warn(state: SessionState) -> None:
    assert due_end(session(-5, 90, state), Settings(), NOW) is None
    assert warning(session(-5, 90, state), Settings(), NOW) is None


@pytest.mark.parametrize(
    ("left", "quiet", "kind", "in_minutes"),
    [
        (15.1, 49, None, None),
        (15, 0, WarningKind.END, 15),
        (120, 50, WarningKind.IDLE, 10),
        (12, 50, WarningKind.IDLE, 10),
        (8, 50, WarningKind.END, 8),
        (10, 50, WarningKind.END, 10),
    ],
)
def test_the_warning_is_of_what_strikes_first(
    left: float, quiet: float, kind: WarningKind | None, in_minutes: float | None
) -> None:
    found = warning(session(left, quiet), Settings(), NOW)
    assert (found.kind if found else None) == kind
    if found is not None and in_minutes is not None:
        assert found.at == NOW + minutes(in_minutes)
        assert found.quiet == minutes(quiet)


def test_a_short_idle_limit_warns_at_its_half() -> None:
    settings = Settings(session_idle_minutes=6)
    assert warning(session(quiet=2.9), settings, NOW) is None
    assert warning(session(quiet=3), settings, NOW) is not None


def test_without_an_idle_limit_nobody_is_idle() -> None:
    settings = Settings(session_idle_minutes=0)
    assert idle_end(session(quiet=999), settings) is None
    assert due_end(session(quiet=999), settings, NOW) is None
    assert warning(session(quiet=999), settings, NOW) is None


def test_a_start_counts_as_use() -> None:
    begun = session()
    begun.last_active_at = NOW - minutes(400)
    begun.ready_at = NOW - minutes(10)
    assert idle_end(begun, Settings()) == NOW + minutes(50)
