"""Keys, tokens and sessions of the check's own."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import jwt
import psycopg
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm
from psycopg import sql

from labs.checks import LabUnderTest, require
from sandboxes.interface import JSON, CallOutcome, LearnerCodeError

ISSUER, AUDIENCE = "urn:meridian:user-service", "urn:meridian:services"
Claims = dict[str, Any]


def encoded(data: bytes) -> str:
    """base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decoded(text: str) -> bytes:
    """The bytes of base64url without padding. Raises ValueError."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Signer:
    """A pair of keys under an id."""

    def __init__(self, lab: LabUnderTest) -> None:
        # Not from the seed: a private key must be nobody's to guess. What depends on it is only whether signatures fit.
        self.private = ec.generate_private_key(ec.SECP256R1())
        self.kid = f"k{lab.random.getrandbits(40):010x}"
        public = json.loads(ECAlgorithm.to_jwk(self.private.public_key()))
        self.jwk = {**public, "kid": self.kid, "use": "sig", "alg": "ES256"}

    @property
    def pem(self) -> str:
        """The public key as PEM."""
        return (
            self.private.public_key()
            .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
            .decode()
        )

    def token(self, claims: Claims, **header: Any) -> str:
        """A signed token; a header that is None is left out."""
        fields = {"kid": self.kid, "typ": "at+jwt", **header}
        return jwt.encode(
            claims,
            self.private,
            algorithm="ES256",
            headers={name: value for name, value in fields.items() if value is not None},
        )


def claims_of(lab: LabUnderTest, now: float) -> Claims:
    """Good claims of somebody, at a moment in the middle of their time."""
    pick = lab.random
    issued = int(now) - pick.randint(60, 200)
    return {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": f"u{pick.getrandbits(40):010x}",
        "iat": issued,
        "nbf": issued,
        "exp": issued + 300,
        "jti": f"{pick.getrandbits(64):016x}",
        "roles": pick.sample(["customer", "vendor", "clerk", "admin"], 2),
    }


REFUSED = "refused"


def verified(lab: LabUnderTest, token: str, keys: dict[str, Any], now: float) -> Claims | str:
    """What `verify` came to: claims, or REFUSED."""
    try:
        claims = lab.call("verify", token, keys, now)
    except LearnerCodeError as error:
        if error.name == "Refused":
            return REFUSED
        require(
            False,
            f"verify must raise Refused, and nothing else, for a token that is not believed; it raised {error.name}.",
        )
        raise
    require(isinstance(claims, dict), "verify must return the claims as a dictionary.")
    assert isinstance(claims, dict)
    return claims


@dataclass(frozen=True)
class Opened:
    """A session that the check opened, by its own statements."""

    session: str
    token: str
    user: str


SESSION_SECONDS, REFRESH_SECONDS = 30 * 86_400, 7 * 86_400


class Books:
    """The tables of sessions, seen from outside."""

    def __init__(self, lab: LabUnderTest, function: str) -> None:
        self.lab = lab
        self.function = function
        self._mark = f"{lab.random.getrandbits(40):010x}"
        self._count = 0

    def open(
        self, now: float, *, expires: float | None = None, token_expires: float | None = None, user: str = ""
    ) -> Opened:
        """A session with one active token."""
        self._count += 1
        opened = Opened(
            f"s-{self._mark}-{self._count}",
            f"t-{self._mark}-{self._count}-{self.lab.random.getrandbits(64):x}",
            user or f"u-{self._mark}-{self._count}",
        )
        with self.lab.sql() as connection:
            connection.execute(
                "INSERT INTO sessions (session_id, user_id, expires_at) VALUES (%s, %s, %s)",
                [opened.session, opened.user, now + SESSION_SECONDS if expires is None else expires],
            )
            connection.execute(
                "INSERT INTO refresh_tokens (token_hash, session_id, expires_at) VALUES (%s, %s, %s)",
                [
                    digest(opened.token),
                    opened.session,
                    now + REFRESH_SECONDS if token_expires is None else token_expires,
                ],
            )
        return opened

    def use(self, token: str, now: float) -> dict[str, Any] | None:
        """Refresh once."""
        return self.told(self.lab.call("on_own_connection", self.function, token, now))

    def told(self, answer: Any) -> dict[str, Any] | None:
        """An answer of the right shape, or None."""
        require(
            answer is None
            or (
                isinstance(answer, dict)
                and isinstance(answer.get("token"), str)
                and isinstance(answer.get("session"), str)
            ),
            f'{self.function} must return {{"session": …, "token": …}} or None.',
        )
        assert answer is None or isinstance(answer, dict)
        return answer

    def goes_on(self, opened: Opened, token: str, now: float, message: str) -> str:
        """Refresh with a token that must be good; returns its successor."""
        answer = self.use(token, now)
        require(answer is not None, message)
        assert answer is not None
        require(answer["session"] == opened.session, "The answer names another session than the token's.")
        require(answer["token"] != token, "The answer holds the same token again: it must be a new one.")
        row = self.token(answer["token"])
        require(
            row is not None,
            "The successor in the answer is not in the database. Is the transaction committed, and only the hash stored?",
        )
        return str(answer["token"])

    def refused(self, token: str, now: float, message: str) -> None:
        """Refresh with a token that must not be accepted."""
        require(self.use(token, now) is None, message)

    def token(self, token: str) -> tuple[str, float, float | None, str | None] | None:
        """State, expiry, first use and successor of a token."""
        with self.lab.sql() as connection:
            return connection.execute(
                "SELECT state, expires_at, used_at, successor FROM refresh_tokens WHERE token_hash = %s",
                [digest(token)],
            ).fetchone()

    def ended_at(self, opened: Opened) -> float | None:
        """When a session ended, if it did."""
        with self.lab.sql() as connection:
            row = connection.execute(
                "SELECT ended_at FROM sessions WHERE session_id = %s", [opened.session]
            ).fetchone()
        require(row is not None, "A session disappeared from its table: sessions end, they are not deleted.")
        assert row is not None
        return None if row[0] is None else float(row[0])

    def everything(self, opened: Opened) -> list[tuple[Any, ...]]:
        """All rows of a session and its tokens."""
        with self.lab.sql() as connection:
            rows = connection.execute(
                "SELECT * FROM sessions WHERE session_id = %s", [opened.session]
            ).fetchall()
            rows += connection.execute(
                "SELECT * FROM refresh_tokens WHERE session_id = %s ORDER BY token_hash", [opened.session]
            ).fetchall()
        return rows


def digest(token: str) -> str:
    """What is stored of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


