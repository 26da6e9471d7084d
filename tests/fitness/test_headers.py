"""What every response carries, and where the portal may be opened."""

from __future__ import annotations

import pytest

from portal.settings import Settings
from tests.fixtures.portal import Client

PAGES = ["/", "/account/sign-in", "/no-such-page", "/healthz"]


@pytest.mark.parametrize("path", PAGES)
def test_the_policy_allows_no_inline_script_or_style(anonymous: Client, settings: Settings, path: str) -> None:
    policy = anonymous.get(path).headers["Content-Security-Policy"]
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert f"frame-src {settings.sandbox_origin_effective};" in policy


def test_only_lessons_with_diagrams_may_have_inline_style(learner: Client) -> None:
    plain = learner.get("/roadmap/").headers["Content-Security-Policy"]
    lesson = learner.get("/lessons/sagas-and-compensation").headers["Content-Security-Policy"]
    assert "unsafe-inline" not in plain
    assert "style-src 'self' 'unsafe-inline'" in lesson
    assert "script-src 'self';" in lesson


def test_cookies_are_out_of_reach_of_script_and_of_other_sites(anonymous: Client) -> None:
    cookie = anonymous.flask.get("/account/sign-in", base_url=anonymous.origin).headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie


def test_behind_https_cookies_are_secure_and_bound_to_the_host() -> None:
    from portal.app import flask_config

    config = flask_config(
        Settings(portal_origin="https://learn.example", sandbox_origin="https://box.example", secret_key="x")
    )
    assert config["SESSION_COOKIE_SECURE"] is True
    assert str(config["SESSION_COOKIE_NAME"]).startswith("__Host-")


def test_the_sandboxes_host_name_leads_back_to_the_portal(anonymous: Client) -> None:
    response = anonymous.flask.get("/roadmap/?x=1", base_url="http://127.0.0.1:8000")
    assert response.status_code == 302
    assert response.location == "http://localhost:8000/roadmap/?x=1"
    assert "Set-Cookie" not in response.headers


def test_a_form_sent_to_another_host_name_is_refused(anonymous: Client) -> None:
    assert anonymous.flask.post("/account/sign-in", base_url="http://127.0.0.1:8000").status_code == 400


def test_the_bundle_may_be_cached_for_ever_and_pages_not_at_all(anonymous: Client) -> None:
    page = anonymous.get("/")
    assert page.headers["Cache-Control"] == "no-store"
    import re

    asset = re.search(r'src="(/static/dist/[^"]+\.js)"', page.text)
    assert asset
    assert "immutable" in anonymous.get(asset[1]).headers["Cache-Control"]
