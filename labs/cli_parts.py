"""What the commands of `python -m labs` share: options, drivers, and how failures are told."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click

from commandline.loading import loading
from labs import console
from labs.catalogue import Catalogue, Lab, load
from labs.errors import LabError, LabNotFound
from sandboxes.drivers import DRIVERS, choose_driver, open_driver
from sandboxes.interface import Driver, DriverUnavailable, SandboxError

driver_option = click.option(
    "--driver", "driver_name", type=click.Choice([*DRIVERS, "auto"]), default="auto", show_default=True,
    help="Where the notebook runs; auto is docker where an engine answers, else local.",
)  # fmt: skip
json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document on standard output."
)


EVERY = "every"
"""In place of a driver's name: each driver that works on this machine."""


def catalogue_of() -> Catalogue:
    """All labs, read for as long as the process lives."""
    with loading():
        return load()


def lab_of(catalogue: Catalogue, slug: str) -> Lab:
    """The lab of this id, or a wrong call that tells its faults."""
    try:
        return catalogue.lab(slug)
    except LabNotFound as error:
        faults = [str(fault) for fault in catalogue.faults if slug in fault.path.parts]
        raise click.BadParameter("\n".join([str(error), *faults]), param_hint="SLUG") from None


@contextmanager
def opened_driver(name: str) -> Iterator[Driver]:
    """A checked driver whose sandboxes are all stopped at the end, also after SIGTERM."""
    # Not the portal's run directory: its reaper ends what it does not know.
    run_dir = Path(
        os.environ.get("LABS_RUN_DIR") or f"{tempfile.gettempdir()}/proving-ground-{os.getuid()}-labs"
    )
    driver = open_driver(choose_driver(name, run_dir).name, run_dir)
    previous = signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        yield driver
    finally:
        driver.close()
        signal.signal(signal.SIGTERM, previous)


@contextmanager
def opened_drivers(name: str) -> Iterator[list[Driver]]:
    """The driver of this name, or with EVERY all that work here; what does not work is told."""
    with ExitStack() as stack:
        if name != EVERY:
            yield [stack.enter_context(opened_driver(name))]
            return
        drivers = []
        for each in DRIVERS:
            try:
                drivers.append(stack.enter_context(opened_driver(each)))
            except DriverUnavailable as error:
                console.err.print(
                    f"The driver {each} does not work here: {error.learner}", markup=False, soft_wrap=True
                )
        if not drivers:
            raise DriverUnavailable("No driver works here: install PostgreSQL, or start a container engine.")
        yield drivers


@contextmanager
def broken_machinery(as_json: bool) -> Iterator[None]:
    """Turn what is not the learner's fault into exit status 1 and words about it."""
    try:
        yield
    except (SandboxError, LabError) as error:
        message = error.learner if isinstance(error, SandboxError) else str(error)
        console.err.print(
            f"[red]This did not work, and not because of the notebook:[/] {message}", soft_wrap=True
        )
        if isinstance(error, SandboxError):
            for text in (error.detail, error.log):
                console.err.print(text, markup=False, soft_wrap=True) if text else None
        if as_json:
            console.print_document(
                {"schema": 1, "error": {"reason": getattr(error, "reason", "broken_lab"), "message": message}}
            )
        sys.exit(1)


@contextmanager
def progress_of(what: str) -> Iterator[Callable[[str], None]]:
    """Show on standard error what goes on, with a clock's hand that turns; plain lines where that is not a terminal."""
    if not console.err.is_terminal:
        yield lambda step: console.err.print(f"{what}: {step}", markup=False, soft_wrap=True)
        return
    with console.err.status(what) as status:
        yield lambda step: status.update(f"{what}: {step}")
