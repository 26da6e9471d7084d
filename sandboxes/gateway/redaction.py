"""Keeps the tokens of sandboxes out of logs."""

from __future__ import annotations

import logging
import re

SECRET_PATH = re.compile(r"(/s/[^/\s?#'\"]{1,128}/)[^/\s?#'\"]+")


def redact(text: str) -> str:
    """The text with the token of each sandbox path in it replaced."""
    return SECRET_PATH.sub(r"\1[token]", text)


class RedactingFormatter(logging.Formatter):
    """A formatter whose whole output is redacted, tracebacks too."""

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))
