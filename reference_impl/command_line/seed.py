"""Filling a running Meridian."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from reference_impl.client import connect
from reference_impl.command_line.common import Progress, say, where
from reference_impl.shared.settings import Settings


@click.command(
    "seed", help="Put a catalogue, stock and accounts into a running Meridian. Twice is the same as once."
)
@click.option(
    "--size", type=click.Choice(["S", "M", "L"], case_sensitive=False), default="S", show_default=True,
    help="S: 100 products, M: 2,000 and 200 customers, L: 30,000 and 600.",
)  # fmt: skip
@click.option("--number", type=click.IntRange(0, 2**31), default=1, show_default=True, help="Which catalogue.")
@where
def seed_command(size: str, number: int, url: str | None, uds: Path | None, as_json: bool) -> None:
    """Seed."""
    from reference_impl import seeding  # the other commands need not know its words

    with connect(Settings.from_environment(), url=url, uds=uds) as client, Progress() as progress:
        seeded = seeding.seed(client, seeding.SIZES[size.upper()], number=number, progress=progress)
    text = (
        f"{seeded.products} products in {seeded.categories} categories, {seeded.skus_in_stock} of them in stock; "
        f"{seeded.customers} customers, {seeded.vendors} vendors and an admin."
    )
    say(asdict(seeded), text, as_json)
