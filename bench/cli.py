"""The command line of the benchmarks."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from bench import bank, grade, launch, orders, pages, start
from sandboxes.interface import SandboxError

BENCHES: dict[str, Callable[[int], None]] = {
    "launch": launch.run,
    "grade": grade.run,
    "orders": orders.run,
    "bank": bank.run,
    "pages": pages.run,
    "start": start.run,
}
ROUNDS = {"launch": 20, "grade": 15, "orders": 1, "bank": 5, "pages": 5, "start": 7}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run benchmarks. Exit code 0: measured (whatever came out); 1: it could not be measured; 2: wrong usage."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which: {', '.join(BENCHES)} (default: all)")
    parser.add_argument(
        "--rounds",
        type=int,
        help="how often each case is measured (default: 20 launches, 15 gradings, 1 run of orders, 5 lints or pages, 7 starts)",
    )
    of_pages = parser.add_argument_group("pages")
    of_pages.add_argument(
        "--learners", type=int, default=pages.Size.learners, help="how many there are (default: %(default)s)"
    )
    of_pages.add_argument(
        "--attempts",
        type=int,
        default=pages.Size.attempts,
        help="answers and submissions of all (default: %(default)s)",
    )
    of_pages.add_argument("--database", choices=[*pages.DATABASES, "both"], default="both")
    of_pages.add_argument(
        "--only", default="", metavar="WORDS", help='only pages with this in their case, such as "heavy home."'
    )
    of_pages.add_argument(
        "--kept",
        type=Path,
        metavar="FOLDER",
        help="keep filled databases there (a short path); one that is there is used, and only throughput is measured",
    )
    options = parser.parse_args(arguments)
    unknown = sorted(set(options.names) - set(BENCHES))
    if unknown or (options.rounds is not None and options.rounds < 1):
        parser.error(
            f"there is no benchmark {', '.join(unknown)}" if unknown else "--rounds must be at least 1"
        )
    if not 3 <= options.learners <= options.attempts:
        parser.error("--learners must be at least 3, and --attempts at least as many")
    databases = pages.DATABASES if options.database == "both" else (options.database,)
    size = pages.Size(options.learners, options.attempts)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # what was started is cleaned up on the way out
    try:
        for name in options.names or BENCHES:
            rounds = options.rounds or ROUNDS[name]
            if name == "pages":
                pages.run(rounds, size, databases, only=options.only, kept=options.kept)
            else:
                BENCHES[name](rounds)
    except SandboxError as error:
        print(error.learner, file=sys.stderr)
        return 1
    except (RuntimeError, TimeoutError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0
