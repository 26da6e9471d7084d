"""Who is calling. A service believes a token that the user service signed, and nothing else that a caller says of himself.

States of a caller::

    a valid token           a user or an API key, with roles and scopes
    a token, not valid      401, also where none was needed: somebody believes to be signed in and is not
    none, from the gateway  anonymous: the gateway let a public request through, and says so in ANONYMOUS_HEADER
    none, otherwise         internal (another service, an operator) while the network is trusted, else anonymous

The header can only take rights away, so that nobody gains by sending it. Tokens are JWTs by RFC 9068 (`typ` is `at+jwt`), signed
with ES256 alone, and live a few minutes: what was revoked in between is believed until then.
"""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

import jwt
from fastapi import Depends, FastAPI, Request

from reference_impl.shared.jwks import ALGORITHM, KeyRing, KeysUnavailable, fetch_from
from reference_impl.shared.peers import Peers
from reference_impl.shared.problems import Problem

ISSUER = "urn:meridian:user-service"
AUDIENCE = "urn:meridian:services"
TOKEN_TYPE = "at+jwt"  # noqa: S105 - a media type
ANONYMOUS_HEADER = "X-Meridian-Anonymous"
LEEWAY_SECONDS = 5
LONGEST_TOKEN = 4096
MOST_REMEMBERED = 4096
_KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_REQUIRED = ["exp", "nbf", "iat", "iss", "aud", "sub"]


class Role(StrEnum):
    """What somebody may do, coarsely."""

    CUSTOMER = "customer"
    VENDOR = "vendor"
    ADMIN = "admin"


class Kind(StrEnum):
    """How a caller came to be believed."""

    USER = "user"
    API_KEY = "api-key"
    INTERNAL = "internal"
    ANONYMOUS = "anonymous"


@dataclass(frozen=True)
class Principal:
    """A caller as services see one."""

    subject: str
    """The user's id; of an API key, its owner's; empty for others."""
    roles: frozenset[str] = frozenset()
    scopes: frozenset[str] = frozenset()
    """What an API key was made for, such as `orders:read`; empty for a user, who may do all that the roles allow."""
    kind: Kind = Kind.USER

    @property
    def everything(self) -> bool:
        """Whether no question of ownership is asked: admins, and who is inside."""
        return self.kind is Kind.INTERNAL or Role.ADMIN in self.roles

    def has(self, *roles: str) -> bool:
        """Whether the caller has one of these roles, or needs none."""
        return self.everything or not self.roles.isdisjoint(roles)

    def owns(self, owner: str | None) -> bool:
        """Whether something with this owner is the caller's to see and change."""
        return self.everything or (bool(self.subject) and self.subject == owner)


INTERNAL = Principal("", kind=Kind.INTERNAL)
ANONYMOUS = Principal("", kind=Kind.ANONYMOUS)


class InvalidToken(Exception):
    """A token that is not believed; the message is a short reason, fit for the caller to read."""


class Verifier:
    """Turns a token into a principal, or refuses it. Belongs to one event loop."""

    def __init__(self, keys: KeyRing, clock: Callable[[], float] = time.time) -> None:
        self._keys = keys
        self._clock = clock
        # A signature does not change: a token seen before is only looked at for its time and its key.
        self._seen: dict[str, tuple[Principal, str, float]] = {}

    @classmethod
    def asking(cls, peers: Peers) -> Verifier:
        """A verifier that fetches its keys from the user service."""
        return cls(KeyRing(fetch_from(peers)))

    async def verify(self, token: str) -> Principal:
        """Who a token speaks for. Raises InvalidToken and KeysUnavailable."""
        remembered = self._seen.get(token)
        if remembered is not None:
            principal, key_id, expires = remembered
            if self._clock() < expires and self._keys.known(key_id) is not None:
                return principal
            del self._seen[token]
        key_id = _key_id(token)
        key = await self._keys.get(key_id)
        if key is None:
            raise InvalidToken("it is signed with an unknown key")
        claims = self._decode(token, key)
        principal = _principal(claims)
        if len(self._seen) >= MOST_REMEMBERED:
            del self._seen[next(iter(self._seen))]
        self._seen[token] = principal, key_id, float(claims["exp"])
        return principal

    def _decode(self, token: str, key: jwt.PyJWK) -> dict[str, Any]:
        options: Any = {"require": _REQUIRED, "verify_exp": False, "verify_nbf": False, "verify_iat": False}
        try:
            claims: dict[str, Any] = jwt.decode(
                token, key, algorithms=[ALGORITHM], audience=AUDIENCE, issuer=ISSUER, options=options
            )
            expires, begins = float(claims["exp"]), float(claims["nbf"])
        except (jwt.PyJWTError, TypeError, ValueError) as error:
            raise InvalidToken(_reason(error)) from error
        # By our own clock, which tests can turn.
        if not self._clock() < expires + LEEWAY_SECONDS:
            raise InvalidToken("it has expired; refresh it")
        if not begins - LEEWAY_SECONDS <= self._clock():
            raise InvalidToken("it is not valid yet")
        return claims


