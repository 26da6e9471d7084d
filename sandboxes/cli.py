"""The command line: `python -m sandboxes build | doctor | list | pool | reap`, each with `--json`."""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType

from rich.console import Console

from sandboxes.commands import building, examining, listing, pooling, reaping
from sandboxes.interface import SandboxError

COMMANDS: Mapping[str, ModuleType] = {
    "build": building,
    "doctor": examining,
    "list": listing,
    "pool": pooling,
    "reap": reaping,
}
WIDTH = 140
"""Of what is printed where there is no terminal that says how wide it is."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line. Exit code 0: done; 1: it could not be done, with the reason on standard error; 2: wrong usage."""
    options = _parser().parse_args(arguments)
    err = Console(stderr=True, highlight=False)
    try:
        answer = COMMANDS[options.command].run(options)
    except SandboxError as error:
        if error.log:
            err.print(error.log, markup=False, style="dim")
        err.print(error.learner, markup=False, style="red")
        return 1
    except KeyboardInterrupt:
        err.print("Interrupted.")
        return 130
    if options.json:
        print(json.dumps(answer.document, indent=2))
    else:
        out = Console(highlight=False)
        if not out.is_terminal:
            out.width = WIDTH
        for part in answer.shown:
            out.print(part)
    return int(answer.code)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sandboxes",
        description="Build the images of sandboxes, see what works and what runs, and clean up.",
    )
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--json", action="store_true", help="print one JSON document and nothing else")
    shared.add_argument(
        "--run-dir",
        type=Path,
        default=Path(os.environ.get("RUN_DIR") or f"{tempfile.gettempdir()}/proving-ground-{os.getuid()}"),
        help="the run directory of the portal (default: %(default)s)",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name, module in COMMANDS.items():
        module.configure(commands.add_parser(name, parents=[shared], help=module.HELP))
    return parser
