"""`list`: what runs, whose it is, since when, and what it uses."""

from __future__ import annotations

import argparse
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.text import Text

from sandboxes.commands.answer import Answer, age, size, table
from sandboxes.drivers import DRIVERS, driver_class
from sandboxes.drivers.inventory import Running, inventory
from sandboxes.drivers.presence import living_workers
from sandboxes.interface import SandboxError

HELP = "list the sandboxes that run"
WHOSE = ("lab", "learner", "session")
"""Labels that say whose a sandbox is."""


def configure(parser: argparse.ArgumentParser) -> None:
    """No options of its own."""


def run(options: argparse.Namespace) -> Answer:
    """What runs by every driver that answers here; the others are named with the reason."""
    running: list[Running] = []
    remains: list[str] = []
    silent: dict[str, str] = {}
    for name in DRIVERS:
        try:
            driver = driver_class(name)(options.run_dir)  # type: ignore[call-arg]
            found = inventory(driver, options.run_dir)
            running += found
            if options.run_dir.is_dir():  # else nothing can be left in it, and looking would make it
                remains += driver.remains([one.id for one in found])
        except SandboxError as error:
            silent[name] = error.learner
    workers = living_workers(options.run_dir)
    document = {
        "sandboxes": [_document(one) for one in running],
        "remains": remains,
        "workers": [asdict(worker) | {"pid": worker.pid} for worker in workers],
        "silent_drivers": silent,
    }
    return Answer(document, [*_shown(running), *_notes(remains, silent, options.run_dir, len(workers))])


def _document(one: Running) -> dict[str, Any]:
    seconds = one.age_seconds
    return asdict(one) | {
        "age_seconds": round(seconds, 1) if seconds is not None else None,
        "at": round(time.time(), 1),
    }


def _shown(running: list[Running]) -> list[Any]:
    if not running:
        return [Text("No sandbox runs.")]
    made = table("id", "driver", "purpose", "whose", "state", "age", "memory", "services")
    for one in running:
        whose = " ".join(f"{key}={one.labels[key]}" for key in WHOSE if key in one.labels)
        services = " ".join(
            name if state == "ready" else f"{name} ({state})" for name, state in one.services.items()
        )
        cells = (
            one.id, one.driver, one.purpose or "–", whose or "–", one.state, age(one.age_seconds),
            size(one.memory_bytes), services or "–",
        )  # fmt: skip
        made.add_row(*(Text(cell) for cell in cells))
    total = sum(one.memory_bytes or 0 for one in running)
    return [made, Text(f"{len(running)} running, {size(total)} together.")]


def _notes(remains: list[str], silent: dict[str, str], run_dir: Path, workers: int) -> list[Text]:
    notes = []
    if remains:
        notes.append(
            Text(
                f"Something is left of {len(remains)} that ended or were lost: `python -m sandboxes reap` removes it."
            )
        )
    notes += [
        Text(f"Nothing is known of the driver {name}: {why}", style="dim") for name, why in silent.items()
    ]
    if workers > 1:
        notes.append(Text(f"{workers} workers share {run_dir}.", style="dim"))
    return notes
