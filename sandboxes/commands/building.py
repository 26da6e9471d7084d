"""`build`: make the images that are missing or out of date."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Sequence

from rich.console import Console
from rich.status import Status
from rich.text import Text

from sandboxes.commands.answer import Answer
from sandboxes.drivers import open_driver
from sandboxes.interface import Progress

HELP = "build the images that are missing or out of date"
err = Console(stderr=True, highlight=False)


def configure(parser: argparse.ArgumentParser) -> None:
    """Which images."""
    parser.add_argument("images", nargs="*", metavar="IMAGE", help="only these")


def run(options: argparse.Namespace) -> Answer:
    """Build images, telling each step and at the end the sizes."""
    open_driver("docker", options.run_dir)
    # Only now: without an engine the reason is told, and its client's library is not needed for that.
    from sandboxes.drivers.image_context import build_order
    from sandboxes.drivers.images import built_image, why_not_wanted

    # Whoever asks for an image by its name wants what it takes from others' images to be fetched.
    named = os.environ | _defaults(options.images)
    driver = open_driver("docker", options.run_dir, named=named)
    built = []
    skipped = []
    shown = []
    for name in options.images or build_order():
        started = time.monotonic()
        unwanted = why_not_wanted(name, named)
        if unwanted:
            skipped.append({"image": name, "reason": unwanted})
            shown.append(Text(f"{name}: left out. {unwanted}"))
            continue
        with err.status(f"{name}: looking") as status:
            driver.prepare(name, _teller(name, status))
        image = built_image(name, named)
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
        size = f"{image.size / 1_000_000:.0f} MB"
        if image.added is not None:
            size += f" ({image.added / 1_000_000:.0f} MB more than {image.below})"
        shown.append(Text(f"{name}: {image.tag}, {size}, {seconds:.1f} s"))
    return Answer({"images": built, "left_out": skipped}, shown)


def _defaults(images: Sequence[str]) -> dict[str, str]:
    """The names of others' images that these take from and that the operator did not change, as if they had been set."""
    from sandboxes.drivers.image_context import ImageContext

    sources = [each.source for name in images for each in ImageContext(name).lineage if each.source]
    return {source.argument: source.image for source in sources}


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
