"""When a session ends, and when its learner is warned: the same rules for the pages and for the worker."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from portal.models import EndReason, LabSession, SessionState
from portal.settings import Settings

END_WARNING = timedelta(minutes=15)
"""How long before the end of its time a session warns."""
IDLE_WARNING = timedelta(minutes=10)
"""How long before idleness ends a session it warns; half of the idle limit when that is shorter."""


class WarningKind(StrEnum):
    """What a session warns of."""

    END = "end"
    IDLE = "idle"


@dataclass(frozen=True)
class Warned:
    """A warning that is due."""

    kind: WarningKind
    at: datetime
    """When the sandbox is stopped if nothing happens before."""
    quiet: timedelta
    """For how long the learner has done nothing."""


def last_active(session: LabSession) -> datetime:
    """When the learner was last seen to do something; a start counts."""
    return max(filter(None, (session.last_active_at, session.ready_at)), default=session.requested_at)


def idle_end(session: LabSession, settings: Settings) -> datetime | None:
    """When idleness ends the session if nothing happens before; None without an idle limit."""
    if not settings.session_idle_minutes:
        return None
    return last_active(session) + timedelta(minutes=settings.session_idle_minutes)


def due_end(session: LabSession, settings: Settings, now: datetime) -> EndReason | None:
    """Why a READY session has to end now; None while it may go on."""
    if session.state != SessionState.READY:
        return None
    if session.expires_at is not None and session.expires_at <= now:
        return EndReason.EXPIRED
    idle = idle_end(session, settings)
    return EndReason.IDLE if idle is not None and idle <= now else None


def warning(session: LabSession, settings: Settings, now: datetime) -> Warned | None:
    """The warning that a READY session shows now: of what strikes first; None when there is time."""
    if session.state != SessionState.READY:
        return None
    quiet = max(now - last_active(session), timedelta())
    found: list[Warned] = []
    if session.expires_at is not None and session.expires_at - now <= END_WARNING:
        found.append(Warned(WarningKind.END, session.expires_at, quiet))
    idle = idle_end(session, settings)
    if idle is not None:
        ahead = min(IDLE_WARNING, timedelta(minutes=settings.session_idle_minutes) / 2)
        if idle - now <= ahead:
            found.append(Warned(WarningKind.IDLE, idle, quiet))
    return min(found, key=lambda each: each.at, default=None)
