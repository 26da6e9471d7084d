"""Which headers pass, and which the gateway sets."""

from __future__ import annotations

import pytest
from multidict import CIMultiDict

from sandboxes.gateway import headers

PORTAL = "http://localhost:8000"


@pytest.mark.parametrize(
    "name",
    [
        "Cookie",
        "Authorization",
        "Referer",
        "Accept-Encoding",
        "X-Forwarded-For",
        "Transfer-Encoding",
        "Keep-Alive",
    ],
)
def test_what_is_none_of_the_sandboxes_business_is_not_passed_on(name: str) -> None:
    assert name not in headers.to_sandbox({name: "x", "Accept": "text/html"})


def test_host_origin_and_conditions_are_passed_on() -> None:
    sent = {
        "Host": "127.0.0.1:8001",
        "Origin": "http://127.0.0.1:8001",
        "If-None-Match": '"x"',
        "Range": "bytes=0-1",
    }
    assert headers.to_sandbox(sent) == sent


def test_headers_that_connection_names_are_not_passed_on() -> None:
    assert "X-Secret" not in headers.to_sandbox({"Connection": "close, X-Secret", "X-Secret": "x"})


def test_a_websocket_makes_its_own_handshake() -> None:
    sent = {"Sec-WebSocket-Key": "x", "Sec-WebSocket-Extensions": "permessage-deflate", "Origin": "http://h"}
    assert dict(headers.to_sandbox(sent, websocket=True)) == {"Origin": "http://h"}


@pytest.mark.parametrize(
    "name",
    [
        "Set-Cookie",
        "Service-Worker-Allowed",
        "Clear-Site-Data",
        "WWW-Authenticate",
        "Access-Control-Allow-Origin",
        "Refresh",
        "Link",
        "Strict-Transport-Security",
        "Connection",
        "Server",
        "X-Frame-Options",
    ],
)
def test_an_answer_cannot_reach_beyond_its_sandbox(name: str) -> None:
    assert name not in headers.from_sandbox({name: "x"}, "/tree")


def test_content_and_caching_pass() -> None:
    answer = {
        "Content-Type": "text/css",
        "ETag": '"x"',
        "Cache-Control": "no-cache",
        "Content-Range": "bytes 0-1/2",
    }
    assert dict(headers.from_sandbox(answer, "/files/a.css")) == answer


def test_what_says_nothing_of_caching_is_not_stored() -> None:
    assert headers.from_sandbox({}, "/api/contents")["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "path",
    [
        "/static/notebook/main.a7084e35c3230587.js?v=a7084e35c3230587",
        "/static/lab/0271fb5e3e1adc0f.woff",
        "/lab/extensions/@x/y/static/945.61b4a26b1eb41131.js",
    ],
)
def test_files_named_by_their_hash_are_kept_by_the_browser(path: str) -> None:
    caching = headers.from_sandbox({"Cache-Control": "no-cache"}, path)["Cache-Control"]
    assert caching == "private, max-age=31536000, immutable"


def test_a_learners_file_with_such_a_name_is_not_kept() -> None:
    assert headers.from_sandbox({}, "/files/main.a7084e35c3230587.js")["Cache-Control"] == "no-store"


def test_jupyters_policy_is_replaced_but_for_the_sandbox_of_files() -> None:
    policy = "frame-ancestors 'none'; report-uri /x; sandbox allow-scripts allow-x=1"
    assert headers.from_sandbox({"Content-Security-Policy": policy}, "/files/a.html")[
        "Content-Security-Policy"
    ] == ("sandbox allow-scripts")
    assert "Content-Security-Policy" not in headers.from_sandbox(
        {"Content-Security-Policy": "default-src *"}, "/tree"
    )


def test_every_answer_says_who_may_frame_it_and_gives_no_address_away() -> None:
    answer: CIMultiDict[str] = CIMultiDict({"Content-Security-Policy": "sandbox"})
    headers.add_own(answer, PORTAL)
    assert answer.getall("Content-Security-Policy") == ["sandbox", f"frame-ancestors {PORTAL} 'self'"]
    assert answer["Referrer-Policy"] == "no-referrer"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Cross-Origin-Resource-Policy"] == "same-origin"
    assert answer["Cross-Origin-Opener-Policy"] == "same-origin"


@pytest.mark.parametrize(
    ("origins", "own"),
    [
        (["http://127.0.0.1:8001"], True),
        ([], False),
        (["null"], False),
        ([PORTAL], False),
        (["https://127.0.0.1:8001"], False),
        (["http://127.0.0.1:8001", "http://127.0.0.1:8001"], False),
    ],
)
def test_only_one_origin_is_the_gateways_own(origins: list[str], own: bool) -> None:
    assert headers.own_origin(origins, "http", "127.0.0.1:8001", None) is own


def test_behind_a_proxy_the_own_origin_is_the_public_one() -> None:
    public = "https://sandboxes.example.org"
    assert headers.own_origin([public], "http", "127.0.0.1:8001", public)
    assert not headers.own_origin(["http://127.0.0.1:8001"], "http", "127.0.0.1:8001", public)
