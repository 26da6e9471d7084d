"""`trace`: what one request set in motion, as a tree of spans over all services."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from reference_impl.command_line.common import as_json, data_option, say, table
from reference_impl.shared.settings import Settings
from reference_impl.shared.traces import reading


@click.command(
    "trace",
    help="Show everything that one request set in motion. Takes the X-Correlation-ID of its answer, or a trace id; "
    "needs a Meridian that runs with MERIDIAN_TRACES=file.",
)
@click.argument("identifier", metavar="CORRELATION_ID")
@data_option
@as_json
def trace_command(identifier: str, data: Path | None, as_json: bool) -> None:
    """Trace."""
    directory = Settings.from_environment(data=data).data / "traces"
    spans = reading.find(directory, identifier)
    if not spans:
        why = (
            "Spans are written half a second late, and the oldest are dropped in the end."
            if directory.is_dir()
            else f"There is no {directory}: start Meridian with MERIDIAN_TRACES=file, or say --data."
        )
        raise click.ClickException(f"No span of {identifier} is known. {why}")
    begin = spans[0].started_at
    rows = [
        [
            f"{(span.started_at - begin) * 1000:.1f}",
            f"{span.milliseconds:.1f}",
            span.service,
            "  " * depth + span.name + (f"  ✗ {span.error}" if span.error else ""),
        ]
        for branch in reading.trees(spans)
        for depth, span in branch.walk()
    ]
    say(
        {"spans": [asdict(span) for span in spans]},
        table(["at ms", "took ms", "service", "span"], rows),
        as_json,
    )
