"""Signing in tells nobody who has an account, and is throttled."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from portal.app import create_app
from portal.content import Content
from portal.extensions import limiter
from portal.settings import Settings
from tests.factories import users
from tests.fixtures.portal import Client, NotedJobs


@pytest.fixture
def throttled(settings: Settings, content: Content) -> Iterator[Client]:
    app: Flask = create_app(replace(settings, rate_limits=True), content=content, jobs=NotedJobs())
    limiter.reset()
    yield Client(app.test_client(), settings.portal_origin_effective)
    limiter.reset()
    app.extensions["portal"].database.close()


def test_unknown_address_and_wrong_password_get_the_same_answer(anonymous: Client, db: Session) -> None:
    known = users.user(db, email="known@learn.example")
    db.commit()
    pages = []
    for email in (known.email, "nobody@learn.example"):
        response = anonymous.post("/account/sign-in", {"email": email, "password": "not the right one"})
        assert response.status_code == 422
        pages.append(response.text.replace(email, "ADDRESS"))
    strip = lambda page: [line for line in page.splitlines() if "csrf" not in line]  # noqa: E731
    assert strip(pages[0]) == strip(pages[1])


def test_guessing_is_throttled_with_a_time_to_try_again(throttled: Client, db: Session) -> None:
    victim = users.user(db, email="victim@learn.example")
    db.commit()
    codes = [
        throttled.post("/account/sign-in", {"email": victim.email, "password": f"guess {n}"}).status_code
        for n in range(6)
    ]
    assert codes == [422] * 5 + [429]
    blocked = throttled.post("/account/sign-in", {"email": victim.email, "password": users.PASSWORD})
    assert blocked.status_code == 429
    assert int(blocked.headers["Retry-After"]) > 0


def test_throttling_one_account_leaves_others_alone(throttled: Client, db: Session) -> None:
    other = users.user(db, email="other@learn.example")
    db.commit()
    for n in range(6):
        throttled.post("/account/sign-in", {"email": "victim@learn.example", "password": f"guess {n}"})
    assert (
        throttled.post("/account/sign-in", {"email": other.email, "password": users.PASSWORD}).status_code
        == 302
    )


@pytest.mark.parametrize(
    ("target", "place"),
    [
        ("/roadmap/", "/roadmap/"),
        ("//evil.example/", "/"),
        ("https://evil.example/", "/"),
        ("/\\evil.example", "/"),
        ("javascript:alert(1)", "/"),
    ],
)
def test_the_way_back_stays_on_our_pages(anonymous: Client, db: Session, target: str, place: str) -> None:
    user = users.user(db)
    db.commit()
    response = anonymous.post(
        "/account/sign-in", {"email": user.email, "password": users.PASSWORD}, query_string={"next": target}
    )
    assert response.location == place


def test_a_one_time_link_is_used_by_the_button_not_by_looking(
    anonymous: Client, settings: Settings, db: Session
) -> None:
    from portal.features.accounts import AccountService

    service = AccountService(db)
    token = service.make_sign_in_link(service.owner())
    db.commit()
    for _ in range(2):
        assert anonymous.get(f"/account/link/{token}").status_code == 200
    assert anonymous.post(f"/account/link/{token}").status_code == 302
    assert anonymous.get("/account/").status_code == 200
    anonymous.post("/account/sign-out")
    assert anonymous.post(f"/account/link/{token}").status_code == 404
