"""Structured logs: one JSON object a line on standard error, that says who, in which request and trace, and no secret.

Every line has `timestamp`, `level`, `logger`, `event`, `service`; inside a request or an event `correlation_id`; inside a span
`trace_id` and `span_id`. `event` is a constant sentence and everything that varies is a field, so that lines can be counted.
"""

from __future__ import annotations

import logging
import sys

import structlog
from structlog.typing import EventDict, WrappedLogger

from reference_impl.shared import correlation, tracing
from reference_impl.shared.redaction import redact


def _identify(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
    """Say who writes this, and for what."""
    line.setdefault("service", correlation.service())
    current = correlation.current()
    if current is not None:
        line["correlation_id"] = current
    ids = tracing.ids()
    if ids is not None:
        line["trace_id"], line["span_id"] = ids
    return line


_SHARED: list[structlog.typing.Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    _identify,
    structlog.processors.format_exc_info,
]


def configure(level: str, process: str = "meridian") -> None:
    """Send every log line of this process, also those of libraries, through one JSON renderer."""
    correlation.name_process(process)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for noisy in ("httpx", "httpcore", "uvicorn.access"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def formatter() -> logging.Formatter:
    """What makes a line of a record, ours or a library's."""
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_SHARED,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            redact,
            structlog.processors.JSONRenderer(),
        ],
    )


def logger(name: str) -> structlog.stdlib.BoundLogger:
    """The logger of one part. It writes through the standard library, so a test or a host decides where to."""
    bound: structlog.stdlib.BoundLogger = structlog.wrap_logger(
        logging.getLogger(name),
        processors=[
            structlog.stdlib.filter_by_level,
            *_SHARED,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    return bound
