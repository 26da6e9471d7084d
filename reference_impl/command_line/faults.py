"""Faults of a running Meridian, wherever its services are: each flag goes to the process that plays it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import httpx

from reference_impl.client import Place, connect_to, reach
from reference_impl.command_line.common import say, table, where
from reference_impl.shared.settings import Settings

EVERY = "every"


@click.group("faults", help="Break a running Meridian on purpose.")
def faults_group() -> None:
    """The fault flags."""


@faults_group.command("list", help="Show every fault flag and how strong it is.")
@where
def faults_list(url: str | None, uds: Path | None, as_json: bool) -> None:
    """List."""
    place = reach(Settings.from_environment(), url=url, uds=uds)
    with connect_to(place) as client:
        flags = read(client, place)
    rows = [
        [
            flag["name"],
            f"{flag['value']:g}",
            f"0–{flag['maximum']:g} {flag['unit']}",
            flag["owner"],
            flag["description"],
        ]
        for flag in flags
    ]
    say({"faults": flags}, table(["fault", "now", "takes", "service", "what it does"], rows), as_json)


@faults_group.command("set", help="Set a fault flag, e.g. `set payment.decline 0.5`; `all` is a fraction of 1.")
@click.argument("name")
@click.argument("value")
@where
def faults_set(name: str, value: str, url: str | None, uds: Path | None, as_json: bool) -> None:
    """Set."""
    try:
        number = 1.0 if value == "all" else float(value)
    except ValueError:
        raise click.BadParameter(f"{value!r} is neither a number nor `all`", param_hint="VALUE") from None
    place = reach(Settings.from_environment(), url=url, uds=uds)
    with connect_to(place) as client:
        flag: dict[str, Any] = {}
        for base in _owners(client, place, name):
            flag = _accepted(client.put(f"{base}/faults/{name}", json={"value": number})).json()
    say(flag, f"{flag['name']} is {flag['value']:g}.", as_json)


@faults_group.command("clear", help="Switch one fault flag off, or all of them.")
@click.argument("name", required=False)
@where
def faults_clear(name: str | None, url: str | None, uds: Path | None, as_json: bool) -> None:
    """Clear."""
    place = reach(Settings.from_environment(), url=url, uds=uds)
    with connect_to(place) as client:
        for base in _owners(client, place, name) if name else place.bases():
            _accepted(client.delete(f"{base}/faults/{name}" if name else f"{base}/faults"))
    say({"cleared": name or "all"}, f"{name or 'Every fault'} is off.", as_json)


def read(client: httpx.Client, place: Place) -> list[dict[str, Any]]:
    """Every flag as its owner has it; of one that all play, the strongest."""
    found: dict[str, dict[str, Any]] = {}
    for base in place.bases():
        for flag in _accepted(client.get(f"{base}/faults")).json():
            known = found.setdefault(flag["name"], flag)
            if place.processes.get(flag["owner"]) == base or (
                flag["owner"] == EVERY and flag["value"] > known["value"]
            ):
                found[flag["name"]] = flag
    return [found[name] for name in sorted(found)]


def _owners(client: httpx.Client, place: Place, name: str) -> list[str]:
    """The base URLs of the processes that play a flag. Raises ClickException for an unknown one."""
    flags = _accepted(client.get(f"{place.bases()[0]}/faults")).json()
    owner = next((str(flag["owner"]) for flag in flags if flag["name"] == name), "")
    if owner in place.processes:
        return [place.processes[owner]]
    # All play it, or one process plays everything, or nobody knows it: then the first answer says so.
    return place.bases()


def _accepted(answer: httpx.Response) -> httpx.Response:
    if answer.is_error:
        problem = answer.json()
        raise click.ClickException(f"{problem['title']}. {problem['detail']}")
    return answer
