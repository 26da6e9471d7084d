"""Correlation ids: one request or event, one id, across HTTP, events and log lines."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import structlog

from reference_impl.shared.events import new_id

HEADER = "X-Correlation-ID"
_ACCEPTED = re.compile(r"[A-Za-z0-9._-]{1,64}")
_correlation: ContextVar[str | None] = ContextVar("correlation_id", default=None)
_causation: ContextVar[str | None] = ContextVar("causation_id", default=None)


def correlation_id() -> str:
    """The id of what is being worked on now; a fresh one outside any request or event."""
    return _correlation.get() or new_id()


def causation_id() -> str | None:
    """The event being handled now, if one is."""
    return _causation.get()


def outgoing() -> dict[str, str]:
    """The headers that tell another service what is being worked on."""
    return {HEADER: correlation_id()}


def acceptable(value: str | None) -> str:
    """A caller's id when it is short and harmless, else a fresh one."""
    return value if value and _ACCEPTED.fullmatch(value) else new_id()


@contextmanager
def working_on(correlation: str, causation: str | None = None) -> Iterator[None]:
    """Everything inside, log lines and events included, carries these ids."""
    tokens = _correlation.set(correlation), _causation.set(causation)
    try:
        with structlog.contextvars.bound_contextvars(correlation_id=correlation):
            yield
    finally:
        _correlation.reset(tokens[0])
        _causation.reset(tokens[1])
