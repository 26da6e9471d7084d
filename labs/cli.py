"""`python -m labs`: list, build, verify and grade labs, and start the services of one.

With `--json` a command prints one JSON document on standard output and nothing else there. Exit status: 0 when the command
did its work, whatever a learner scored; 1 when content or the machinery is broken; 2 when it was called wrongly.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from labs import build as building
from labs import console
from labs.catalogue import Catalogue, Lab, load
from labs.errors import LabError, LabNotFound
from labs.grader import grade as grade_notebook
from labs.grader import new_seed
from labs.services import environment_of
from labs.submission import MAX_NOTEBOOK_BYTES
from labs.verify import PARALLEL, Proof
from labs.verify import verify as verify_lab
from sandboxes.drivers import DRIVERS, choose_driver, open_driver
from sandboxes.interface import Driver, SandboxError, SandboxSpec

VERIFY_SEED = 1
driver_option = click.option(
    "--driver", "driver_name", type=click.Choice([*DRIVERS, "auto"]), default="auto", show_default=True,
    help="Where the notebook runs; auto is docker where an engine answers, else local.",
)  # fmt: skip
json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document on standard output."
)


@click.group(help="Labs: list them, build their notebooks, prove them, grade notebooks.")
def main() -> None:
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")


@main.command("list")
@json_option
def list_labs(*, as_json: bool) -> None:
    """List the labs, and every fault in their files."""
    catalogue = load()
    if as_json:
        console.print_document(
            {
                "labs": [console.lab_document(lab) for lab in catalogue.labs.values()],
                "faults": console.fault_documents(catalogue.faults),
            }
        )
    else:
        console.print_labs(catalogue)
        console.print_faults(catalogue.faults)
    sys.exit(1 if catalogue.faults else 0)


@main.command()
@click.option(
    "--check", is_flag=True, help="Change nothing; exit 1 when a notebook is not as its lab makes it."
)
@click.option("--force", is_flag=True, help="Overwrite also notebooks in which somebody has worked.")
@json_option
def build(*, check: bool, force: bool, as_json: bool) -> None:
    """Write the learners' notebooks into notebooks/."""
    catalogue = load()
    labs = catalogue.labs.values()
    stale = building.stale(labs)
    built = building.Built((), tuple(stale)) if check else building.build(labs, force=force)
    if as_json:
        document = {
            "written": [path.name for path in built.written],
            "stale": [path.name for path in built.kept],
        }
        console.print_document({**document, "faults": console.fault_documents(catalogue.faults)})
    else:
        for path in built.written:
            console.out.print(f"wrote {path.name}")
        for path in built.kept:
            advice = (
                "run `python -m labs build`" if check else "somebody has worked in it; --force overwrites it"
            )
            console.err.print(f"[red]{path.name} is not as its lab makes it[/]: {advice}")
        if not built.written and not built.kept:
            console.out.print("every notebook is as its lab makes it")
        console.print_faults(catalogue.faults)
    sys.exit(1 if built.kept or catalogue.faults else 0)


@main.command()
@click.argument("slug", required=False)
@driver_option
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=VERIFY_SEED,
    show_default=True,
    help="Hidden inputs are drawn from it.",
)
@click.option(
    "--parallel", type=click.IntRange(1, 16), default=PARALLEL, show_default=True, help="Sandboxes at a time."
)
@json_option
def verify(*, slug: str | None, driver_name: str, seed: int, parallel: int, as_json: bool) -> None:
    """Prove labs: the solution passes all, the starter nothing, each wrong answer loses exactly its tasks."""
    catalogue = load()
    labs = [_lab(catalogue, slug)] if slug else list(catalogue.labs.values())
    faults = [
        fault
        for fault in catalogue.faults
        if not slug or (labs[0].path in fault.path.parents or fault.path == labs[0].path)
    ]
    proofs: dict[str, list[Proof]] = {}
    with _broken_machinery(as_json), _driver(driver_name) as driver:
        for lab in labs:
            with _progress(f"proving {lab.id} in the {driver.name} driver") as note:
                proofs[lab.id] = verify_lab(lab, driver, seed=seed, parallel=parallel, finished=_teller(note))
    holds = not faults and all(proof.holds for some in proofs.values() for proof in some)
    if as_json:
        document = {
            "schema": 1,
            "holds": holds,
            "seed": seed,
            "faults": console.fault_documents(catalogue.faults),
        }
        console.print_document(
            {
                **document,
                "labs": {
                    slug: [console.proof_document(proof) for proof in some] for slug, some in proofs.items()
                },
            }
        )
    else:
        for lab_id, some in proofs.items():
            console.print_proofs(lab_id, some)
        console.print_faults(faults)
    sys.exit(0 if holds else 1)


