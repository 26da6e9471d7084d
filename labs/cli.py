"""`python -m labs`: list, build, prove and grade labs, show hints, and start the services of one.

With `--json` a command prints one JSON document on standard output and nothing else there. Exit status: 0 when the command
did its work, whatever a learner scored; 1 when content or the machinery is broken; 2 when it was called wrongly.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import tempfile
from pathlib import Path

import click

from labs import build as building
from labs import console
from labs.cli_parts import (
    broken_machinery,
    catalogue_of,
    driver_option,
    json_option,
    lab_of,
    opened_driver,
    progress_of,
)
from labs.manifest import HINTS_PER_TASK
from labs.services import environment_of
from labs.submission import MAX_NOTEBOOK_BYTES
from sandboxes.interface import SandboxSpec

PROVING = ("mutate", "verify")
"""Commands of `labs.cli_proving`, which needs clients that the other commands don't."""


class _Commands(click.Group):
    """The commands, those that prove labs imported when one of them is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), *PROVING])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in PROVING:
            return super().get_command(ctx, cmd_name)
        from labs import cli_proving

        command: click.Command = getattr(cli_proving, cmd_name)
        return command


@click.group(cls=_Commands, help="Labs: list them, build their notebooks, prove them, grade notebooks.")
def main() -> None:
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")


@main.command("list")
@json_option
def list_labs(*, as_json: bool) -> None:
    """List the labs, and every fault in their files."""
    catalogue = catalogue_of()
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
    catalogue = catalogue_of()
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
    # Imported here: the other commands need no client of HTTP or PostgreSQL.
    from labs.grader import grade as grade_notebook
    from labs.grader import new_seed

    lab = lab_of(catalogue_of(), slug)
    with notebook.open("rb") as file:
        data = file.read(MAX_NOTEBOOK_BYTES + 1)
    with (
        broken_machinery(as_json),
        opened_driver(driver_name) as driver,
        progress_of(f"grading {lab.id}") as note,
    ):
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
@click.argument("task")
@click.option(
    "--step", type=click.IntRange(1, HINTS_PER_TASK), default=1, show_default=True, help="Which of the hints."
)
@json_option
def hint(*, slug: str, task: str, step: int, as_json: bool) -> None:
    """Show a hint of a task: 1 is a nudge, the last nearly the code."""
    lab = lab_of(catalogue_of(), slug)
    found = next((one for one in lab.tasks if one.id == task), None)
    if found is None:
        known = ", ".join(one.id for one in lab.tasks)
        raise click.BadParameter(f"{lab.id} has no task {task!r}. Its tasks are: {known}.", param_hint="TASK")
    text = found.hints[step - 1]
    if as_json:
        document = {"lab": lab.id, "task": task, "title": found.title, "step": step, "steps": len(found.hints)}
        console.print_document({**document, "text": text})
    else:
        console.out.print(text, markup=False, soft_wrap=True)


@main.command()
@click.argument("slug")
@json_option
def services(*, slug: str, as_json: bool) -> None:
    """Start the services of a lab on this machine and print their environment as one line of JSON.

    They stay until standard input is closed.
    """
    lab = lab_of(catalogue_of(), slug)
    with (
        broken_machinery(as_json=True),
        opened_driver("local") as driver,
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
