"""Whom a service believes: attacks on tokens, keys that change and vanish, and what each caller may do."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Annotated, Any

import httpx
import pytest
from cryptography.hazmat.primitives import serialization
from fastapi import Depends, FastAPI

from reference_impl.shared import auth, problems
from reference_impl.shared.auth import Caller, InvalidToken, Principal, Verifier, Visitor, needs
from reference_impl.shared.jwks import KeyRing, KeysUnavailable, parse
from tests.unit.reference_impl.tokens import SUBJECT, Published, Signer

SIGNER = Signer()


class Clock:
    def __init__(self, at: float = 0.0) -> None:
        self.at = at

    def __call__(self) -> float:
        return self.at


def encoded(part: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


def unsigned() -> str:
    return f"{encoded({'alg': 'none', 'typ': auth.TOKEN_TYPE, 'kid': 'k1'})}.{encoded(SIGNER.claims())}."


def signed_with_the_public_key(algorithm: str = "HS256") -> str:
    public = SIGNER.private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    head = f"{encoded({'alg': algorithm, 'typ': auth.TOKEN_TYPE, 'kid': 'k1'})}.{encoded(SIGNER.claims())}"
    mac = base64.urlsafe_b64encode(hmac.new(public, head.encode(), hashlib.sha256).digest()).rstrip(b"=")
    return f"{head}.{mac.decode()}"


def with_a_key_of_its_own() -> str:
    """Signed by a stranger, who sends his own public key along."""
    stranger = Signer()
    return stranger.token(headers={"jwk": stranger.jwk(), "jku": "http://stranger/jwks.json"})


def promoted() -> str:
    head, _, tail = SIGNER.token().split(".")
    return f"{head}.{encoded(SIGNER.claims(roles=['admin']))}.{tail}"


ATTACKS: dict[str, Callable[[], str]] = {
    "no signature at all": unsigned,
    "HMAC with the public key": signed_with_the_public_key,
    "HMAC with the public key, called ES256": lambda: signed_with_the_public_key("ES256"),
    "a stranger's key under our id": lambda: Signer().token(),
    "a stranger's key in the header": with_a_key_of_its_own,
    "claims changed after signing": promoted,
    "another audience": lambda: SIGNER.token(aud="urn:somebody:else"),
    "no audience": lambda: SIGNER.token(aud=None),
    "another issuer": lambda: SIGNER.token(iss="urn:somebody:else"),
    "expired": lambda: SIGNER.token(exp=int(time.time()) - 6),
    "never expires": lambda: SIGNER.token(exp=None),
    "not yet valid": lambda: SIGNER.token(nbf=int(time.time()) + 60),
    "no subject": lambda: SIGNER.token(sub=None),
    "another kind of JWT": lambda: SIGNER.token(headers={"typ": "JWT"}),
    "no key id": lambda: SIGNER.token(headers={"kid": ""}),
    "a path as key id": lambda: SIGNER.token(headers={"kid": "../../etc/passwd"}),
    "an unknown key id": lambda: SIGNER.token(headers={"kid": "k2"}),
    "roles that are no list": lambda: SIGNER.token(roles="admin"),
    "a kind that only the inside has": lambda: SIGNER.token(kind="internal"),
    "not a JWT": lambda: "hello",
    "three dots": lambda: "...",
    "a huge one": lambda: SIGNER.token(padding="x" * 5000),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_token_that_the_user_service_did_not_sign_for_us_is_refused(attack: str) -> None:
    verifier = Verifier(KeyRing(Published(SIGNER)))
    with pytest.raises(InvalidToken):
        asyncio.run(verifier.verify(ATTACKS[attack]()))


def test_an_honest_token_says_who_calls() -> None:
    token = SIGNER.token(roles=["customer", "vendor"], scope="orders:read orders:write", kind="api-key")
    found = asyncio.run(Verifier(KeyRing(Published(SIGNER))).verify(token))
    assert found == Principal(
        SUBJECT,
        frozenset({"customer", "vendor"}),
        frozenset({"orders:read", "orders:write"}),
        auth.Kind.API_KEY,
    )


def test_a_token_seen_before_still_expires_and_dies_with_its_key() -> None:
    wall, steady, published = Clock(time.time()), Clock(), Published(SIGNER)
    verifier = Verifier(KeyRing(published, steady), wall)
    token = SIGNER.token(iat=int(wall.at), nbf=int(wall.at), exp=int(wall.at) + 300)

    async def scenario() -> None:
        await verifier.verify(token)
        published.signers = [Signer("k2")]
        steady.at = 301
        with pytest.raises(InvalidToken, match="unknown key"):
            await verifier.verify(token)
        published.signers = [SIGNER]
        steady.at = 602
        await verifier.verify(token)
        wall.at += 306
        with pytest.raises(InvalidToken, match="expired"):
            await verifier.verify(token)

    asyncio.run(scenario())


def test_a_new_key_is_found_at_once_and_the_old_one_still_holds() -> None:
    clock, published, newer = Clock(), Published(SIGNER), Signer("k2")
    verifier = Verifier(KeyRing(published, clock))

    async def scenario() -> None:
        await verifier.verify(SIGNER.token())
        published.signers.append(newer)
        clock.at = 10
        await verifier.verify(newer.token())
        await verifier.verify(SIGNER.token())

    asyncio.run(scenario())
    assert published.asked == 2


def test_a_flood_of_unknown_key_ids_costs_one_fetch_in_ten_seconds() -> None:
    clock, published = Clock(), Published(SIGNER)
    verifier = Verifier(KeyRing(published, clock))

    async def scenario() -> None:
        for number in range(200):
            clock.at = number * 0.1
            with pytest.raises(InvalidToken):
                await verifier.verify(Signer(f"made-up-{number}").token())
            await verifier.verify(SIGNER.token())

    asyncio.run(scenario())
    assert published.asked == 2


def test_a_user_service_that_is_down_is_outlived_for_an_hour() -> None:
    clock, published = Clock(), Published(SIGNER)
    verifier = Verifier(KeyRing(published, clock))

    async def scenario() -> None:
        await verifier.verify(SIGNER.token())
        published.down = True
        clock.at = 3599
        await verifier.verify(SIGNER.token())
        clock.at = 3600
        with pytest.raises(KeysUnavailable):
            await verifier.verify(SIGNER.token())
        published.down = False
        clock.at = 3611
        await verifier.verify(SIGNER.token())

    asyncio.run(scenario())


def test_nobody_waits_for_keys_while_somebody_asks_for_them_already() -> None:
    clock, published = Clock(), Published(SIGNER)
    answer = asyncio.Event()

    async def slow() -> Any:
        await answer.wait()
        return await published()

    async def scenario() -> None:
        ring = KeyRing(published, clock)
        await ring.get("k1")
        ring._fetch = slow
        clock.at = 301
        first = asyncio.create_task(ring.get("k1"))
        await asyncio.sleep(0)
        assert await asyncio.wait_for(ring.get("k1"), 60) is not None
        assert not first.done()
        answer.set()
        await first

    asyncio.run(scenario())


def test_only_public_signing_keys_on_our_curve_are_taken() -> None:
    good = SIGNER.jwk()
    secret = good | {"kid": "private", "d": "AAAA"}
    others = [
        good | {"kid": "enc", "use": "enc"},
        {"kty": "oct", "k": "AAAA", "kid": "hmac"},
        {"kty": "EC"},
        "text",
    ]
    broken = good | {"kid": "broken", "x": "!"}
    assert set(parse({"keys": [secret, *others, broken, good]})) == {"k1"}
    for nonsense in ([], {}, {"keys": "none"}, None):
        with pytest.raises(ValueError, match="JWK set"):
            parse(nonsense)


def application(published: Published, *, trust_network: bool) -> FastAPI:
    app = FastAPI()
    problems.install(app)
    auth.install(app, Verifier(KeyRing(published)), trust_network=trust_network)

    @app.get("/public")
    async def public(who: Visitor) -> str:
        return who.kind

    @app.get("/own")
    async def own(who: Caller) -> str:
        return who.kind

    @app.get("/vendor")
    async def vendor(who: Annotated[Principal, Depends(needs("vendor"))]) -> str:
        return who.kind

    return app


def ask(
    path: str,
    token: str | None = None,
    *,
    trust: bool = True,
    published: Published | None = None,
    **headers: str,
):
    app = application(published or Published(SIGNER), trust_network=trust)
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            return await client.get(path, headers=headers)

    return asyncio.run(send())


@pytest.mark.parametrize(
    ("roles", "path", "status"),
    [
        (["customer"], "/vendor", 403),
        (["vendor"], "/vendor", 200),
        (["admin"], "/vendor", 200),
        ([], "/own", 200),
    ],
)
def test_a_role_opens_what_it_is_for(roles: list[str], path: str, status: int) -> None:
    assert ask(path, SIGNER.token(roles=roles)).status_code == status


def test_without_a_token_one_is_internal_only_where_the_network_is_trusted() -> None:
    assert ask("/vendor").json() == "internal"
    assert ask("/vendor", trust=False).status_code == 401
    assert ask("/public", trust=False).json() == "anonymous"


def test_the_header_of_the_gateway_takes_rights_away_and_gives_none() -> None:
    marked = {auth.ANONYMOUS_HEADER: "1"}
    assert ask("/public", **marked).json() == "anonymous"
    answer = ask("/own", **marked)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert ask("/own", SIGNER.token(), **marked).json() == "user"


def test_a_bad_token_is_told_even_where_none_is_needed() -> None:
    answer = ask("/public", unsigned())
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"].endswith("invalid-token")
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]
    assert ask("/public", Authorization="Basic dXNlcjpwYXNz").status_code == 401


def test_without_keys_the_answer_is_503_and_not_401() -> None:
    published = Published(SIGNER)
    published.down = True
    answer = ask("/own", SIGNER.token(), published=published)
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "10"


def test_who_owns_what() -> None:
    customer = Principal(SUBJECT, frozenset({"customer"}))
    assert customer.owns(SUBJECT)
    assert not customer.owns("6" * 32)
    assert not customer.owns(None)
    assert not auth.ANONYMOUS.owns("")
    assert not auth.ANONYMOUS.owns(None)
    assert auth.INTERNAL.owns("anybody")
    assert Principal("1", frozenset({"admin"})).owns("anybody")