def bearer_token(header: str | None) -> str | None:
    """The token of an Authorization header, None when there is no header. Raises InvalidToken when it holds something else."""
    if header is None:
        return None
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise InvalidToken("the Authorization header is not of the form Bearer <token>")
    return token.strip()


def unauthenticated(reason: str = "") -> Problem:
    """401: nobody we believe, and why."""
    if not reason:
        detail = "Send an access token as `Authorization: Bearer <token>`."
        return Problem(401, "sign-in-needed", "Sign in first", detail).with_headers(
            {"WWW-Authenticate": "Bearer"}
        )
    challenge = f'Bearer error="invalid_token", error_description="{reason}"'
    title, detail = "The access token is not accepted", f"It is refused because {reason}."
    return Problem(401, "invalid-token", title, detail).with_headers({"WWW-Authenticate": challenge})


def unverifiable() -> Problem:
    """503: the keys that we need can't be had."""
    title, detail = "Nobody can be verified now", "The user service does not answer; try again."
    return Problem(503, "keys-unavailable", title, detail).with_headers({"Retry-After": "10"})


def forbidden(*roles: str) -> Problem:
    """403: known, and not allowed."""
    return Problem(
        403, "forbidden", "This is not yours to do", f"It takes the role {' or '.join(roles)}." if roles else ""
    )


@dataclass(frozen=True)
class _Gate:
    verifier: Verifier
    trust_network: bool


def install(app: FastAPI, verifier: Verifier, *, trust_network: bool) -> None:
    """Let the dependencies below work in this application."""
    app.state.auth_gate = _Gate(verifier, trust_network)


async def visitor(request: Request) -> Principal:
    """A dependency: whoever it is, anonymous included. Raises Problem 401 for a bad token, 503 without keys."""
    gate: _Gate | None = getattr(request.app.state, "auth_gate", None)
    if gate is None:
        raise RuntimeError("auth.install was not called for this application")
    try:
        token = bearer_token(request.headers.get("authorization"))
        if token is not None:
            return await gate.verifier.verify(token)
    except InvalidToken as error:
        raise unauthenticated(str(error)) from error
    except KeysUnavailable as error:
        raise unverifiable() from error
    if gate.trust_network and ANONYMOUS_HEADER not in request.headers:
        return INTERNAL
    return ANONYMOUS


Visitor = Annotated[Principal, Depends(visitor)]
"""Parameter of a public route that wants to know who asks."""


async def caller(who: Visitor) -> Principal:
    """A dependency: somebody we know. Raises Problem 401."""
    if who.kind is Kind.ANONYMOUS:
        raise unauthenticated()
    return who


Caller = Annotated[Principal, Depends(caller)]
"""Parameter of a route that needs somebody, and then asks `owns` and `has`."""


def needs(*roles: str) -> Callable[[Principal], Awaitable[Principal]]:
    """A dependency: somebody with one of these roles. Raises Problem 401 and 403."""

    async def check(who: Caller) -> Principal:
        if not who.has(*roles):
            raise forbidden(*roles)
        return who

    return check


def _key_id(token: str) -> str:
    if len(token) > LONGEST_TOKEN:
        raise InvalidToken("it is too long")
    try:
        header = jwt.get_unverified_header(token)
    except jwt.PyJWTError as error:
        raise InvalidToken("it is not a JWT") from error
    if header.get("alg") != ALGORITHM:
        raise InvalidToken(f"it is not signed with {ALGORITHM}")
    if header.get("typ") != TOKEN_TYPE:
        raise InvalidToken("it is not an access token")
    key_id = header.get("kid")
    if not isinstance(key_id, str) or not _KEY_ID.fullmatch(key_id):
        raise InvalidToken("it names no key")
    return key_id


def _principal(claims: dict[str, Any]) -> Principal:
    roles, scope, kind = claims.get("roles", []), claims.get("scope", ""), claims.get("kind", Kind.USER)
    sound = isinstance(roles, list) and all(isinstance(role, str) for role in roles) and isinstance(scope, str)
    if not sound or kind not in (Kind.USER, Kind.API_KEY):
        raise InvalidToken("its claims are not understood")
    return Principal(str(claims["sub"]), frozenset(roles), frozenset(scope.split()), Kind(kind))


def _reason(error: Exception) -> str:
    if isinstance(error, jwt.InvalidAudienceError):
        return "it is meant for somebody else"
    if isinstance(error, jwt.InvalidIssuerError):
        return "somebody else issued it"
    if isinstance(error, jwt.MissingRequiredClaimError):
        return "a claim is missing"
    return "its signature is wrong or it is damaged"
