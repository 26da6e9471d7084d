"""What logs may not hold."""

from __future__ import annotations

import logging

from sandboxes.gateway.redaction import RedactingFormatter, redact

TOKEN = "Zm9vYmFyYmF6cXV4-_" * 2


def test_the_token_in_a_path_is_replaced_wherever_it_stands() -> None:
    text = f"GET /s/box1/{TOKEN}/api?x=1 from http://h/s/box2/{TOKEN}#a, '/s/box3/{TOKEN}'"
    assert redact(text) == "GET /s/box1/[token]/api?x=1 from http://h/s/box2/[token]#a, '/s/box3/[token]'"


def test_other_text_stays_as_it_is() -> None:
    assert redact("/jupyter/notebook/main.js and /s/box1") == "/jupyter/notebook/main.js and /s/box1"


def test_tracebacks_are_redacted_too() -> None:
    try:
        raise RuntimeError(f"can't open /s/box1/{TOKEN}/tree")
    except RuntimeError as error:
        information = (type(error), error, error.__traceback__)
    record = logging.LogRecord("x", logging.ERROR, __file__, 1, "on %s", (f"/s/a/{TOKEN}",), information)
    text = RedactingFormatter("%(message)s").format(record)
    assert "Traceback" in text
    assert TOKEN not in text
