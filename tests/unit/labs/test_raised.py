"""What is told of an exception: mistakes in code, never values."""

from __future__ import annotations

import pytest

from labs.raised import Telling, words_of

TELLING = Telling(words_of(["def total(lines):\n    return order.price", "class GaveUp(Exception): ..."]))


def provoked(code: str) -> Exception:
    """What Python says of this code."""
    try:
        exec(code, {"lines": [1], "order": object()})
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")


@pytest.mark.parametrize(
    "code",
    [
        "total",
        "lines + 'a'",
        "1 + 'a'",
        "None < 1",
        "-'a'",
        "lines()",
        "None[0]",
        "for x in 1: pass",
        "order.price",
        "def total(lines): pass\ntotal()",
        "def total(lines): pass\ntotal(1, 2)",
        "def total(lines): pass\ntotal(order=1)",
        "lines['a']",
        "lines[9]",
        "1 / 0",
        "1 % 0",
        "1.0 / 0",
        "a, b = lines",
        "a, b = 1, 2, 3",
        "len(1)",
        "{[]: 1}",
        "max([])",
        "import total",
        "import json; json.dumps(float('nan'), allow_nan=False)",
        "def total(): return total()\ntotal()",
    ],
)
def test_what_a_mistake_in_the_code_sounds_like_is_told(code: str) -> None:
    error = provoked(code)
    text = str(error)
    if "JSON" in text:
        text = f"the result can't be written as JSON: {text}"
    assert TELLING.text(text) == text
    assert TELLING.name(type(error).__name__) == type(error).__name__


@pytest.mark.parametrize(
    "text",
    [
        "'secret-7'",
        "secret_7",
        "name 'secret_7' is not defined",
        "'secret_7' object is not callable",
        "total() missing 1 required positional argument: 'secret_7'",
        "division by zero secret_7",
        "could not convert string to float: 'total'",
        "total total total lines lines order price",
        'relation "secret_7" does not exist',
        "x" * 10_000,
        "name 'total' is not defined" + " " * 600,
    ],
)
def test_what_depends_on_a_value_is_not_told(text: str) -> None:
    assert TELLING.text(text).strip() in ("", "name 'total' is not defined")
    assert "secret" not in TELLING.text(text)


def test_only_the_first_line_is_told() -> None:
    assert TELLING.text("division by zero\nsecret-7") == "division by zero"


def test_classes_are_told_that_somebody_else_named() -> None:
    assert [TELLING.name(name) for name in ("KeyError", "GaveUp", "DeadlockDetected", "ReadTimeout")] == [
        "KeyError", "GaveUp", "DeadlockDetected", "ReadTimeout",
    ]  # fmt: skip
    assert TELLING.name("secret_7") == "Exception"


def test_a_service_answer_is_told_without_the_address() -> None:
    said = (
        "Client error '409 Conflict' for url 'http://meridian/orders/secret-7'\nFor more information check: …"
    )
    assert TELLING.text(said) == "a service answered 409 Conflict"
    assert TELLING.text("Client error '777 secret-7' for url 'x'") == ""
    assert (
        TELLING.error("HTTPStatusError: Client error '409 Conflict' for url 'x'")
        == "HTTPStatusError: a service answered 409 Conflict"
    )
