"""Reading the logs that a Meridian in the background writes."""

from __future__ import annotations

import time
from collections import deque
from pathlib import Path

import click

from reference_impl.command_line.common import data_option
from reference_impl.shared.settings import Settings
from reference_impl.topologies.ground import Ground

POLL_SECONDS = 0.2
MOST_LINES = 100_000


@click.command("logs", help="Print the end of the logs of one process, or of all.")
@click.argument("name", required=False)
@click.option("-f", "--follow", is_flag=True, help="Go on until Ctrl-C.")
@click.option(
    "-n", "--lines", type=click.IntRange(0, MOST_LINES), default=50, show_default=True, help="Of each log."
)
@data_option
def logs_command(name: str | None, follow: bool, lines: int, data: Path | None) -> None:
    """Print."""
    ground = Ground(Settings.from_environment(data=data).data)
    known = {file.stem: file for file in sorted(ground.logs.glob("*.log"))}
    if name is not None and name not in known:
        there = f"there are {', '.join(known)}" if known else "nothing was started there in the background"
        raise click.ClickException(f"{ground.logs} has no log of {name}; {there}.")
    files = [known[name]] if name else list(known.values())
    width = 0 if name else max((len(stem) for stem in known), default=0)
    places = {}
    for file in files:
        with file.open(errors="replace") as log:
            for line in deque(log, maxlen=lines):
                _print(file, line, width)
            places[file] = log.tell()
    while follow:
        time.sleep(POLL_SECONDS)
        for file in files:
            places[file] = follow_up(file, places[file], width)


def follow_up(file: Path, place: int, width: int = 0) -> int:
    """Print the whole lines that came after a place; the place behind them."""
    if file.stat().st_size < place:
        place = 0  # it was moved aside because it became too large
    with file.open("rb") as log:
        log.seek(place)
        for line in log:
            if not line.endswith(b"\n"):
                break
            place += len(line)
            _print(file, line.decode(errors="replace"), width)
    return place


def _print(file: Path, line: str, width: int) -> None:
    click.echo(f"{file.stem.ljust(width)} | {line.rstrip()}" if width else line.rstrip())
