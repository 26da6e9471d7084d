"""The portal's errors: a message for the person, a short reason for metrics, detail for the log.

::

    PortalError
    ├── SettingsError          the configuration can't work; stops the start
    ├── NotFound        404    no such thing, or not yours (the answer is the same on purpose)
    ├── Forbidden       403    yours to see, not to do
    ├── Conflict        409    true a moment ago: something is already running, or has ended
    ├── Invalid         422    the input breaks a rule; the message says which
    └── Unavailable     503    a part of ours is not there now; trying again later helps

A 500 is a bug.
"""

from __future__ import annotations

from typing import ClassVar


class PortalError(Exception):
    """Base of all errors that the portal raises on purpose."""

    status: ClassVar[int] = 500
    reason: ClassVar[str] = "error"

    def __init__(self, message: str, *, detail: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.detail = detail


class SettingsError(PortalError):
    """The configuration can't work."""

    reason = "settings"


class NotFound(PortalError):
    """No such thing, or not this person's."""

    status = 404
    reason = "not_found"


class Forbidden(PortalError):
    """The person may not do this."""

    status = 403
    reason = "forbidden"


class Conflict(PortalError):
    """The state has moved on."""

    status = 409
    reason = "conflict"


class Invalid(PortalError):
    """The input breaks a rule."""

    status = 422
    reason = "invalid"


class Unavailable(PortalError):
    """A part of ours is not there now."""

    status = 503
    reason = "unavailable"
