"""Correlation ids: one request or event, one id, across HTTP, events, spans and log lines."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from reference_impl.shared.events import new_id

HEADER = "X-Correlation-ID"
_ACCEPTED = re.compile(r"[A-Za-z0-9._-]{1,64}")
_correlation: ContextVar[str | None] = ContextVar("correlation_id", default=None)
_causation: ContextVar[str | None] = ContextVar("causation_id", default=None)
_service: ContextVar[str | None] = ContextVar("service", default=None)
_process = "meridian"


def correlation_id() -> str:
    """The id of what is being worked on now; a fresh one outside any request or event."""
    return _correlation.get() or new_id()


def current() -> str | None:
    """The id of what is being worked on now, if anything is."""
    return _correlation.get()


def causation_id() -> str | None:
    """The event being handled now, if one is."""
    return _causation.get()


def service() -> str:
    """The service that works now; the name of the process where no single one does."""
    return _service.get() or _process


def process() -> str:
    """The name of the process."""
    return _process


def name_process(name: str) -> None:
    """What this process is called in its logs and spans."""
    global _process
    _process = name


def outgoing() -> dict[str, str]:
    """The headers that tell another service what is being worked on."""
    return {HEADER: correlation_id()}


def acceptable(value: str | None) -> str:
    """A caller's id when it is short and harmless, else a fresh one."""
    return value if value and _ACCEPTED.fullmatch(value) else new_id()


@contextmanager
def working_on(correlation: str, causation: str | None = None, service: str | None = None) -> Iterator[None]:
    """Everything inside, log lines, spans and events included, carries these ids, and the service's name if one is given."""
    tokens = _correlation.set(correlation), _causation.set(causation)
    naming = None if service is None else _service.set(service)
    try:
        yield
    finally:
        _correlation.reset(tokens[0])
        _causation.reset(tokens[1])
        if naming is not None:
            _service.reset(naming)


def work_for(service: str) -> None:
    """From now on this thread works for one service."""
    _service.set(service)
