"""Passwords and random tokens: how they are made, and what is kept of them."""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from reference_impl.services.user import metrics
from reference_impl.services.user.settings import UserSettings
from reference_impl.shared.problems import Problem

TURN_SECONDS = 2.0


def new_token(prefix: str) -> str:
    """A random token of 256 bits that says by its prefix what it is, so that a scanner can find a leaked one."""
    return f"{prefix}_{secrets.token_urlsafe(32)}"


def digest(token: str) -> str:
    """What is stored of a random token. It can't be guessed, so a quick hash without salt is enough, and can be looked up."""
    return hashlib.sha256(token.encode()).hexdigest()


class Passwords:
    """Hashes passwords with argon2id. Slow on purpose, so only so many at once."""

    def __init__(self, settings: UserSettings) -> None:
        self._hasher = PasswordHasher(
            time_cost=settings.hash_rounds, memory_cost=settings.hash_memory_kib, parallelism=1
        )
        self._turns = threading.BoundedSemaphore(settings.hashes_at_once)
        self._nobody = self._hasher.hash(secrets.token_urlsafe(32))

    def hash(self, password: str) -> str:
        """What to store. Raises Problem 503 when too many wait."""
        with self._turn():
            return self._hasher.hash(password)

    def verify(self, stored: str | None, password: str) -> bool:
        """Whether this is the password; takes as long without an account (None) as with one. Raises Problem 503."""
        with self._turn():
            try:
                return self._hasher.verify(stored or self._nobody, password) and stored is not None
            except (VerificationError, InvalidHashError):
                return False

    def outdated(self, stored: str) -> bool:
        """Whether the settings have become stricter since."""
        return self._hasher.check_needs_rehash(stored)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._turns.acquire(timeout=TURN_SECONDS):
            raise Problem(503, "busy", "Too many sign in at once", "Try again in a moment.").with_headers(
                {"Retry-After": "2"}
            )
        try:
            with metrics.HASH_SECONDS.time():
                yield
        finally:
            self._turns.release()
