"""Meridian's command line."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click
import httpx

from reference_impl import verify as verifying
from reference_impl.client import Unreachable, connect_to, reach
from reference_impl.command_line import running
from reference_impl.command_line.common import as_json as as_json_option
from reference_impl.command_line.common import say, table, where
from reference_impl.command_line.faults import faults_group
from reference_impl.command_line.load import load_command
from reference_impl.command_line.seed import seed_command
from reference_impl.command_line.trace import trace_command
from reference_impl.shared.settings import Settings, SettingsError
from reference_impl.verify_databases import RULES, Databases


@click.group(help="Meridian, the commerce platform: start it, fill it, break it, and see whether it holds.")
def main() -> None:
    """The entry point."""


for _command in (*running.COMMANDS, faults_group, seed_command, load_command, trace_command):
    main.add_command(_command)


@main.command(
    "verify", help="Check the invariants of a running Meridian from outside; exit code 1 when one is broken."
)
@click.option(
    "--settle", type=click.FloatRange(0, 300), default=5.0, show_default=True, help="Seconds to come clean."
)
@click.option(
    "--stuck", type=click.FloatRange(0, 3600), default=30.0, show_default=True, help="Seconds to be pending."
)
@where
def verify_command(settle: float, stuck: float, url: str | None, uds: Path | None, as_json: bool) -> None:
    """Verify."""
    settings = Settings.from_environment()
    place = reach(settings, url=url, uds=uds)
    with connect_to(place) as client:
        databases = Databases.of(settings, elsewhere=bool(url or uds or settings.url or settings.socket))
        verdict = verifying.verify(
            client,
            settle_seconds=settle,
            stuck_seconds=stuck,
            processes=place.bases(),
            databases=databases,
        )
    rules = dict(verifying.INVARIANTS)
    if databases is not None:
        rules |= {name: rule.rule for name, rule in RULES.items()}
    broken = {violation.invariant for violation in verdict.violations}
    document = {
        "clean": verdict.clean,
        "orders": verdict.orders,
        "skus": verdict.skus,
        "invariants": [
            {"name": name, "rule": rule, "holds": name not in broken} for name, rule in rules.items()
        ],
        "databases": databases is not None,
        "violations": [asdict(violation) for violation in verdict.violations],
    }
    rows = [["broken" if name in broken else "holds", name, rule] for name, rule in rules.items()]
    text = f"{verdict.orders} orders, {verdict.skus} SKUs\n\n" + table(["", "invariant", "rule"], rows)
    if databases is None:
        text += "\n\nThe databases were not looked at: they are known for a Meridian that is found by --data's directory, "
        text += "MERIDIAN_DATA, or by MERIDIAN_DATABASE_URL."
    if not verdict.clean:
        details = [[item.invariant, item.subject, item.detail] for item in verdict.violations[:50]]
        text += "\n\n" + table(["invariant", "where", "what"], details)
        text += f"\n… and {len(verdict.violations) - 50} more" if len(verdict.violations) > 50 else ""
    say(document, text, as_json)
    if not verdict.clean:
        raise SystemExit(1)


@main.command(
    "openapi",
    help="Write the OpenAPI documents of the code to reference_impl/contracts/openapi/: all, or one service's.",
)
@click.argument("service", required=False)
@click.option("--check", is_flag=True, help="Write nothing; exit code 1 when a file is not what the code says.")
@as_json_option
def openapi_command(service: str | None, check: bool, as_json: bool) -> None:
    """The contracts."""
    from reference_impl.contracts import openapi as contract

    if service is not None and service not in contract.services():
        raise click.BadParameter(
            f"there is no service {service}; there are {', '.join(contract.services())}", param_hint="SERVICE"
        )
    documents = contract.documents(*([service] if service else []))
    _contract(
        "openapi",
        {contract.path(name): contract.text(said) for name, said in documents.items()},
        check,
        as_json,
    )


@main.command(
    "asyncapi", help="Write the AsyncAPI document of the events to reference_impl/contracts/asyncapi.json."
)
@click.option(
    "--check", is_flag=True, help="Write nothing; exit code 1 when the file is not what the code says."
)
@as_json_option
def asyncapi_command(check: bool, as_json: bool) -> None:
    """The contract of the events."""
    from reference_impl.contracts.asyncapi import ASYNCAPI, asyncapi

    _contract("asyncapi", {ASYNCAPI: asyncapi()}, check, as_json)


def _contract(command: str, texts: dict[Path, str], check: bool, as_json: bool) -> None:
    states = {}
    for path, text in texts.items():
        current = path.exists() and path.read_text() == text
        if not check:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        states[path.name] = "current" if current else ("stale" if check else "written")
    stale = "stale" in states.values()
    lines = [f"{name} is {state}." for name, state in states.items()]
    lines += [f"Run `python -m reference_impl {command}`."] if stale else []
    say({"documents": states}, "\n".join(lines), as_json)
    if stale:
        raise SystemExit(1)


def run() -> None:
    """The command line, with errors for people."""
    try:
        main(prog_name="python -m reference_impl")
    except (SettingsError, Unreachable, httpx.HTTPError, ValueError) as error:
        click.echo(f"Error: {error}", err=True)
        raise SystemExit(2) from error
