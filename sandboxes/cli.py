"""The command line: `python -m sandboxes build` and `python -m sandboxes list`, each with `--json`."""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.status import Status

from sandboxes.drivers import DRIVERS, driver_class, open_driver
from sandboxes.interface import Progress, SandboxError

err = Console(stderr=True, highlight=False)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line. Exit code 0: done; 1: it could not be done, with the reason on standard error; 2: wrong usage."""
    options = _parser().parse_args(arguments)
    try:
        commands: dict[str, Callable[[argparse.Namespace], dict[str, Any]]] = {"build": _build, "list": _list}
        document = commands[options.command](options)
    except SandboxError as error:
        if error.log:
            err.print(error.log, markup=False, style="dim")
        err.print(error.learner, markup=False, style="red")
        return 1
    if options.json:
        print(json.dumps(document, indent=2))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sandboxes", description="Build the images of sandboxes, and see which run."
    )
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--json", action="store_true", help="print one JSON document and nothing else")
    shared.add_argument(
        "--run-dir",
        type=Path,
        default=Path(f"{tempfile.gettempdir()}/proving-ground-{os.getuid()}"),
        help="the run directory of the portal (default: %(default)s)",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    build = commands.add_parser(
        "build", parents=[shared], help="build the images that are missing or out of date"
    )
    build.add_argument("images", nargs="*", metavar="IMAGE", help="only these")
    commands.add_parser("list", parents=[shared], help="list the sandboxes that run")
    return parser


def _build(options: argparse.Namespace) -> dict[str, Any]:
    """Build images, telling each step and at the end the sizes."""
    driver = open_driver("docker", options.run_dir)
    # Only now: without an engine the reason is told, and its client's library is not needed for that.
    from sandboxes.drivers.image_context import build_order
    from sandboxes.drivers.images import built_image

    built = []
    for name in options.images or build_order():
        started = time.monotonic()
        with err.status(f"{name}: looking") as status:
            driver.prepare(name, _teller(name, status))
        image = built_image(name)
        seconds = round(time.monotonic() - started, 1)
        built.append(
            {
                "image": name,
                "tag": image.tag,
                "bytes": image.size,
                "below": image.below,
                "added_bytes": image.added,
                "seconds": seconds,
            }
        )
        if not options.json:
            size = f"{image.size / 1_000_000:.0f} MB"
            if image.added is not None:
                size += f" ({image.added / 1_000_000:.0f} MB more than {image.below})"
            print(f"{name}: {image.tag}, {size}, {seconds:.1f} s")
    return {"images": built}


def _teller(image: str, status: Status) -> Callable[[Progress], None]:
    """Shows a build's steps: as one live line on a terminal, else one line a step."""
    told = ""

    def tell(progress: Progress) -> None:
        nonlocal told
        words = f"{image}: {progress.detail}"
        if err.is_terminal:
            status.update(f"{words} ({progress.elapsed_seconds:.0f} s)")
        elif words != told:
            err.print(f"{words} ({progress.elapsed_seconds:.0f} s)", markup=False)
        told = words

    return tell


def _list(options: argparse.Namespace) -> dict[str, Any]:
    """What runs, by every driver that works here."""
    found: list[dict[str, Any]] = []
    for name in DRIVERS:
        try:
            driver = driver_class(name)(options.run_dir)  # type: ignore[call-arg]
            driver.check()
        except SandboxError:
            continue  # a driver that can't work here runs nothing
        for sandbox_id, labels in driver.running():
            found.append({"id": sandbox_id, "driver": name, "labels": dict(labels)})
    if not options.json:
        for sandbox in found:
            words = " ".join(f"{key}={value}" for key, value in sorted(sandbox["labels"].items()))
            print(f"{sandbox['id']}  {sandbox['driver']}  {words}".rstrip())
        if not found:
            print("No sandbox runs.")
    return {"sandboxes": found}
