"""The user service's settings."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from reference_impl.shared.settings import Section

Seconds = Annotated[int, Field(ge=1, le=366 * 86_400)]


class UserSettings(Section):
    """Each as `MERIDIAN_USER_<NAME>`; times are in seconds."""

    section: ClassVar[str] = "user"

    access_seconds: Annotated[int, Field(ge=10, le=3600)] = 300
    """How long an access token is believed: also how long a revocation may go unnoticed."""
    refresh_seconds: Seconds = 7 * 86_400
    """How long a refresh token that nobody uses can be used."""
    session_seconds: Seconds = 30 * 86_400
    """How long a session lasts at most, however often it is refreshed."""
    refresh_grace_seconds: Annotated[int, Field(ge=0, le=60)] = 10
    """How long a rotated refresh token is taken once more, for a client that lost the answer; 0 never."""
    reset_seconds: Annotated[int, Field(ge=60, le=86_400)] = 1800
    """How long the link of a password reset works."""
    rotation_seconds: Annotated[int, Field(ge=60, le=366 * 86_400)] = 86_400
    """How old the active signing key gets."""
    jwks_seconds: Annotated[int, Field(ge=10, le=300)] = 300
    """How long others may keep the public keys."""
    signing_key_password: str = ""
    """Encrypts the private keys in the database; empty keeps them as they are. Changing it makes old keys unreadable."""
    hash_memory_kib: Annotated[int, Field(ge=64, le=1_048_576)] = 19_456
    """Memory of one argon2id hash; with `hash_rounds` what OWASP asks for at least."""
    hash_rounds: Annotated[int, Field(ge=1, le=20)] = 2
    """Passes of argon2id over that memory."""
    hashes_at_once: Annotated[int, Field(ge=1, le=64)] = 4
    """Password hashes computed at the same time; who waits longer than two seconds for a turn is told to come back."""
    api_keys_each: Annotated[int, Field(ge=0, le=1000)] = 20
    """The most API keys in use that one user has."""
