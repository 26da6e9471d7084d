"""The user service over HTTP: what it tells, and what it does not."""

from __future__ import annotations

from functools import partial
from typing import Any

import httpx
import jwt
import pytest

from reference_impl.services.user import api, throttle
from reference_impl.services.user.accounts import Accounts
from reference_impl.services.user.models import Attempts
from reference_impl.services.user.secrets import Passwords
from reference_impl.shared.events import now
from tests.unit.reference_impl.conftest import MakeShop, Shop

QUICK = {"user_hash_memory_kib": "64", "user_hash_rounds": "1"}
PASSWORD = "correct horse battery"


@pytest.fixture
def shop(make_shop: MakeShop) -> Shop:
    return make_shop(sections=QUICK)


@pytest.fixture
def moment(make_shop: MakeShop, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """A shop whose accounts live in one moment: the first block lasts a second, and a slow machine must not outlast it."""
    at = now()
    monkeypatch.setattr(api, "Accounts", partial(Accounts, clock=lambda: at))
    return make_shop(sections=QUICK)


def register(shop: Shop, email: str = "ada@example.org") -> str:
    body = {"email": email, "name": "Ada", "password": PASSWORD}
    return str(shop.http.post("/users", json=body).raise_for_status().json()["id"])


def sign_in(
    shop: Shop, email: str = "ada@example.org", password: str = PASSWORD, **headers: str
) -> httpx.Response:
    body = {"grant_type": "password", "email": email, "password": password}
    return shop.http.post("/auth/token", json=body, headers=headers)


def refresh(shop: Shop, token: str) -> httpx.Response:
    return shop.http.post("/auth/token", json={"grant_type": "refresh_token", "refresh_token": token})


def bearer(answer: httpx.Response) -> dict[str, str]:
    return {"Authorization": f"Bearer {answer.raise_for_status().json()['access_token']}"}


def events(shop: Shop, kind: str) -> list[dict[str, Any]]:
    shop.settle()
    return [event for event in shop.http.get("/events").json()["events"] if event["type"] == kind]


def test_somebody_registers_signs_in_and_is_known(shop: Shop) -> None:
    user_id = register(shop, "Ada@Example.org")
    answer = sign_in(shop)
    assert answer.headers["cache-control"] == "no-store"
    me = shop.http.get("/users/me", headers=bearer(answer)).json()
    assert (me["id"], me["email"], me["roles"]) == (user_id, "ada@example.org", ["customer"])
    assert answer.json()["expires_in"] == 300
    said = events(shop, "UserRegistered")
    assert [event["payload"]["user_id"] for event in said] == [user_id]


def test_an_address_has_one_account(shop: Shop) -> None:
    register(shop)
    body = {"email": "ADA@example.org", "name": "Eve", "password": PASSWORD}
    answer = shop.http.post("/users", json=body)
    assert answer.status_code == 409
    assert len(events(shop, "UserRegistered")) == 1


def test_a_password_is_not_found_in_an_error(shop: Shop) -> None:
    answer = shop.http.post("/users", json={"email": "no address", "name": "Ada", "password": "s3cret-s3cret"})
    assert answer.status_code == 422
    assert "s3cret" not in answer.text


def test_an_unknown_address_and_a_wrong_password_are_answered_alike(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(shop)
    looked_at = []
    original = Passwords.verify

    def counting(self: Passwords, stored: str | None, password: str) -> bool:
        looked_at.append(stored)
        return original(self, stored, password)

    monkeypatch.setattr(Passwords, "verify", counting)
    wrong, unknown = sign_in(shop, password="not this one"), sign_in(shop, "eve@example.org")
    assert wrong.status_code == unknown.status_code == 401
    assert wrong.json() == unknown.json()
    assert looked_at[0] is not None
    assert looked_at[1:] == [None]


def test_a_hash_is_computed_for_nobody_too(monkeypatch: pytest.MonkeyPatch) -> None:
    from argon2 import PasswordHasher

    from reference_impl.services.user.settings import UserSettings

    passwords = Passwords(UserSettings(hash_memory_kib=64, hash_rounds=1))
    computed = []
    original = PasswordHasher.verify
    monkeypatch.setattr(
        PasswordHasher, "verify", lambda *given: (computed.append(given[1]), original(*given))[1]
    )
    assert not passwords.verify(None, PASSWORD)
    assert computed[0].startswith("$argon2id$v=19$m=64,t=1,p=1$")


def test_a_stricter_setting_takes_hold_at_the_next_sign_in(make_shop: MakeShop, tmp_path: Any) -> None:
    data = tmp_path / "kept"
    weak = make_shop(data=data, sections=QUICK)
    register(weak)
    strict = make_shop(data=data, sections=QUICK | {"user_hash_rounds": "2"})
    sign_in(strict).raise_for_status()
    service = next(service for service in strict.built.runtime.services if service.name == "user")
    from reference_impl.services.user.models import User

    with service.database.read() as session:
        assert "t=2" in session.query(User).one().password_hash
    sign_in(strict).raise_for_status()


def test_guessing_is_throttled_whether_there_is_an_account_or_not(moment: Shop) -> None:
    register(moment)
    for email in ("ada@example.org", "nobody@example.org"):
        statuses = [sign_in(moment, email, "guess").status_code for _ in range(6)]
        assert statuses == [401] * 5 + [429]
    blocked = sign_in(moment)
    assert blocked.status_code == 429, "the right password must not be told from a wrong one while blocked"
    assert int(blocked.headers["retry-after"]) >= 1
    assert blocked.json()["type"].endswith("too-many-attempts")


def test_the_owner_gets_in_while_a_stranger_guesses(moment: Shop) -> None:
    register(moment)
    for _ in range(8):
        sign_in(moment, password="guess", **{"X-Forwarded-For": "203.0.113.9"})
    assert sign_in(moment, **{"X-Forwarded-For": "198.51.100.7"}).status_code == 200
    # What is left of the last address, the caller may have made up.
    forged = sign_in(moment, **{"X-Forwarded-For": "198.51.100.7, 203.0.113.9"})
    assert forged.status_code == 429


def test_what_was_tried_is_stored_as_a_hash(shop: Shop) -> None:
    sign_in(shop, "nobody@example.org", "guess")
    service = next(service for service in shop.built.runtime.services if service.name == "user")
    with service.database.read() as session:
        keys = [row.key for row in session.query(Attempts).all()]
    assert set(keys) == {allowance.key for allowance in throttle.sign_in("nobody@example.org", "")}


def test_a_refresh_token_works_once(shop: Shop) -> None:
    register(shop)
    first = sign_in(shop).json()["refresh_token"]
    second = refresh(shop, first).raise_for_status().json()["refresh_token"]
    third = refresh(shop, second).raise_for_status().json()["refresh_token"]
    assert len({first, second, third}) == 3
    # A stolen token comes late: its successor has been used. Everybody who holds this session is out.
    assert refresh(shop, first).status_code == 401
    assert refresh(shop, third).status_code == 401
    assert len(events(shop, "RefreshTokenReused")) == 1


def test_another_session_outlives_a_reuse(shop: Shop) -> None:
    register(shop)
    stolen, other = (sign_in(shop).json()["refresh_token"] for _ in range(2))
    refresh(shop, refresh(shop, stolen).json()["refresh_token"]).raise_for_status()
    assert refresh(shop, stolen).status_code == 401
    assert refresh(shop, other).status_code == 200


def test_signing_out_ends_one_session_or_all(shop: Shop) -> None:
    register(shop)
    answers = [sign_in(shop, **{"User-Agent": f"phone {number}"}) for number in range(4)]
    tokens = [answer.json()["refresh_token"] for answer in answers]
    headers = bearer(answers[0])
    listed = shop.http.get("/auth/sessions", headers=headers).json()
    assert {session["device"] for session in listed} == {f"phone {number}" for number in range(4)}
    shop.http.post("/auth/sign-out", json={"refresh_token": tokens[0]}).raise_for_status()
    assert refresh(shop, tokens[0]).status_code == 401
    second = next(session["id"] for session in listed if session["device"] == "phone 1")
    shop.http.delete(f"/auth/sessions/{second}", headers=headers).raise_for_status()
    assert refresh(shop, tokens[1]).status_code == 401
    assert refresh(shop, tokens[2]).status_code == 200
    shop.http.delete("/auth/sessions", headers=headers).raise_for_status()
    assert refresh(shop, tokens[3]).status_code == 401
    assert shop.http.get("/auth/sessions", headers=headers).json() == []


def test_nobody_ends_somebody_elses_session(shop: Shop) -> None:
    register(shop)
    register(shop, "eve@example.org")
    ada, eve = sign_in(shop), sign_in(shop, "eve@example.org")
    session = shop.http.get("/auth/sessions", headers=bearer(ada)).json()[0]["id"]
    assert shop.http.delete(f"/auth/sessions/{session}", headers=bearer(eve)).status_code == 404
    assert refresh(shop, ada.json()["refresh_token"]).status_code == 200


def test_a_forgotten_password_is_replaced_once(shop: Shop) -> None:
    register(shop)
    session = sign_in(shop).json()["refresh_token"]
    known = shop.http.post("/auth/password-resets", json={"email": "ADA@example.org"})
    unknown = shop.http.post("/auth/password-resets", json={"email": "nobody@example.org"})
    assert (known.status_code, known.json()) == (unknown.status_code, unknown.json()) == (202, known.json())
    (event,) = events(shop, "PasswordResetRequested")
    confirmation = {"token": event["payload"]["token"], "password": "another long one"}
    assert shop.http.post("/auth/password-resets/confirm", json=confirmation).status_code == 204
    again = shop.http.post("/auth/password-resets/confirm", json=confirmation)
    assert (again.status_code, again.json()["type"]) == (422, "urn:meridian:problem:reset-token-invalid")
    assert refresh(shop, session).status_code == 401
    assert sign_in(shop).status_code == 401
    assert sign_in(shop, password="another long one").status_code == 200
    assert len(events(shop, "PasswordChanged")) == 1


def test_a_newer_reset_replaces_the_older_and_a_flood_of_them_ends(moment: Shop) -> None:
    register(moment)
    for _ in range(6):
        assert moment.http.post("/auth/password-resets", json={"email": "ada@example.org"}).status_code == 202
    tokens = [event["payload"]["token"] for event in events(moment, "PasswordResetRequested")]
    assert len(tokens) == 3
    statuses = [
        moment.http.post(
            "/auth/password-resets/confirm", json={"token": token, "password": PASSWORD}
        ).status_code
        for token in tokens
    ]
    assert statuses == [422, 422, 204]


def test_only_an_administrator_grants_roles(shop: Shop) -> None:
    ada, eve = register(shop), register(shop, "eve@example.org")
    mine = bearer(sign_in(shop))
    granted = {"roles": ["vendor", "customer"]}
    assert shop.http.put(f"/users/{ada}/roles", json=granted, headers=mine).status_code == 403
    assert shop.http.get("/users", headers=mine).status_code == 403
    assert shop.http.get(f"/users/{eve}", headers=mine).status_code == 403
    assert shop.http.get(f"/users/{ada}", headers=mine).status_code == 200
    assert shop.http.post("/auth/signing-keys/rotation", headers=mine).status_code == 403
    # From inside, which is how the first administrator is made.
    shop.http.put(f"/users/{eve}/roles", json={"roles": ["admin"]}).raise_for_status()
    admin = bearer(sign_in(shop, "eve@example.org"))
    assert shop.http.put(f"/users/{ada}/roles", json=granted, headers=admin).json()["roles"] == [
        "customer",
        "vendor",
    ]
    found = shop.http.get("/users", params={"email": "Ada@example.org"}, headers=admin).json()["users"]
    assert [user["id"] for user in found] == [ada]
    claims = jwt.decode(bearer(sign_in(shop))["Authorization"][7:], options={"verify_signature": False})
    assert claims["roles"] == ["customer", "vendor"]
    assert [event["key"] for event in events(shop, "RolesChanged")] == [eve, ada]


def test_an_api_key_becomes_a_token_of_less_weight(shop: Shop) -> None:
    ada = register(shop)
    shop.http.put(f"/users/{ada}/roles", json={"roles": ["admin", "vendor"]}).raise_for_status()
    mine = bearer(sign_in(shop))
    made = shop.http.post("/api-keys", json={"name": "shop", "scopes": ["orders:read"]}, headers=mine)
    key = made.raise_for_status().json()
    exchanged = shop.http.post("/auth/token", json={"grant_type": "api_key", "api_key": key["key"]})
    answer = exchanged.raise_for_status().json()
    assert (answer["plan"], answer["key_id"], answer["refresh_token"]) == ("free", key["id"], None)
    claims = jwt.decode(answer["access_token"], options={"verify_signature": False})
    assert (claims["sub"], claims["roles"], claims["scope"], claims["kind"]) == (
        ada,
        ["vendor"],
        "orders:read",
        "api-key",
    )
    headers = bearer(exchanged)
    for method, path in (
        ("GET", "/api-keys"),
        ("GET", "/auth/sessions"),
        ("GET", "/users/me"),
        ("GET", "/users"),
    ):
        assert shop.http.request(method, path, headers=headers).status_code == 403, path
    listed = shop.http.get("/api-keys", headers=mine)
    assert key["key"] not in listed.text
    assert "secret" not in listed.text
    assert listed.json()[0]["used_at"] is not None
    shop.http.put(f"/api-keys/{key['id']}/plan", json={"plan": "partner"}, headers=mine).raise_for_status()
    assert (
        shop.http.post("/auth/token", json={"grant_type": "api_key", "api_key": key["key"]}).json()["plan"]
        == "partner"
    )
    shop.http.delete(f"/api-keys/{key['id']}", headers=mine).raise_for_status()
    refused = shop.http.post("/auth/token", json={"grant_type": "api_key", "api_key": key["key"]})
    assert refused.status_code == 401


def test_a_wrong_secret_and_an_unknown_key_are_answered_alike(shop: Shop) -> None:
    register(shop)
    mine = bearer(sign_in(shop))
    key = shop.http.post("/api-keys", json={"name": "a", "scopes": ["orders:read"]}, headers=mine).json()["key"]
    others = [key[:-1] + ("A" if key[-1] != "A" else "B"), "mk_000000000000_" + "x" * 43, "hello"]
    answers = [
        shop.http.post("/auth/token", json={"grant_type": "api_key", "api_key": other}) for other in others
    ]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.text for answer in answers}) == 1


