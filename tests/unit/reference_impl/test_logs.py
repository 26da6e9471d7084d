"""What a log line says, and what it must not say."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from reference_impl.shared import correlation, logs
from reference_impl.shared.redaction import REDACTED, clean, is_private, redact


class Lines:
    """What was written, parsed."""

    def __init__(self) -> None:
        self.stream = io.StringIO()

    @property
    def text(self) -> str:
        return self.stream.getvalue()

    def last(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.text.splitlines()[-1])
        return found


@pytest.fixture
def lines() -> Iterator[Lines]:
    """A logger of its own, through the formatter that processes use."""
    written = Lines()
    handler = logging.StreamHandler(written.stream)
    handler.setFormatter(logs.formatter())
    target = logging.getLogger("meridian.tested")
    target.addHandler(handler)
    target.setLevel("INFO")
    yield written
    target.removeHandler(handler)
    target.setLevel("NOTSET")


def test_a_line_says_who_and_for_which_request(lines: Lines) -> None:
    with correlation.working_on("abc", service="order"):
        logs.logger("meridian.tested").info("placed", lines=2)
    line = lines.last()
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "placed",
        "lines": 2,
        "level": "info",
        "logger": "meridian.tested",
        "service": "order",
        "correlation_id": "abc",
    }


def test_a_library_writes_the_same_kind_of_line(lines: Lines) -> None:
    with correlation.working_on("abc", service="order"):
        logging.getLogger("meridian.tested").warning("mail to %s failed", "ada@example.org")
    line = lines.last()
    assert (line["level"], line["service"], line["correlation_id"]) == ("warning", "order", "abc")
    assert line["event"] == f"mail to {REDACTED} failed"


def test_the_service_is_only_named_while_it_works() -> None:
    outside = correlation.service()
    with correlation.working_on("a", service="order"):
        with correlation.working_on("b", service="product"):
            assert correlation.service() == "product"
        with correlation.working_on("c"):
            assert correlation.service() == "order"
    assert correlation.service() == outside


def test_a_line_below_the_level_is_not_written(lines: Lines) -> None:
    logs.logger("meridian.tested").debug("nothing")
    assert lines.text == ""


@pytest.mark.parametrize(
    "name",
    ["password", "new_password", "token", "accessToken", "authorization", "Authorization", "card", "email",
     "recipient_email", "api_key", "apiKey", "X-API-Key", "client-secret", "cookie", "phone"],
)  # fmt: skip
def test_a_private_field_is_blanked_wherever_it_is(lines: Lines, name: str) -> None:
    logs.logger("meridian.tested").info("x", **{name: "s3cret"}, body={"items": [{name: ["s3cret"]}]})
    assert "s3cret" not in lines.text
    assert lines.last()[name] == REDACTED
    assert lines.last()["body"]["items"][0] == {name: REDACTED}


@pytest.mark.parametrize(
    "name", ["key", "key_id", "event_id", "path", "status", "milliseconds", "discarded", "tokenizer_x", "spin"]
)
def test_other_fields_are_left_alone(name: str) -> None:
    assert not is_private(name)


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("Bearer abcdefghijkl", f"Bearer {REDACTED}"),
        ("got eyJhbGciOi.eyJzdWIi.c2ln here", f"got {REDACTED} here"),
        ("postgresql://meridian:hunter2@db:5432/x", f"postgresql://meridian:{REDACTED}@db:5432/x"),
        ("card tok_declined refused", f"card {REDACTED} refused"),
        ("to ada.l+x@mail.example.org", f"to {REDACTED}"),
        ("2 < 3 @ noon", "2 < 3 @ noon"),
        ("/orders/0123", "/orders/0123"),
    ],
)
def test_what_looks_like_a_secret_is_cut_out_of_texts(text: str, rest: str) -> None:
    assert clean(text) == rest


def test_an_error_is_told_without_the_secret_in_it(lines: Lines) -> None:
    try:
        raise ConnectionError("postgresql://meridian:hunter2@db/x does not answer")
    except ConnectionError:
        logs.logger("meridian.tested").exception("away")
    assert "hunter2" not in lines.text
    assert "does not answer" in lines.last()["exception"]


def test_what_is_nested_without_end_is_cut_off() -> None:
    endless: dict[str, Any] = {}
    endless["in"] = endless
    assert REDACTED in json.dumps(redact(None, "info", {"x": endless}))
