"""Load on a running Meridian."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from reference_impl.client import connect_to, reach
from reference_impl.command_line.common import Progress, say, table, where
from reference_impl.shared.settings import Settings


@click.command("load", help="Have customers browse, search and order through the gateway, and measure it.")
@click.option(
    "--rate", type=click.FloatRange(0.1, 5_000), help="Requests a second, at random moments.  [default: 50]"
)
@click.option("--seconds", type=click.FloatRange(1, 3_600), default=30, show_default=True, help="How long.")
@click.option(
    "--users", type=click.IntRange(1, 2_000), default=20, show_default=True, help="Customers, signed in before."
)
@click.option(
    "--think", type=click.FloatRange(0, 600),
    help="Instead of a rate: each customer acts, waits for the answer, and thinks so many seconds in the mean.",
)  # fmt: skip
@click.option("--mix", type=click.Choice(["shopping", "buying"]), default="shopping", show_default=True,
    help="shopping: 8 in 100 requests are orders; buying: 1 in 3.")  # fmt: skip
@click.option(
    "--number", type=click.IntRange(0, 2**31), default=1, show_default=True, help="Which customers' whims."
)
@where
def load_command(
    rate: float | None,
    seconds: float,
    users: int,
    think: float | None,
    mix: str,
    number: int,
    url: str | None,
    uds: Path | None,
    as_json: bool,
) -> None:
    """Load."""
    if rate is not None and think is not None:
        raise click.UsageError("--rate is an open loop and --think a closed one: give one of them.")
    from reference_impl.loadtest.generator import Plan  # the other commands need no HTTP client of this kind
    from reference_impl.loadtest.run import load
    from reference_impl.loadtest.shoppers import BUYING, SHOPPING

    plan = Plan(seconds, None, think) if think is not None else Plan(seconds, rate or 50.0)
    place = reach(Settings.from_environment(), url=url, uds=uds)
    with connect_to(place) as client, Progress() as progress:
        report = load(
            client,
            place,
            plan,
            users=users,
            mix=BUYING if mix == "buying" else SHOPPING,
            number=number,
            progress=progress,
        )
    say(report, _text(report), as_json)


def _text(report: dict[str, Any]) -> str:
    header = ["", "answered", "errors", "p50", "p95", "p99", "max"]
    rows = [
        [name, str(found["answered"]), str(found["errors"]), *_milliseconds(found["latency_ms"])]
        for name, found in report["actions"].items()
    ]
    answered = report["requests"] - report["errors"]
    rows.append(["all", str(answered), str(report["errors"]), *_milliseconds(report["latency_ms"])])
    checkouts = report["checkouts"]
    states = ", ".join(f"{count} {state}" for state, count in sorted(checkouts["states"].items()))
    offered = f"{report['rate']:g} a second" if report["rate"] else f"thinking {report['think']:g} s"
    lines = [
        f"{report['users']} customers, {offered}, {report['seconds']:g} s: {report['throughput']:g} answers a second",
        "",
        table(header, rows),
        "",
        f"{checkouts['placed']} orders placed ({checkouts['per_second']:g} a second): {states or 'none'}",
        f"confirmed after {_line(checkouts['confirmation_ms'])}",
        f"sent late by {_line(report['sent_late_ms'])}",
    ]
    if checkouts["missing"]:
        lines.append(f"{checkouts['missing']} orders that were taken are not there")
    lines += [f"{count} × {kind}" for kind, count in report["error_kinds"].items()]
    return "\n".join(lines)


def _milliseconds(spread: dict[str, float]) -> list[str]:
    return [f"{spread[name]:.0f} ms" for name in ("p50", "p95", "p99", "max")]


def _line(spread: dict[str, float]) -> str:
    return ", ".join(f"{name} {spread[name]:.0f} ms" for name in ("p50", "p95", "p99", "max"))