def test_keys_are_bounded_and_belong_to_their_owner(make_shop: MakeShop) -> None:
    shop = make_shop(sections=QUICK | {"user_api_keys_each": "2"})
    register(shop)
    register(shop, "eve@example.org")
    mine, hers = bearer(sign_in(shop)), bearer(sign_in(shop, "eve@example.org"))
    body = {"name": "a", "scopes": ["orders:read"]}
    made = [shop.http.post("/api-keys", json=body, headers=mine) for _ in range(3)]
    assert [answer.status_code for answer in made] == [201, 201, 409]
    first = made[0].json()["id"]
    assert shop.http.delete(f"/api-keys/{first}", headers=hers).status_code == 404
    assert shop.http.put(f"/api-keys/{first}/plan", json={"plan": "partner"}, headers=mine).status_code == 403
    late = body | {"expires_at": "2020-01-01T00:00:00Z"}
    assert shop.http.post("/api-keys", json=late, headers=hers).status_code == 422


def test_a_rotation_is_not_noticed_by_anybody(shop: Shop) -> None:
    register(shop)
    before = bearer(sign_in(shop))
    announced = [key["kid"] for key in shop.http.get("/auth/jwks.json").json()["keys"]]
    shop.http.post("/auth/signing-keys/rotation").raise_for_status()
    after = bearer(sign_in(shop))
    kid = jwt.get_unverified_header(after["Authorization"][7:])["kid"]
    assert kid in announced, "the next key is published before it signs"
    assert jwt.get_unverified_header(before["Authorization"][7:])["kid"] != kid
    for headers in (before, after):
        assert shop.http.get("/users/me", headers=headers).status_code == 200
    assert len(shop.http.get("/auth/jwks.json").json()["keys"]) == 3


def test_no_private_key_is_published(shop: Shop) -> None:
    answer = shop.http.get("/auth/jwks.json")
    assert answer.headers["cache-control"] == "public, max-age=300"
    for key in answer.json()["keys"]:
        assert set(key) == {"kty", "crv", "x", "y", "kid", "use", "alg"}


def test_the_fault_of_the_expired_key_has_tokens_refused(shop: Shop) -> None:
    register(shop)
    headers = bearer(sign_in(shop))
    shop.faults.set("user.expired-key", 1)
    answer = shop.http.get("/users/me", headers=headers)
    assert answer.status_code == 401
    assert "unknown key" in answer.json()["detail"]
