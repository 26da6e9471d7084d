"""Grade everything that proves some labs, some sandboxes at a time, and write down what holds as soon as it is known."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from labs import proof
from labs.catalogue import Lab
from labs.parallel import in_parallel
from labs.verify import Case, Proof, cases, combined, fingerprints, verify_case
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


def jobs_for(labs: Iterable[Lab], drivers: Sequence[Driver], *, stale: bool = False) -> list[Job]:
    """Every case of the labs on each driver, and the combined notebook; with `stale` only cases that no proof fits."""
    jobs = []
    for lab in labs:
        every = cases(lab)
        for driver in drivers:
            if stale:
                names = proof.missing(lab, driver.name)
                jobs += [Job(lab, driver, case) for case in every if case.name in names]
            else:
                mixed = combined(lab)
                jobs += [Job(lab, driver, case) for case in [*every, *([mixed] if mixed else [])]]
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

    With `write` each case is written down once it is graded, so that an interruption costs only what was not finished.
    Raises BrokenLab.
    """
    lock = threading.Lock()

    def work(job: Job) -> tuple[Job, Result]:
        before = fingerprints(job.lab, [job.case])
        result = _attempt(job, seed)
        # What changed meanwhile was perhaps graded as it was, perhaps as it is.
        if write and isinstance(result, Proof) and fingerprints(job.lab, [job.case]) == before:
            with lock:
                proof.record(job.lab, job.driver.name, [result], seed)
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
