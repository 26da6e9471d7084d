"""Meridian's command line."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import click
import httpx

from reference_impl import seed as seeding
from reference_impl import verify as verifying
from reference_impl.client import Unreachable, connect
from reference_impl.shared.settings import Settings, SettingsError

Command = TypeVar("Command", bound=Callable[..., Any])

_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")


def _where(command: Command) -> Command:
    """The options that say which Meridian is meant."""
    for option in (
        click.option(
            "--url", help="Address of a running Meridian. Default: MERIDIAN_URL, or http://127.0.0.1:8080."
        ),
        click.option(
            "--uds", type=click.Path(path_type=Path), help="Unix socket of one. Default: MERIDIAN_SOCKET."
        ),
        _json,
    ):
        command = option(command)
    return command


def _say(document: dict[str, Any], text: str, as_json: bool) -> None:
    click.echo(json.dumps(document) if as_json else text)
    sys.stdout.flush()


@click.group(help="Meridian, the commerce platform: start it, fill it, break it, and see whether it holds.")
def main() -> None:
    """The entry point."""


def _serve_command(name: str, help_text: str) -> None:
    @main.command(name, help=help_text)
    @click.option("--topology", type=click.Choice(["monolith"]), default="monolith", show_default=True)
    @click.option(
        "--port", type=click.IntRange(1, 65535), default=8080, show_default=True, help="Port on 127.0.0.1."
    )
    @click.option("--uds", type=click.Path(path_type=Path), help="Serve on this Unix socket instead of a port.")
    @click.option(
        "--data", type=click.Path(path_type=Path), help="Directory of the data. Default: MERIDIAN_DATA."
    )
    @_json
    def command(topology: str, port: int, uds: Path | None, data: Path | None, as_json: bool) -> None:
        from reference_impl.server import (
            Address,
            CannotServe,
            serve,
        )  # only this command needs the whole platform
        from reference_impl.shared.problems import Problem

        address = Address(port, uds)

        def ready(seconds: float) -> None:
            document = {
                "state": "ready",
                "topology": topology,
                "address": address.text,
                "seconds": round(seconds, 2),
            }
            _say(
                document,
                f"Meridian is ready at {address.text} ({topology}, {seconds:.1f} s). Ctrl-C stops it.",
                as_json,
            )

        try:
            serve(topology, Settings.from_environment(data=data), address, ready)
        except (CannotServe, Problem) as error:
            raise click.ClickException(str(error)) from error


_serve_command("up", "Start Meridian in the foreground.")
_serve_command("serve", "The same as up, under the name that process managers expect.")


@main.command(
    "seed", help="Put a small catalogue with stock into a running Meridian. Twice is the same as once."
)
@_where
def seed_command(url: str | None, uds: Path | None, as_json: bool) -> None:
    """Seed."""
    with connect(Settings.from_environment(), url=url, uds=uds) as client:
        count = seeding.seed(client)
    _say({"products": count}, f"{count} products are in the catalogue and in stock.", as_json)


@main.group("faults", help="Break a running Meridian on purpose.")
def faults_group() -> None:
    """The fault flags."""


@faults_group.command("list", help="Show every fault flag and how strong it is.")
@_where
def faults_list(url: str | None, uds: Path | None, as_json: bool) -> None:
    """List."""
    with connect(Settings.from_environment(), url=url, uds=uds) as client:
        flags = client.get("/faults").raise_for_status().json()
    rows = [
        [flag["name"], f"{flag['value']:g}", f"0–{flag['maximum']:g} {flag['unit']}", flag["description"]]
        for flag in flags
    ]
    _say({"faults": flags}, _table(["fault", "now", "takes", "what it does"], rows), as_json)


@faults_group.command("set", help="Set a fault flag, e.g. `set payment.decline 0.5`; `all` is a fraction of 1.")
@click.argument("name")
@click.argument("value")
@_where
def faults_set(name: str, value: str, url: str | None, uds: Path | None, as_json: bool) -> None:
    """Set."""
    try:
        number = 1.0 if value == "all" else float(value)
    except ValueError:
        raise click.BadParameter(f"{value!r} is neither a number nor `all`", param_hint="VALUE") from None
    with connect(Settings.from_environment(), url=url, uds=uds) as client:
        flag = _accepted(client.put(f"/faults/{name}", json={"value": number})).json()
    _say(flag, f"{flag['name']} is {flag['value']:g}.", as_json)


@faults_group.command("clear", help="Switch one fault flag off, or all of them.")
@click.argument("name", required=False)
@_where
def faults_clear(name: str | None, url: str | None, uds: Path | None, as_json: bool) -> None:
    """Clear."""
    with connect(Settings.from_environment(), url=url, uds=uds) as client:
        _accepted(client.delete(f"/faults/{name}" if name else "/faults"))
    _say({"cleared": name or "all"}, f"{name or 'Every fault'} is off.", as_json)


@main.command(
    "verify", help="Check the invariants of a running Meridian from outside; exit code 1 when one is broken."
)
@click.option(
    "--settle", type=click.FloatRange(0, 300), default=5.0, show_default=True, help="Seconds to come clean."
)
@click.option(
    "--stuck", type=click.FloatRange(0, 3600), default=30.0, show_default=True, help="Seconds to be pending."
)
@_where
def verify_command(settle: float, stuck: float, url: str | None, uds: Path | None, as_json: bool) -> None:
    """Verify."""
    with connect(Settings.from_environment(), url=url, uds=uds) as client:
        verdict = verifying.verify(client, settle_seconds=settle, stuck_seconds=stuck)
    broken = {violation.invariant for violation in verdict.violations}
    document = {
        "clean": verdict.clean,
        "orders": verdict.orders,
        "skus": verdict.skus,
        "invariants": [
            {"name": name, "rule": rule, "holds": name not in broken}
            for name, rule in verifying.INVARIANTS.items()
        ],
        "violations": [asdict(violation) for violation in verdict.violations],
    }
    rows = [
        ["broken" if name in broken else "holds", name, rule] for name, rule in verifying.INVARIANTS.items()
    ]
    text = f"{verdict.orders} orders, {verdict.skus} SKUs\n\n" + _table(["", "invariant", "rule"], rows)
    if not verdict.clean:
        details = [[item.invariant, item.subject, item.detail] for item in verdict.violations[:50]]
        text += "\n\n" + _table(["invariant", "where", "what"], details)
        text += f"\n… and {len(verdict.violations) - 50} more" if len(verdict.violations) > 50 else ""
    _say(document, text, as_json)
    if not verdict.clean:
        raise SystemExit(1)


@main.command(
    "openapi", help="Write the OpenAPI document of the code to reference_impl/contracts/openapi.json."
)
@click.option(
    "--check", is_flag=True, help="Write nothing; exit code 1 when the file is not what the code says."
)
@_json
def openapi_command(check: bool, as_json: bool) -> None:
    """The contract."""
    from reference_impl import contracts

    _contract("openapi", contracts.OPENAPI, contracts.openapi(), check, as_json)


@main.command(
    "asyncapi", help="Write the AsyncAPI document of the events to reference_impl/contracts/asyncapi.json."
)
@click.option(
    "--check", is_flag=True, help="Write nothing; exit code 1 when the file is not what the code says."
)
@_json
def asyncapi_command(check: bool, as_json: bool) -> None:
    """The contract of the events."""
    from reference_impl.contracts.asyncapi import ASYNCAPI, asyncapi

    _contract("asyncapi", ASYNCAPI, asyncapi(), check, as_json)


def _contract(command: str, path: Path, text: str, check: bool, as_json: bool) -> None:
    current = path.exists() and path.read_text() == text
    if not check:
        path.write_text(text)
    state = "current" if current else ("stale" if check else "written")
    hint = f" Run `python -m reference_impl {command}`." if state == "stale" else ""
    _say({"state": state}, f"{path.name} is {state}.{hint}", as_json)
    if state == "stale":
        raise SystemExit(1)


def _accepted(answer: httpx.Response) -> httpx.Response:
    if answer.is_error:
        problem = answer.json()
        raise click.ClickException(f"{problem['title']}. {problem['detail']}")
    return answer


def _table(header: list[str], rows: list[list[str]]) -> str:
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(len(header))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in [header, *rows]
    ]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def run() -> None:
    """The command line, with errors for people."""
    try:
        main(prog_name="python -m reference_impl")
    except (SettingsError, Unreachable, httpx.HTTPError, ValueError) as error:
        click.echo(f"Error: {error}", err=True)
        raise SystemExit(2) from error
