"""The events that the user service emits; it reads none. All have the user's id as their key."""

from __future__ import annotations

from datetime import datetime

from reference_impl.shared.events import Payload


class UserRegistered(Payload):
    """There is a new account."""

    user_id: str
    email: str
    name: str


class PasswordResetRequested(Payload):
    """Somebody asked for a new password, and the address has an account: send the token there, and nowhere else."""

    user_id: str
    email: str
    token: str
    """Works once, until `expires_at`. The user service itself keeps only its hash."""
    expires_at: datetime


class PasswordChanged(Payload):
    """The password is another one now, and every session has ended."""

    user_id: str
    email: str


class RolesChanged(Payload):
    """What the user may do has changed; tokens issued before say the old roles until they expire."""

    user_id: str
    roles: list[str]


class RefreshTokenReused(Payload):
    """A refresh token was used that had been replaced: two hold the same session, so it was ended."""

    user_id: str
    email: str
    session_id: str
