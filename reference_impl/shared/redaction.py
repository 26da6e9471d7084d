"""What never reaches a log: secrets and personal data, by the name of the field and by the look of the text.

A second line of defence. The first is not to log them: a name may be missing here, and what looks like a secret may not be one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from structlog.typing import EventDict, WrappedLogger

REDACTED = "[redacted]"
WORDS = frozenset(
    {
        "address", "apikey", "authorization", "card", "cookie", "credential", "credentials", "cvc", "email", "iban",
        "password", "passwd", "phone", "pin", "recipient", "secret", "token",
    }
)  # fmt: skip
"""A field with one of these words in its name, such as `reset_token`, is blanked; `api_key` and `api-key` too."""
DEEPEST = 6
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_SUSPICIOUS = re.compile(r"@|eyJ|tok_|(?i:bearer|basic) ")
_SECRET_TEXT = re.compile(
    r"(?P<scheme>\b(?:bearer|basic)\s+)[A-Za-z0-9._~+/=-]{8,}"  # an Authorization header
    r"|\beyJ[\w-]+\.[\w-]+\.[\w-]*"  # a JSON Web Token
    r"|(?P<url>\b[a-z][a-z0-9+.-]*://[^\s:/@]*:)[^\s/@]+(?=@)"  # a password in a URL
    r"|\btok_\w+"  # a card as the payment gateway names it
    r"|[\w.+-]{1,64}@[\w-]+(?:\.[\w-]+)+",  # an e-mail address
    re.IGNORECASE,
)


def redact(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
    """A structlog processor: the line without what must not be in it."""
    return {name: _of(name, value, 0) for name, value in line.items()}


def clean(text: str) -> str:
    """A text without what looks like a secret."""
    return _SECRET_TEXT.sub(_blank, text) if _SUSPICIOUS.search(text) else text


def is_private(name: str) -> bool:
    """Whether a field of this name must not be logged."""
    words = [word.lower() for word in _WORD.findall(name)]
    return not WORDS.isdisjoint(words) or "api key" in " ".join(words)


def _of(name: str, value: Any, depth: int) -> Any:
    if is_private(name) and not isinstance(value, bool | None):
        return REDACTED
    return _value(value, depth)


def _value(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return clean(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    if depth >= DEEPEST:
        return REDACTED
    if isinstance(value, Mapping):
        return {str(name): _of(str(name), item, depth + 1) for name, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_value(item, depth + 1) for item in value]
    return clean(repr(value))


def _blank(found: re.Match[str]) -> str:
    return (found["scheme"] or found["url"] or "") + REDACTED
