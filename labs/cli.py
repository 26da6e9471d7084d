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
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from labs import build as building
from labs.catalogue import Catalogue, Lab, load
from labs.errors import LabError, LabNotFound
from labs.grader import grade as grade_notebook
from labs.grader import new_seed
from labs.report import NotebookStatus, Report, TaskStatus
from labs.services import environment_of
from labs.submission import MAX_NOTEBOOK_BYTES
from labs.verify import PARALLEL, Proof
from labs.verify import verify as verify_lab
from sandboxes.drivers import DRIVERS, choose_driver, open_driver
from sandboxes.interface import Driver, SandboxError, SandboxSpec

VERIFY_SEED = 1
_MARKS = {
    TaskStatus.PASSED: "[green]passed[/]",
    TaskStatus.FAILED: "[red]failed[/]",
    TaskStatus.ERROR: "[magenta]error[/]",
}

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

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
        _print_document(
            {
                "labs": [_lab_document(lab) for lab in catalogue.labs.values()],
                "faults": _fault_documents(catalogue),
            }
        )
    else:
        table = Table("lab", "title", "level", "minutes", "tasks", "points", box=None)
        for lab in catalogue.labs.values():
            it = lab.manifest
            table.add_row(
                lab.id, it.title, it.level.value, str(it.minutes), str(len(it.tasks)), str(it.max_score)
            )
        out.print(table)
        _print_faults(catalogue)
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
        _print_document({**document, "faults": _fault_documents(catalogue)})
    else:
        for path in built.written:
            out.print(f"wrote {path.name}")
        for path in built.kept:
            advice = (
                "run `python -m labs build`" if check else "somebody has worked in it; --force overwrites it"
            )
            err.print(f"[red]{path.name} is not as its lab makes it[/]: {advice}")
        if not built.written and not built.kept:
            out.print("every notebook is as its lab makes it")
        _print_faults(catalogue)
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
        document = {"schema": 1, "holds": holds, "seed": seed, "faults": _fault_documents(catalogue)}
        _print_document(
            {
                **document,
                "labs": {slug: [_proof_document(proof) for proof in some] for slug, some in proofs.items()},
            }
        )
    else:
        for lab_id, some in proofs.items():
            _print_proofs(lab_id, some)
        for fault in faults:
            err.print(f"[red]fault[/] {fault}", soft_wrap=True)
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
        _print_document(report.document())
    else:
        _print_report(report)


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
        err.print(f"[red]This did not work, and not because of the notebook:[/] {message}", soft_wrap=True)
        if isinstance(error, SandboxError):
            for text in (error.detail, error.log):
                err.print(text, markup=False, soft_wrap=True) if text else None
        if as_json:
            _print_document(
                {"schema": 1, "error": {"reason": getattr(error, "reason", "broken_lab"), "message": message}}
            )
        sys.exit(1)


@contextmanager
def _progress(what: str) -> Iterator[Callable[[str], None]]:
    """Show on standard error what goes on, with a clock's hand that turns; plain lines where that is not a terminal."""
    if not err.is_terminal:
        yield lambda step: err.print(f"{what}: {step}", markup=False, soft_wrap=True)
        return
    with err.status(what) as status:
        yield lambda step: status.update(f"{what}: {step}")


def _teller(note: Callable[[str], None]) -> Callable[[Proof], None]:
    def tell(proof: Proof) -> None:
        note(f"{proof.case.name} {'holds' if proof.holds else 'does not hold'} ({proof.report.seconds:.1f} s)")

    return tell


def _print_document(document: Any) -> None:
    click.echo(json.dumps(document, indent=2, ensure_ascii=False))


def _print_faults(catalogue: Catalogue) -> None:
    for fault in catalogue.faults:
        err.print(f"[red]fault[/] {fault}", soft_wrap=True)


def _fault_documents(catalogue: Catalogue) -> list[dict[str, Any]]:
    return [
        {"path": str(fault.path), "line": fault.line, "message": fault.message} for fault in catalogue.faults
    ]


def _lab_document(lab: Lab) -> dict[str, Any]:
    return {
        **lab.manifest.model_dump(mode="json"),
        "content_hash": lab.content_hash,
        "max_score": lab.manifest.max_score,
    }


def _proof_document(proof: Proof) -> dict[str, Any]:
    return {
        "case": proof.case.name,
        "why": proof.case.why,
        "loses": sorted(proof.case.loses),
        "lost": sorted(proof.report.lost),
        "holds": proof.holds,
        "problems": proof.problems,
        "report": proof.report.document(),
    }


def _print_report(report: Report) -> None:
    if report.notebook.status is not NotebookStatus.COMPLETED or report.lost:
        out.print(f"Notebook: {report.notebook.message}", markup=False, soft_wrap=True)
    table = Table("task", "points", "status", "message", box=None)
    for task in report.tasks:
        table.add_row(task.title, f"{task.earned}/{task.points}", _MARKS[task.status], task.message)
    out.print(table)
    out.print(
        f"{report.score} of {report.max_score} points ({report.percent} %), seed {report.seed}, {report.seconds:.1f} s"
    )


def _print_proofs(lab: str, proofs: Sequence[Proof]) -> None:
    table = Table("case", "must lose", "lost", "s", "", box=None, title=lab, title_justify="left")
    for proof in proofs:
        mark = (
            "[green]holds[/]"
            if proof.holds
            else "[red]" + "; ".join(problem.replace("[", "\\[") for problem in proof.problems) + "[/]"
        )
        seconds = f"{proof.report.seconds:.1f}"
        table.add_row(proof.case.name, _names(proof.case.loses), _names(proof.report.lost), seconds, mark)
    out.print(table)


def _names(tasks: frozenset[str]) -> str:
    return ", ".join(sorted(tasks)) or "–"
