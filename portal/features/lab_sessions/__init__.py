"""Lab sessions: launching a lab, working in it, checking, submitting, seeing why."""

from portal.features.lab_sessions.routes import blueprint
from portal.features.lab_sessions.service import LabSessionService

__all__ = ["LabSessionService", "blueprint"]
