"""Traces: what one request set in motion, across services, as a tree of spans. Off unless MERIDIAN_TRACES says otherwise.

Where the context travels:

- over HTTP in the header `traceparent` (W3C Trace Context), into every process and out to every peer;
- over the bus in the envelope's field `traceparent`: the span in which the event was written to the outbox.

Handling an event is a *child* of the span that wrote it, so a whole checkout is one tree, however many services and minutes
it takes, and one decision at its root says whether all of it is kept. Each event has one handler a service, so a child is
the truth; a *link* is for work that has another cause of its own: replaying a dead letter belongs to the operator's request
and links to where the event came from. The relay's batch has many causes and no trace of its own; each event in it gets a
span `publish` beside its handling, below the span that wrote it.

Nothing of OpenTelemetry's SDK is imported here: while traces are off, a span is one look at a global and costs nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from enum import StrEnum
from typing import Protocol

from reference_impl.shared.events import Event
from reference_impl.shared.settings import Settings, Traces

HEADER = "traceparent"
Value = str | int | float | bool


class SpanName(StrEnum):
    """Every kind of span there is; what it is about follows the name, e.g. `handle OrderCreated`."""

    REQUEST = "request"
    """One HTTP request that a process answers."""
    CALL = "call"
    """One HTTP request to a peer, as who asks sees it."""
    PUBLISH = "publish"
    """The relay brings an event from the outbox to the bus."""
    HANDLE = "handle"
    """A consumer handles an event, with its retries."""
    REPLAY = "replay"
    """An operator hands a dead letter to its handler again."""
    TRANSACTION = "transaction"
    """One writing transaction, with the wait for its turn; only inside another span."""


class Span(Protocol):
    """A span that is being recorded."""

    def about(self, subject: str) -> None:
        """Say what it is about once that is known, such as the route of a request."""

    def set(self, **attributes: Value) -> None:
        """Add what was learnt."""

    def fail(self, reason: str) -> None:
        """Mark it as failed."""


class Tracer(Protocol):
    """What stands behind this module while traces are on."""

    def span(
        self,
        name: SpanName,
        subject: str,
        parent: str | None,
        link: str | None,
        attributes: Mapping[str, Value],
    ) -> AbstractContextManager[Span | None]:
        """A span, current inside; None when the root of its trace was not chosen to be kept."""

    def published(self, events: Sequence[Event], started_ns: int, ended_ns: int) -> None:
        """Record that the bus took these events."""

    def ids(self) -> tuple[str, str] | None:
        """The ids of the current trace and span."""

    def traceparent(self) -> str | None:
        """The current span as W3C Trace Context writes it."""

    def shutdown(self) -> None:
        """Send what is recorded, within a bounded time."""


_OFF: AbstractContextManager[Span | None] = nullcontext()
_tracer: Tracer | None = None


def configure(settings: Settings, process: str) -> None:
    """Begin to trace this process if the settings say so. Raises SettingsError when what they need is not installed."""
    global _tracer
    shutdown()
    if settings.traces is not Traces.OFF:
        from reference_impl.shared.traces.recording import Recorder

        _tracer = Recorder(settings, process)


def shutdown() -> None:
    """Stop tracing; what is recorded is written first."""
    global _tracer
    before, _tracer = _tracer, None
    if before is not None:
        before.shutdown()


def span(
    name: SpanName,
    subject: str = "",
    *,
    parent: str | None = None,
    link: str | None = None,
    **attributes: Value,
) -> AbstractContextManager[Span | None]:
    """Work that is worth a span. It is below `parent`, a traceparent from elsewhere, else below the current span."""
    return _OFF if _tracer is None else _tracer.span(name, subject, parent, link, attributes)


def inner(name: SpanName, subject: str = "") -> AbstractContextManager[Span | None]:
    """The same, but only inside another span: nothing that runs all the time begins a trace."""
    return _OFF if _tracer is None or _tracer.ids() is None else _tracer.span(name, subject, None, None, {})


def published(events: Sequence[Event], started_ns: int, ended_ns: int) -> None:
    """The bus took these events; times in nanoseconds since 1970."""
    if _tracer is not None:
        _tracer.published(events, started_ns, ended_ns)


def ids() -> tuple[str, str] | None:
    """The ids of the current trace and span, if there are any."""
    return None if _tracer is None else _tracer.ids()


def traceparent() -> str | None:
    """What to send along, so that who receives it goes on with this trace."""
    return None if _tracer is None else _tracer.traceparent()


def outgoing() -> dict[str, str]:
    """The headers of a request to another service."""
    value = traceparent()
    return {} if value is None else {HEADER: value}
