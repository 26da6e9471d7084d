"""`reap`: end and remove what a crash left; what belongs to somebody who lives is kept."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict

from rich.text import Text

from sandboxes.commands.answer import Answer, size
from sandboxes.drivers import DRIVERS, driver_class
from sandboxes.drivers.inventory import kept
from sandboxes.drivers.presence import Worker, living_workers, recent_workers
from sandboxes.drivers.reaping import Reaped, reap, remove_scratch, stale_scratch
from sandboxes.interface import DriverUnavailable, SandboxError

HELP = "remove what a crash left behind"
GRACE_SECONDS = 600.0
LEAST_GRACE_SECONDS = 60.0
"""While a worker lives: a launch of its own may be half way."""


def configure(parser: argparse.ArgumentParser) -> None:
    """How careful to be."""
    parser.add_argument(
        "--grace", type=_seconds, default=GRACE_SECONDS, metavar="SECONDS",
        help="leave alone what began less long ago (default: %(default)g; at least 60 while a worker runs)",
    )  # fmt: skip
    parser.add_argument("--dry-run", action="store_true", help="say what would be removed, and change nothing")
    parser.add_argument("--all", action="store_true", help="end every sandbox, also those that learners use")
    parser.add_argument("--yes", action="store_true", help="do not ask before --all")


def run(options: argparse.Namespace) -> Answer:
    """Reap by every driver that answers here. Raises SandboxError when `--all` was not confirmed."""
    workers = living_workers(options.run_dir)
    if options.all and not options.dry_run and not options.yes:
        _confirm(len(workers))
    grace = 0.0 if options.all else max(options.grace, LEAST_GRACE_SECONDS if workers else 0.0)
    reaped: list[Reaped] = []
    silent: dict[str, str] = {}
    for name in DRIVERS if options.run_dir.is_dir() else ():
        try:
            # A worker that was killed is started again, and takes up its sandboxes.
            reaped.append(_reap(name, options, recent_workers(options.run_dir, grace), grace))
        except DriverUnavailable as error:
            silent[name] = error.learner
    scratch = stale_scratch(options.run_dir, grace)
    freed = sum(one.freed_bytes for one in reaped) + remove_scratch(scratch, dry_run=options.dry_run)
    document = {
        "dry_run": options.dry_run,
        "grace_seconds": grace,
        "drivers": [asdict(one) for one in reaped],
        "scratch": [path.name for path in scratch],
        "freed_bytes": freed,
        "workers": [asdict(worker) | {"pid": worker.pid} for worker in workers],
        "silent_drivers": silent,
    }
    return Answer(document, _shown(reaped, len(scratch), freed, silent, dry_run=options.dry_run))


def _reap(name: str, options: argparse.Namespace, workers: list[Worker], grace: float) -> Reaped:
    driver = driver_class(name)(options.run_dir)  # type: ignore[call-arg]
    keep = [] if options.all else kept(options.run_dir, driver.running(), workers)
    return reap(driver, options.run_dir, keep, grace, dry_run=options.dry_run)


def _shown(
    reaped: list[Reaped], scratch: int, freed: int, silent: dict[str, str], *, dry_run: bool
) -> list[Text]:
    verb = "would remove" if dry_run else "removed"
    lines = []
    for one in reaped:
        if one.removed or one.kept:
            lines.append(
                Text(f"{one.driver}: {verb} {len(one.removed)}, kept {len(one.kept)} that are in use.")
            )
            lines += [Text(f"  {sandbox_id}") for sandbox_id in one.removed]
    if scratch:
        lines.append(Text(f"{verb} {scratch} workspaces that nobody keeps.".capitalize()))
    if any(one.removed for one in reaped) or scratch:
        lines.append(Text(f"{size(freed)} on disk {'would be' if dry_run else 'are'} free again."))
    else:
        lines.append(Text("There was nothing to remove."))
    lines += [
        Text(f"Nothing is known of the driver {name}: {why}", style="dim") for name, why in silent.items()
    ]
    return lines


def _confirm(workers: int) -> None:
    question = "End every sandbox of this run directory, also those that learners use? Files are kept."
    if workers:
        question += f" {workers} worker{'s' if workers > 1 else ''} will see their sandboxes end."
    if not sys.stdin.isatty():
        raise SandboxError("With --all, say --yes as well where nobody can be asked.")
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)  # noqa: T201 - a question to the person
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise SandboxError("Nothing was done.")


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 7 * 86_400:
        raise argparse.ArgumentTypeError("between 0 and 604800 seconds")
    return value
