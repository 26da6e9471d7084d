"""Spans as JSON lines in `<data>/traces/<process>.jsonl`, for whoever has no collector: bounded, and read by `reading.py`."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from pathlib import Path

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import StatusCode

from reference_impl.shared import logs

LARGEST_FILE_BYTES = 16 * 1024 * 1024
"""A fuller file becomes `<process>.jsonl.1`, in the place of the one before: at most twice this much is kept."""
_log = logs.logger("meridian.traces")


class FileExporter(SpanExporter):
    """Writes for one process; no two of the same name share a directory."""

    def __init__(self, directory: Path, process: str, largest_bytes: int = LARGEST_FILE_BYTES) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._path = directory / f"{process}.jsonl"
        self._largest_bytes = largest_bytes
        self._lock = threading.Lock()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Append these spans. A disk that is full costs spans, and nothing else."""
        text = "".join(json.dumps(_document(span)) + "\n" for span in spans)
        try:
            with self._lock:
                if self._path.exists() and self._path.stat().st_size + len(text) > self._largest_bytes:
                    self._path.replace(self._path.with_name(self._path.name + ".1"))
                with self._path.open("a", encoding="utf-8") as file:
                    file.write(text)
        except OSError as error:
            _log.warning("spans not written", path=str(self._path), reason=error.strerror)
            return SpanExportResult.FAILURE
        return SpanExportResult.SUCCESS


def _document(span: ReadableSpan) -> dict[str, object]:
    attributes = dict(span.attributes or {})
    context = span.get_span_context()
    assert context is not None
    started, ended = span.start_time or 0, span.end_time or 0
    return {
        "trace_id": f"{context.trace_id:032x}",
        "span_id": f"{context.span_id:016x}",
        "parent_id": f"{span.parent.span_id:016x}" if span.parent else None,
        "name": span.name,
        "service": attributes.pop("meridian.service", ""),
        "correlation_id": attributes.pop("meridian.correlation_id", None),
        "started_at": started / 1e9,
        "milliseconds": round((ended - started) / 1e6, 3),
        "error": (span.status.description or "failed") if span.status.status_code is StatusCode.ERROR else None,
        "links": [f"{link.context.trace_id:032x}" for link in span.links],
        "attributes": attributes,
    }
