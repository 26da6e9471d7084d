"""The user service's public keys, as everybody else holds them: fetched, kept for a while, fetched again on an unknown one.

What this has to survive: a key that is rotated (a new id appears: fetch), a flood of made-up key ids (fetch seldom), and a
user service that is down (go on with the keys at hand, for a while).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
from jwt import PyJWK
from jwt.exceptions import InvalidKeyError, PyJWTError

from reference_impl.shared import deadline, logs
from reference_impl.shared.peers import Peers

ALGORITHM = "ES256"
FRESH_SECONDS = 300.0
STALE_SECONDS = 3600.0
"""How long keys serve while nobody answers for newer ones."""
PAUSE_SECONDS = 10.0
"""The least time between two fetches, whatever callers present."""
FETCH_SECONDS = 2.0
MOST_KEYS = 16
PATH = "/auth/jwks.json"
_log = logs.logger("meridian.auth")


@dataclass(frozen=True)
class FetchedKeys:
    """What the user service answered."""

    document: Any
    fresh_seconds: float = FRESH_SECONDS


Fetch = Callable[[], Awaitable[FetchedKeys]]
"""Asks for the keys. Raises when there is no answer."""


def fetch_from(peers: Peers) -> Fetch:
    """How a service asks for the keys: the user service, over HTTP."""

    async def fetch() -> FetchedKeys:
        with deadline.within(None):  # for everybody, however long the one waits who happens to need them first
            answer = await peers.client("user", timeout_seconds=FETCH_SECONDS).get(PATH)
        answer.raise_for_status()
        return FetchedKeys(answer.json(), _max_age(answer.headers.get("cache-control", "")))

    return fetch


class KeysUnavailable(Exception):
    """No keys are at hand and nobody answers for them: nobody can be verified, which is nobody's fault out there."""


class KeyRing:
    """The keys of the moment. Belongs to one event loop."""

    def __init__(self, fetch: Fetch, clock: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._clock = clock
        self._keys: Mapping[str, PyJWK] = {}
        self._lock = asyncio.Lock()
        self._fetched_at = float("-inf")
        self._asked_at = float("-inf")
        self._fresh_seconds = FRESH_SECONDS

    async def get(self, identifier: str) -> PyJWK | None:
        """The key of this id, None when there is no such key. Raises KeysUnavailable."""
        key = self.known(identifier)
        if key is not None:
            return key
        if self._lock.locked() and identifier in self._keys and self._age() < STALE_SECONDS:
            return self._keys[identifier]  # somebody is asking already; nobody else need wait
        await self._refresh(identifier)
        if not self._keys or self._age() >= STALE_SECONDS:
            raise KeysUnavailable
        return self._keys.get(identifier)

    def known(self, identifier: str) -> PyJWK | None:
        """The key of this id if it is at hand and fresh; never waits."""
        return self._keys.get(identifier) if self._age() < self._fresh_seconds else None

    def _age(self) -> float:
        return self._clock() - self._fetched_at

    async def _refresh(self, identifier: str) -> None:
        async with self._lock:
            if self.known(identifier) is not None:
                return  # somebody fetched while we waited
            if self._clock() - self._asked_at < PAUSE_SECONDS:
                return
            self._asked_at = self._clock()
            try:
                fetched = await self._fetch()
                keys = parse(fetched.document)
            except (httpx.HTTPError, TimeoutError, ValueError) as error:
                _log.warning("no keys fetched", error=type(error).__name__, kept=len(self._keys))
                return
            self._keys, self._fetched_at = keys, self._clock()
            self._fresh_seconds = min(FRESH_SECONDS, max(PAUSE_SECONDS, fetched.fresh_seconds))


def parse(document: Any) -> dict[str, PyJWK]:
    """The usable keys of a JWK set by id: signing keys on P-256; others are skipped. Raises ValueError when it is no set."""
    listed = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        raise ValueError("not a JWK set")
    found: dict[str, PyJWK] = {}
    for item in listed[:MOST_KEYS]:
        if not isinstance(item, dict) or not isinstance(item.get("kid"), str) or "d" in item:
            continue
        if (item.get("kty"), item.get("crv"), item.get("use", "sig")) != ("EC", "P-256", "sig"):
            continue
        try:
            found[item["kid"]] = PyJWK(item, algorithm=ALGORITHM)
        except (InvalidKeyError, PyJWTError):
            _log.warning("unusable key", key_id=item["kid"][:64])
    return found


def _max_age(cache_control: str) -> float:
    for part in cache_control.split(","):
        name, _, value = part.strip().partition("=")
        if name.lower() == "max-age" and value.isdigit():
            return float(value)
    return FRESH_SECONDS
