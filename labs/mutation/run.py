"""Grade mutants: one is killed when its own task is lost.

How patient the grader is with a mutant follows from how long the solution took, because many mutants never end: four times as
long is taken for never. Such a mutant is killed, too, but counted apart.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from labs.catalogue import Lab
from labs.errors import BrokenLab
from labs.grader import grade
from labs.judge import OUT_OF_TIME, TOO_SLOW
from labs.mutation.mutants import MAGIC, Mutant
from labs.notebook import dumps, task_cell_id
from labs.parallel import in_parallel
from labs.report import NotebookStatus, Report, TaskResult, TaskStatus
from sandboxes.interface import Driver

ENOUGH = 0.85
"""The share of mutants that a lab's checks must kill."""
PATIENCE = 4.0
LEAST_SECONDS = 20
_GO_REFUSES = re.compile(
    r"declared and not used|imported and not used|undefined: |missing return|syntax error|cannot use |expected |invalid operation"
)


class Fate(StrEnum):
    """What became of a mutant."""

    KILLED = "killed"
    KILLED_BY_TIME = "killed by time"
    SURVIVED = "survived"
    BROKEN_CHECK = "broken check"
    """The check itself failed, which tells a learner nothing: counts as not killed."""
    NOT_COMPILED = "not compiled"
    """No mutant: the toolchain refuses it."""


KILLED = frozenset({Fate.KILLED, Fate.KILLED_BY_TIME})


@dataclass(frozen=True)
class Trial:
    """A mutant that was graded."""

    mutant: Mutant
    fate: Fate
    message: str
    """What the learner would have read of the mutant's task."""
    seconds: float


def solution_holds(lab: Lab, driver: Driver, seed: int) -> float:
    """How many seconds grading the unchanged solution takes. Raises BrokenLab when it does not pass everything."""
    report = grade(
        lab, dumps(lab.source.solution()).encode(), seed=seed, driver=driver, labels={"case": "solution"}
    )
    if report.lost or report.notebook.status is not NotebookStatus.COMPLETED:
        lost = ", ".join(sorted(report.lost)) or report.notebook.message
        raise BrokenLab(
            f"The solution of {lab.id} does not pass ({lost}): mend that first, `python -m labs verify {lab.id}`."
        )
    return report.seconds


def impatient(lab: Lab, seconds: float) -> Lab:
    """The lab with limits that follow from how long its solution takes, never more than its own."""
    limits = lab.manifest.limits
    bound = max(LEAST_SECONDS, round(PATIENCE * seconds))
    shorter = limits.model_copy(
        update={
            "total_seconds": min(limits.total_seconds, bound),
            "cell_seconds": min(limits.cell_seconds, bound),
            "check_seconds": min(limits.check_seconds, bound),
        }
    )
    return replace(lab, manifest=lab.manifest.model_copy(update={"limits": shorter}))


def with_one_task(lab: Lab, task: str) -> Lab:
    """The lab as if it had this task only: its notebook is the same, and nothing else is checked."""
    only = tuple(one for one in lab.tasks if one.id == task)
    return replace(lab, manifest=lab.manifest.model_copy(update={"tasks": only}))


def try_out(
    lab: Lab,
    mutants: Sequence[Mutant],
    driver: Driver,
    *,
    seed: int,
    parallel: int,
    finished: Callable[[Trial], None] = lambda _: None,
) -> list[Trial]:
    """Grade mutants, `parallel` at a time, in the order of `mutants`; `finished` is told each. Raises SandboxError, BrokenLab."""

    def attempt(mutant: Mutant) -> Trial:
        notebook = dumps(mutant.notebook(lab)).encode()
        labels = {"case": f"mutant {mutant.fingerprint}"}
        report = grade(with_one_task(lab, mutant.task), notebook, seed=seed, driver=driver, labels=labels)
        (own,) = report.tasks
        trial = Trial(mutant, _fate(report, own), own.message, report.seconds)
        finished(trial)
        return trial

    return in_parallel(attempt, mutants, parallel)


def share_killed(trials: Sequence[Trial]) -> float:
    """Of those that are mutants, the share that was killed; 1 when there are none."""
    counted = [trial for trial in trials if trial.fate is not Fate.NOT_COMPILED]
    return sum(trial.fate in KILLED for trial in counted) / len(counted) if counted else 1.0


def _fate(report: Report, own: TaskResult) -> Fate:
    if own.status is TaskStatus.ERROR:
        return Fate.BROKEN_CHECK
    if own.status is TaskStatus.PASSED:
        return Fate.SURVIVED
    if _refused_by_go(report, own.id):
        return Fate.NOT_COMPILED
    by_time = report.notebook.status is NotebookStatus.TIMED_OUT or own.message in (OUT_OF_TIME, TOO_SLOW)
    return Fate.KILLED_BY_TIME if by_time else Fate.KILLED


def _refused_by_go(report: Report, task: str) -> bool:
    """Whether what the task's cell showed is the compiler's refusal."""
    cells: list[dict[str, Any]] = (report.executed or {}).get("cells", [])
    for cell in cells:
        source = "".join(cell.get("source", ""))
        if cell.get("id") == task_cell_id(task) and source.lstrip().startswith(MAGIC):
            shown = str(cell.get("outputs", ""))
            return re.search(r"\.go:\d+", shown) is not None and _GO_REFUSES.search(shown) is not None
    return False
