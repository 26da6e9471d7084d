"""What the commands have in common: which Meridian is meant, and how an answer is printed."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])

as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
data_option = click.option(
    "--data", type=click.Path(path_type=Path), help="Directory of the data. Default: MERIDIAN_DATA."
)


def where(command: Command) -> Command:
    """The options that say which Meridian is meant."""
    for option in (
        click.option(
            "--url",
            help="Address of a running Meridian. Default: MERIDIAN_URL, the one that runs on MERIDIAN_DATA, "
            "or http://127.0.0.1:8080.",
        ),
        click.option(
            "--uds", type=click.Path(path_type=Path), help="Unix socket of one. Default: MERIDIAN_SOCKET."
        ),
        as_json,
    ):
        command = option(command)
    return command


def say(document: dict[str, Any], text: str, as_json: bool) -> None:
    """Print an answer, for people or for programs."""
    click.echo(json.dumps(document) if as_json else text)
    sys.stdout.flush()


def table(header: list[str], rows: list[list[str]]) -> str:
    """Columns as wide as their widest cell."""
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(len(header))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in [header, *rows]
    ]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


class Progress:
    """One line on a terminal that says how far a long command has come; nothing where nobody watches. Used by `with`."""

    def __init__(self) -> None:
        self._seen = sys.stderr.isatty()

    def __call__(self, line: str) -> None:
        """Say it."""
        if self._seen:
            click.echo(f"\r\x1b[K{line}", nl=False, err=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._seen:
            click.echo("\r\x1b[K", nl=False, err=True)
