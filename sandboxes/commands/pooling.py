"""`pool`: the sandboxes that wait for learners and for gradings, as the worker that keeps them says."""

from __future__ import annotations

import argparse
import time
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from sandboxes.commands.answer import Answer, age, table
from sandboxes.drivers.pool_note import read_pool_note
from sandboxes.drivers.presence import living_workers

HELP = "show the sandboxes that wait, already started"
NUMBERS = ("wanted", "warm", "starting", "hits", "misses")


def configure(parser: argparse.ArgumentParser) -> None:
    """No options of its own."""


def run(options: argparse.Namespace) -> Answer:
    """What the pool's note says, while the worker that wrote it lives."""
    workers = living_workers(options.run_dir)
    note = read_pool_note(options.run_dir, min(worker.started_at for worker in workers)) if workers else None
    if note is None:
        words = (
            f"The worker keeps no pool on {options.run_dir}: POOL_TOTAL says how many sandboxes may wait."
            if workers
            else f"No worker runs on {options.run_dir}, so no sandbox waits there."
        )
        return Answer({"kept": False, "workers": len(workers), "flavours": []}, [Text(words)])
    return Answer({"kept": True, "workers": len(workers), **note}, _shown(note))


def _shown(note: dict[str, Any]) -> list[RenderableType]:
    shown: list[RenderableType] = []
    if note["flavours"]:
        made = table("lab", "for", *NUMBERS, "oldest", "last failure")
        for one in note["flavours"]:
            oldest = one.get("oldest_seconds")
            cells = (
                str(one.get("lab") or one.get("image") or "–"),
                str(one.get("purpose", "–")),
                *(str(one.get(key, "–")) for key in NUMBERS),
                age(oldest if isinstance(oldest, int | float) else None),
                str(one.get("failure") or "–"),
            )
            made.add_row(*(Text(cell) for cell in cells))
        shown.append(made)
    else:
        shown.append(Text("The pool is there, and nothing is wanted of it now."))
    hits, misses = _count(note, "hits"), _count(note, "misses")
    words = f"{_count(note, 'warm')} wait, at most {_count(note, 'total')} may."
    if hits + misses:
        words += f" {hits} of {hits + misses} starts were warm ({100 * hits // (hits + misses)} %)."
    return [*shown, Text(f"{words} As of {age(max(0.0, time.time() - note['at']))} ago.")]


def _count(note: dict[str, Any], key: str) -> int:
    value = note.get(key)
    return value if isinstance(value, int) else 0
