"""Recording spans with OpenTelemetry's SDK. Imported only while traces are on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import Link, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from reference_impl.shared import correlation
from reference_impl.shared.events import Event
from reference_impl.shared.settings import Settings, SettingsError, Traces
from reference_impl.shared.traces.files import FileExporter
from reference_impl.shared.tracing import HEADER, SpanName, Value

MOST_WAITING = 8_192
"""Spans that wait for the exporter; with more than that, new ones are dropped rather than the process held up."""
EXPORT_EVERY_MS = 500.0
_KINDS = {
    SpanName.REQUEST: SpanKind.SERVER,
    SpanName.CALL: SpanKind.CLIENT,
    SpanName.PUBLISH: SpanKind.PRODUCER,
    SpanName.HANDLE: SpanKind.CONSUMER,
}
_propagator = TraceContextTextMapPropagator()


class Recorder:
    """The tracer of one process. Not OpenTelemetry's global one: what libraries trace by themselves stays out."""

    def __init__(self, settings: Settings, process: str) -> None:
        """Raises SettingsError."""
        self._provider = TracerProvider(
            sampler=ParentBased(TraceIdRatioBased(settings.trace_ratio)),
            resource=Resource.create({"service.name": process, "service.namespace": "meridian"}),
        )
        self._provider.add_span_processor(
            BatchSpanProcessor(
                _exporter(settings, process),
                max_queue_size=MOST_WAITING,
                schedule_delay_millis=EXPORT_EVERY_MS,
                max_export_batch_size=512,
            )
        )
        self._tracer = self._provider.get_tracer("meridian")

    @contextmanager
    def span(
        self,
        name: SpanName,
        subject: str,
        parent: str | None,
        link: str | None,
        attributes: Mapping[str, Value],
    ) -> Iterator[_Recording | None]:
        """See `tracing.span`."""
        with self._tracer.start_as_current_span(
            f"{name} {subject}".rstrip(),
            context=_context(parent),
            kind=_KINDS.get(name, SpanKind.INTERNAL),
            attributes={**_common(), **attributes},
            links=_links(link),
            record_exception=False,  # its message may hold what nobody should read here
            set_status_on_exception=False,
        ) as started:
            recording = _Recording(started, name) if started.is_recording() else None
            try:
                yield recording
            except BaseException as error:  # a cancelled call has failed, too
                if recording is not None:
                    recording.fail(type(error).__name__)
                raise

    def published(self, events: Sequence[Event], started_ns: int, ended_ns: int) -> None:
        """See `tracing.published`."""
        for event in events:
            context = _context(event.traceparent)
            if context is None or not trace.get_current_span(context).get_span_context().trace_flags.sampled:
                continue
            attributes: dict[str, Value] = {
                "meridian.service": event.source,
                "meridian.correlation_id": event.correlation_id,
                "messaging.message.id": event.id,
                "messaging.batch.message_count": len(events),
                "meridian.outbox_ms": round(started_ns / 1e6 - event.occurred_at.timestamp() * 1e3, 1),
            }
            span = self._tracer.start_span(
                f"{SpanName.PUBLISH} {event.type}",
                context=context,
                kind=SpanKind.PRODUCER,
                attributes=attributes,
                start_time=started_ns,
            )
            span.end(ended_ns)

    def ids(self) -> tuple[str, str] | None:
        """See `tracing.ids`."""
        context = trace.get_current_span().get_span_context()
        return (f"{context.trace_id:032x}", f"{context.span_id:016x}") if context.is_valid else None

    def traceparent(self) -> str | None:
        """See `tracing.traceparent`."""
        context = trace.get_current_span().get_span_context()
        if not context.is_valid:
            return None
        return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"

    def shutdown(self) -> None:
        """See `tracing.shutdown`."""
        self._provider.shutdown()


class _Recording:
    """See `tracing.Span`."""

    def __init__(self, span: trace.Span, name: SpanName) -> None:
        self._span = span
        self._name = name

    def about(self, subject: str) -> None:
        self._span.update_name(f"{self._name} {subject}")

    def set(self, **attributes: Value) -> None:
        self._span.set_attributes(attributes)

    def fail(self, reason: str) -> None:
        self._span.set_status(Status(StatusCode.ERROR, reason[:500]))


def _exporter(settings: Settings, process: str) -> SpanExporter:
    if settings.traces is Traces.FILE:
        return FileExporter(settings.data / "traces", process)
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    except ImportError as error:
        raise SettingsError(
            "MERIDIAN_TRACES=otlp needs the package opentelemetry-exporter-otlp-proto-http: install it."
        ) from error
    return OTLPSpanExporter()


def _context(parent: str | None) -> Context | None:
    """Where a span goes; None means: below the current one. What can't be read counts as nothing."""
    if parent is None:
        return None
    context = _propagator.extract({HEADER: parent}, Context())
    return context if trace.get_current_span(context).get_span_context().is_valid else None


def _links(link: str | None) -> list[Link]:
    context = _context(link)
    return [] if context is None else [Link(trace.get_current_span(context).get_span_context())]


def _common() -> dict[str, Value]:
    """What every span carries."""
    found: dict[str, Value] = {"meridian.service": correlation.service()}
    current = correlation.current()
    return found if current is None else {**found, "meridian.correlation_id": current}