START_SECONDS, MEET_SECONDS = 20.0, 8.0
"""How long the first of many uses has to come to a lock, and how long the others have after it."""
WAITING = "SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted"
# Before the statement, not for its rows: who comes here has decided what to write, and holds no lock by coming here.
_HOLD = """
CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared({key});
    RETURN NULL;
END $$;
CREATE TRIGGER {name} BEFORE UPDATE ON refresh_tokens FOR EACH STATEMENT EXECUTE FUNCTION {name}();
"""


def at_the_same_moment(lab: LabUnderTest, function: str, calls: Sequence[Sequence[JSON]]) -> list[CallOutcome]:
    """Make calls of which none may change a refresh token before each of them waits for a lock.

    By then each has read what it reads without one. A call that is through, or that waits for something else than the
    database, keeps the others for MEET_SECONDS at most.
    """
    key = lab.random.getrandbits(31)
    name, number = sql.Identifier(f"held_{key:08x}"), sql.Literal(key)
    with ThreadPoolExecutor(1) as pool, lab.sql(autocommit=True) as holder:
        holder.execute(sql.SQL(_HOLD).format(name=name, key=number))
        try:
            holder.execute(sql.SQL("SELECT pg_advisory_lock({})").format(number))
            pending = pool.submit(lab.call_many, function, calls, workers=len(calls), timeout=40.0)
            _wait_for_all(holder, pending, len(calls))
            holder.execute(sql.SQL("SELECT pg_advisory_unlock({})").format(number))
            return pending.result()
        finally:
            holder.execute(sql.SQL("SELECT pg_advisory_unlock_all()"))
            # When calls never end, it is they who are to be told of.
            with suppress(psycopg.errors.LockNotAvailable):
                holder.execute(sql.SQL("DROP FUNCTION {} CASCADE").format(name))


def _wait_for_all(holder: psycopg.Connection[Any], pending: Future[Any], count: int) -> None:
    deadline, first_came = time.monotonic() + START_SECONDS, False
    while time.monotonic() < deadline and not pending.done():
        row = holder.execute(WAITING).fetchone()
        waiting = int(row[0]) if row else 0
        if waiting >= count:
            return
        if waiting and not first_came:
            first_came, deadline = True, time.monotonic() + MEET_SECONDS
        time.sleep(0.01)