@main.command()
@click.argument("slug")
@click.argument("notebook", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@driver_option
@click.option(
    "--seed",
    type=click.IntRange(0, 2**63),
    help="Hidden inputs are drawn from it. Default: one that nobody can guess.",
)
@click.option(
    "--executed",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Write the notebook as it ran to this file.",
)
@json_option
def grade(
    *, slug: str, notebook: Path, driver_name: str, seed: int | None, executed: Path | None, as_json: bool
) -> None:
    """Grade a notebook in a fresh sandbox. Exits 0 whatever it scores."""
    lab = _lab(load(), slug)
    with notebook.open("rb") as file:
        data = file.read(MAX_NOTEBOOK_BYTES + 1)
    with _broken_machinery(as_json), _driver(driver_name) as driver, _progress(f"grading {lab.id}") as note:
        report = grade_notebook(
            lab, data, seed=new_seed() if seed is None else seed, driver=driver, progress=note
        )
    if executed is not None and report.executed is not None:
        executed.write_text(json.dumps(report.executed, indent=1), encoding="utf-8")
    if as_json:
        console.print_document(report.document())
    else:
        console.print_report(report)


@main.command()
@click.argument("slug")
@json_option
def services(*, slug: str, as_json: bool) -> None:
    """Start the services of a lab on this machine and print their environment as one line of JSON.

    They stay until standard input is closed.
    """
    lab = _lab(load(), slug)
    with (
        _broken_machinery(as_json=True),
        _driver("local") as driver,
        tempfile.TemporaryDirectory(prefix="lab-services-") as workspace,
    ):
        spec = SandboxSpec(
            workspace=Path(workspace),
            services=lab.manifest.services,
            limits=lab.manifest.limits.sandbox(),
            jupyter=False,
            labels={"purpose": "services", "lab": lab.id},
        )
        sandbox = driver.start(spec, lambda _: None)
        try:
            environment = environment_of(sandbox, lab.manifest.services)
            click.echo(json.dumps({"lab": lab.id, "environment": environment}))
            sys.stdout.flush()
            while os.read(sys.stdin.fileno(), 4096):
                pass
        finally:
            sandbox.stop()


# ── helpers ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _lab(catalogue: Catalogue, slug: str) -> Lab:
    try:
        return catalogue.lab(slug)
    except LabNotFound as error:
        faults = [str(fault) for fault in catalogue.faults if slug in fault.path.parts]
        raise click.BadParameter("\n".join([str(error), *faults]), param_hint="SLUG") from None


@contextmanager
def _driver(name: str) -> Iterator[Driver]:
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
def _broken_machinery(as_json: bool) -> Iterator[None]:
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
def _progress(what: str) -> Iterator[Callable[[str], None]]:
    """Show on standard error what goes on, with a clock's hand that turns; plain lines where that is not a terminal."""
    if not console.err.is_terminal:
        yield lambda step: console.err.print(f"{what}: {step}", markup=False, soft_wrap=True)
        return
    with console.err.status(what) as status:
        yield lambda step: status.update(f"{what}: {step}")


def _teller(note: Callable[[str], None]) -> Callable[[Proof], None]:
    def tell(proof: Proof) -> None:
        note(f"{proof.case.name} {'holds' if proof.holds else 'does not hold'} ({proof.report.seconds:.1f} s)")

    return tell
