"""Grade everything that proves some labs, some sandboxes at a time, and write down what holds as soon as it is known."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from labs import proof
from labs.catalogue import Lab
from labs.parallel import in_parallel
from labs.verify import COMBINED, Case, Proof, cases, combined, verify_case
from sandboxes.interface import Driver, SandboxError

ATTEMPTS = 2
"""How often a case is begun whose sandbox does not start."""

Result = Proof | SandboxError


@dataclass(frozen=True)
class Job:
    """A case to grade, and where."""

    lab: Lab
    driver: Driver
    case: Case


@dataclass
class _Batch:
    """The jobs of one lab on one driver."""

    left: int
    proofs: list[Proof] = field(default_factory=list)


def jobs_for(labs: Iterable[Lab], drivers: Sequence[Driver], *, stale: bool = False) -> list[Job]:
    """Every case of the labs on each driver, and the combined notebook; with `stale` only where the proof does not fit."""
    jobs = []
    for lab in labs:
        mixed = combined(lab)
        every = [*cases(lab), mixed] if mixed else cases(lab)
        for driver in drivers:
            if not stale or proof.problems(lab, [driver.name]):
                jobs += [Job(lab, driver, case) for case in every]
    return jobs


def prove(
    jobs: Sequence[Job],
    *,
    seed: int,
    parallel: int,
    write: bool,
    finished: Callable[[Job, Result], None] = lambda *_: None,
) -> list[tuple[Job, Result]]:
    """Grade all jobs. One whose sandbox does not start is begun once more, and then stands in the results as that error.

    With `write` the proof of a lab on a driver is written once all its cases hold, so that an interruption costs only what was
    not finished. Raises BrokenLab.
    """
    lock = threading.Lock()
    batches: dict[tuple[str, str], _Batch] = {}
    for job in jobs:
        batches.setdefault((job.lab.id, job.driver.name), _Batch(0)).left += 1

    def work(job: Job) -> tuple[Job, Result]:
        result = _attempt(job, seed)
        with lock:
            batch = batches[job.lab.id, job.driver.name]
            batch.left -= 1
            if isinstance(result, Proof) and result.holds:
                batch.proofs.append(result)
            if write and batch.left == 0:
                _write(job, batch, seed)
        finished(job, result)
        return job, result

    return in_parallel(work, jobs, parallel)


def _attempt(job: Job, seed: int) -> Result:
    for _ in range(ATTEMPTS):
        try:
            return verify_case(job.lab, job.case, job.driver, seed=seed)
        except SandboxError as error:
            failure = error
    return failure


def _write(job: Job, batch: _Batch, seed: int) -> None:
    mixed = combined(job.lab)
    wanted = {case.name for case in cases(job.lab)} | ({COMBINED} if mixed else set())
    if {one.case.name for one in batch.proofs} == wanted:
        proofs = [one for one in batch.proofs if one.case.name != COMBINED]
        proof.record(job.lab, {job.driver.name: proofs}, seed)
