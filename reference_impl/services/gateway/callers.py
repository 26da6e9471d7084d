"""Who calls from outside: a token is verified, an API key exchanged for one. Behind the gateway there are only tokens."""

from __future__ import annotations

import asyncio
import hashlib
import re
import time
from collections.abc import Callable
from dataclasses import dataclass

import httpx

from reference_impl.services.gateway.headers import Headers, first
from reference_impl.services.gateway.limits import PLANS, Plan
from reference_impl.shared import deadline
from reference_impl.shared.auth import ANONYMOUS, InvalidToken, Principal, Verifier, bearer_token
from reference_impl.shared.peers import Peers
from reference_impl.shared.problems import Problem

REFUSED_SECONDS = 10.0
"""So long a key that was refused is not asked about again."""
MOST_KEYS = 10_000
_FORM = re.compile(rb"mk_[0-9a-f]{12}_[A-Za-z0-9_-]{43}")


@dataclass(frozen=True)
class Identity:
    """A caller, and what to send along inside."""

    principal: Principal
    token: str | None = None
    plan: Plan | None = None
    """Of an API key."""
    key_id: str = ""


NOBODY = Identity(ANONYMOUS)


class Callers:
    """Finds out who calls. Belongs to one event loop."""

    def __init__(
        self, verifier: Verifier, peers: Peers, key_seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._verifier = verifier
        self._peers = peers
        self._key_seconds = key_seconds
        self._clock = clock
        self._known: dict[str, tuple[Identity | None, float]] = {}
        """By the key's hash: who it is (None: nobody), and until when that is believed."""
        self._asking: dict[str, asyncio.Task[Identity | None]] = {}

    def cheap(self, headers: Headers) -> bool:
        """Whether it can be told without asking the user service about an API key."""
        key = first(headers, b"x-api-key")
        return key is None or self._remembered(_digest(key)) is not None

    async def identify(self, headers: Headers) -> Identity:
        """Who sent these headers. Raises InvalidToken, KeysUnavailable, and Problem 400 and 503."""
        key, authorization = first(headers, b"x-api-key"), first(headers, b"authorization")
        if key is None:
            token = bearer_token(authorization.decode("latin-1") if authorization is not None else None)
            return NOBODY if token is None else Identity(await self._verifier.verify(token), token)
        if authorization is not None:
            detail = "Send an access token or an API key."
            raise Problem(400, "two-identities", "The request says twice who calls", detail)
        identity = await self._of_key(key)
        if identity is None:
            raise InvalidToken("the API key is unknown, expired or revoked")
        return identity

    async def _of_key(self, key: bytes) -> Identity | None:
        if not _FORM.fullmatch(key):
            return None
        digest = _digest(key)
        remembered = self._remembered(digest)
        if remembered is not None:
            return remembered[0]
        asking = self._asking.get(digest)
        if asking is None:  # whoever comes with the same key meanwhile waits for the same answer
            asking = self._asking[digest] = asyncio.create_task(self._exchange(digest, key.decode()))
            asking.add_done_callback(lambda _task: self._asking.pop(digest, None))
        return await asyncio.shield(asking)

    def _remembered(self, digest: str) -> tuple[Identity | None, float] | None:
        found = self._known.get(digest)
        return found if found is not None and self._clock() < found[1] else None

    async def _exchange(self, digest: str, key: str) -> Identity | None:
        body = {"grant_type": "api_key", "api_key": key}
        try:
            with deadline.within(None):  # for all who came with this key
                answer = await self._peers.client("user", timeout_seconds=2.0).post("/auth/token", json=body)
        except httpx.HTTPError as error:
            raise _unavailable() from error
        identity, seconds = None, REFUSED_SECONDS
        if answer.status_code == 200:
            said = answer.json()
            principal = await self._verifier.verify(said["access_token"])
            plan = PLANS.get(said["plan"], PLANS["free"])
            identity = Identity(principal, said["access_token"], plan, said["key_id"])
            seconds = min(self._key_seconds, said["expires_in"] / 2)
        elif answer.status_code != 401:
            raise _unavailable()
        while len(self._known) >= MOST_KEYS:
            del self._known[next(iter(self._known))]
        self._known[digest] = identity, self._clock() + seconds
        return identity


def _digest(key: bytes) -> str:
    return hashlib.sha256(key).hexdigest()


def _unavailable() -> Problem:
    title, detail = "API keys can't be checked now", "The user service does not answer; try again."
    return Problem(503, "keys-unavailable", title, detail).with_headers({"Retry-After": "5"})
