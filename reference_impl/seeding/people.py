"""Accounts to try Meridian with. All have the same password, which is no secret: they are for a machine of one's own."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import httpx

from reference_impl.client import pages
from reference_impl.seeding.filling import Refused, accepted

PASSWORD = "meridian for everybody"  # noqa: S105 - of accounts that are examples
DOMAIN = "meridian.example"
AT_ONCE = 4
"""As many passwords as the user service hashes at once."""
TRIES = 10
Progress = Callable[[str], None]

FIRST = (
    "Ada", "Amir", "Bea", "Chen", "Dana", "Emil", "Farah", "Goran", "Hana", "Igor", "Jun", "Kofi", "Lea", "Mira",
    "Nils", "Oya", "Paula", "Quentin", "Rosa", "Sami", "Tara", "Umar", "Vera", "Wanda", "Yusuf", "Zoe",
)  # fmt: skip
LAST = (
    "Abe", "Brandt", "Costa", "Diaz", "Eriksen", "Fischer", "Garcia", "Hassan", "Ito", "Jensen", "Kaya", "Lopez",
    "Moreau", "Novak", "Okafor", "Petrov", "Rossi", "Silva", "Tanaka", "Usman", "Vogel", "Weber", "Yilmaz", "Zhou",
)  # fmt: skip


@dataclass(frozen=True)
class Person:
    """Somebody with an account."""

    email: str
    name: str
    roles: tuple[str, ...] = ("customer",)


@dataclass(frozen=True)
class SignedIn:
    """A session."""

    token: str
    refresh_token: str
    seconds: float
    """How long the token is good."""


ADMIN = Person(f"admin@{DOMAIN}", "Admin", ("admin", "customer"))


def customers(count: int) -> list[Person]:
    """So many customers."""
    return [Person(f"customer-{number}@{DOMAIN}", _name(number)) for number in range(count)]


def vendors(count: int) -> list[Person]:
    """So many who sell something."""
    return [
        Person(f"vendor-{number}@{DOMAIN}", _name(number * 7 + 3), ("customer", "vendor"))
        for number in range(count)
    ]


def ensure(
    client: httpx.Client, wanted: Sequence[Person], progress: Progress = lambda _line: None
) -> list[str]:
    """Register those who have no account, and give all of them their roles; their ids. Raises Refused."""
    known = {str(user["email"]): user for user in pages(client, "/users", "users")}
    missing = [person for person in wanted if person.email not in known]
    done = 0
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for made in pool.map(lambda person: _register(client, person), missing):
            known[str(made["email"])] = made
            done += 1
            if done % 10 == 0:
                progress(f"accounts {done} of {len(missing)}")
    ids = []
    for person in wanted:
        user = known[person.email]
        if set(user["roles"]) != set(person.roles):
            accepted(client.put(f"/users/{user['id']}/roles", json={"roles": list(person.roles)}))
        ids.append(str(user["id"]))
    return ids


def sign_in(client: httpx.Client, person: Person) -> SignedIn:
    """A session of one of them. Raises Refused."""
    body = {"grant_type": "password", "email": person.email, "password": PASSWORD}
    said = accepted(_patiently(client, "/auth/token", body))
    return SignedIn(said["access_token"], said["refresh_token"], float(said["expires_in"]))


def _register(client: httpx.Client, person: Person) -> dict[str, object]:
    body = {"email": person.email, "name": person.name, "password": PASSWORD}
    answer = _patiently(client, "/users", body)
    if answer.status_code == 409:  # somebody else has seeded meanwhile
        found = accepted(client.get("/users", params={"email": person.email}))["users"]
        if not found:
            raise Refused(f"{person.email} is taken and not there.")
        return dict(found[0])
    return dict(accepted(answer))


def _patiently(client: httpx.Client, path: str, body: dict[str, str]) -> httpx.Response:
    """Send it again while too many passwords are hashed at once."""
    for attempt in range(1, TRIES + 1):
        answer = client.post(path, json=body)
        if answer.status_code != 503 or attempt == TRIES:
            return answer
        time.sleep(0.2 * attempt)
    raise AssertionError("unreachable")


def _name(number: int) -> str:
    return f"{FIRST[number % len(FIRST)]} {LAST[number * 5 % len(LAST)]}"
