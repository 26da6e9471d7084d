"""`python -m labs verify` and `mutate`: proving labs, and how much their checks notice."""

from __future__ import annotations

import sys
from collections.abc import Callable

import click

from labs import console, console_proving, proof
from labs.catalogue import Catalogue, Lab
from labs.cli_parts import (
    EVERY,
    broken_machinery,
    catalogue_of,
    json_option,
    lab_of,
    opened_driver,
    opened_drivers,
    progress_of,
)
from labs.faults import Fault
from labs.mutation import equivalent
from labs.mutation.mutants import choose, mutants_of
from labs.mutation.run import ENOUGH, Trial, impatient, share_killed, solution_holds, try_out
from labs.proving import Job, Result, jobs_for, prove
from labs.verify import Proof
from sandboxes.drivers import DRIVERS

VERIFY_SEED = 1
AT_MOST = 40
PARALLEL = 2
seed_option = click.option(
    "--seed", type=click.IntRange(0), default=VERIFY_SEED, show_default=True, help="Hidden inputs are drawn from it.",
)  # fmt: skip
parallel_option = click.option(
    "--parallel", type=click.IntRange(1, 16), default=PARALLEL, show_default=True, help="Sandboxes at a time."
)


@click.command()
@click.argument("slugs", nargs=-1, metavar="[SLUG]…")
@click.option(
    "--driver", "driver_name", type=click.Choice([*DRIVERS, "auto", EVERY]), default="auto", show_default=True,
    help="Where notebooks run; auto is docker where an engine answers, else local; every is each that works here.",
)  # fmt: skip
@seed_option
@parallel_option
@click.option("--write", is_flag=True, help="Write proof.json into the folder of each lab that holds.")
@click.option(
    "--stale", is_flag=True, help="Only cases that proof.json does not have for the lab as it is, by driver."
)
@json_option
def verify(
    *,
    slugs: tuple[str, ...],
    driver_name: str,
    seed: int,
    parallel: int,
    write: bool,
    stale: bool,
    as_json: bool,
) -> None:
    """Prove labs: the solution passes all, the starter nothing, each wrong answer loses its tasks, other right ones none."""
    catalogue = catalogue_of()
    labs = [lab_of(catalogue, slug) for slug in slugs] if slugs else list(catalogue.labs.values())
    faults = _faults_of(catalogue, labs) if slugs else list(catalogue.faults)
    with broken_machinery(as_json), opened_drivers(driver_name) as drivers, progress_of("proving labs") as note:

        def tell(job: Job, result: Result) -> None:
            note(f"{job.lab.id}, {job.driver.name}, {job.case.name}: {console_proving.outcome(result)}")

        jobs = jobs_for(labs, drivers, stale=stale)
        results = prove(jobs, seed=seed, parallel=parallel, write=write, finished=tell)
    holds = not faults and all(isinstance(one, Proof) and one.holds for _, one in results)
    if as_json:
        console.print_document(
            {
                "schema": 1,
                "holds": holds,
                "seed": seed,
                "faults": console.fault_documents(faults),
                "labs": {
                    lab.id: [
                        console_proving.result_document(job.driver.name, job.case, one)
                        for job, one in results
                        if job.lab is lab
                    ]
                    for lab in labs
                },
            }
        )
    else:
        for lab in dict.fromkeys(job.lab.id for job, _ in results):
            own = [(job.driver.name, job.case, one) for job, one in results if job.lab.id == lab]
            console_proving.print_results(lab, own)
        console_proving.print_sum([(job.lab.id, job.driver.name, one) for job, one in results], _proven(labs))
        console.print_faults(faults)
    sys.exit(0 if holds else 1)


@click.command()
@click.argument("slugs", nargs=-1, metavar="[SLUG]…")
@click.option(
    "--driver", "driver_name", type=click.Choice([*DRIVERS, "auto"]), default="local", show_default=True,
    help="Where notebooks run.",
)  # fmt: skip
@seed_option
@parallel_option
@click.option(
    "--at-most", type=click.IntRange(1, 1_000), default=AT_MOST, show_default=True, help="Mutants a lab."
)
@click.option(
    "--only", metavar="MUTANT", multiple=True, help="Only the mutant with this fingerprint; may be said again."
)
@click.option("--list", "only_list", is_flag=True, help="List all mutants with their changes, and grade none.")
@json_option
def mutate(
    *,
    slugs: tuple[str, ...],
    driver_name: str,
    seed: int,
    parallel: int,
    at_most: int,
    only: tuple[str, ...],
    only_list: bool,
    as_json: bool,
) -> None:
    """See how many small mistakes in a solution the checks notice: 85 % of a lab's mutants must lose their task."""
    catalogue = catalogue_of()
    labs = [lab_of(catalogue, slug) for slug in slugs] if slugs else list(catalogue.labs.values())
    reports: list[console_proving.MutationReport] = []
    with broken_machinery(as_json), opened_driver(driver_name) as driver, progress_of("trying mutants") as note:
        for lab in labs:
            every = mutants_of(lab)
            reasons, faults = equivalent.read(lab.path, {mutant.fingerprint for mutant in every})
            console.print_faults(faults)
            chosen = [mutant for mutant in every if mutant.fingerprint not in reasons]
            chosen = (
                [mutant for mutant in every if mutant.fingerprint in only] if only else choose(chosen, at_most)
            )
            if only_list:
                console_proving.print_mutants(lab.id, every, reasons)
                continue
            note(f"{lab.id}: the solution")
            hasty = impatient(lab, solution_holds(lab, driver, seed))
            trials = try_out(hasty, chosen, driver, seed=seed, parallel=parallel, finished=_told(lab, note))
            reports.append(
                console_proving.MutationReport(lab.id, len(every), len(reasons), tuple(trials), bool(faults))
            )
    if as_json:
        console.print_document(
            {"schema": 1, "enough": ENOUGH, "labs": [report.document() for report in reports]}
        )
    else:
        for report in reports:
            console_proving.print_mutation(report)
    enough = all(share_killed(report.trials) >= ENOUGH and not report.faulty for report in reports)
    sys.exit(0 if enough else 1)


def _told(lab: Lab, note: Callable[[str], None]) -> Callable[[Trial], None]:
    def tell(trial: Trial) -> None:
        note(f"{lab.id}: {trial.mutant.fingerprint} {trial.fate} ({trial.seconds:.1f} s)")

    return tell


def _proven(labs: list[Lab]) -> dict[str, list[str]]:
    """The drivers on which each lab has a proof that fits it."""
    return {lab.id: [driver for driver in DRIVERS if not proof.problems(lab, [driver])] for lab in labs}


def _faults_of(catalogue: Catalogue, labs: list[Lab]) -> list[Fault]:
    folders = {lab.path for lab in labs}
    return [fault for fault in catalogue.faults if fault.path in folders or folders & set(fault.path.parents)]
