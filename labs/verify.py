"""Prove a lab: its solution passes everything, its starter nothing, and each wrong answer loses exactly the tasks it names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from labs.catalogue import Lab
from labs.grader import grade
from labs.notebook import dumps
from labs.report import NotebookStatus, Report, TaskStatus
from sandboxes.interface import Driver

PARALLEL = 2


@dataclass(frozen=True)
class Case:
    """One version of a lab's notebook and what grading it must give."""

    name: str
    notebook: dict[str, Any]
    loses: frozenset[str]
    why: str = ""


@dataclass(frozen=True)
class Proof:
    """What grading a case gave."""

    case: Case
    report: Report

    @property
    def problems(self) -> list[str]:
        """What is not as it must be, one sentence each; empty when the case holds."""
        found = []
        if self.report.notebook.status is not NotebookStatus.COMPLETED:
            found.append(f"the notebook did not run to its end: {self.report.notebook.message}")
        for task in self.report.tasks:
            if task.status is TaskStatus.ERROR:
                found.append(f"the check of {task.id} is broken: {task.message}")
            elif task.id in self.case.loses and task.status is TaskStatus.PASSED:
                found.append(f"{task.id} passed and must be lost")
            elif task.id not in self.case.loses and task.status is not TaskStatus.PASSED:
                found.append(f"{task.id} was lost and must pass: {task.message}")
        return found

    @property
    def holds(self) -> bool:
        """Whether the result is what it must be."""
        return not self.problems


def cases(lab: Lab) -> list[Case]:
    """Everything that must be graded to prove a lab."""
    every = frozenset(task.id for task in lab.tasks)
    return [
        Case("solution", lab.source.solution(), frozenset(), "the reference solution passes every task"),
        Case("starter", lab.source.learner(), every, "what a learner starts from passes none"),
        *(
            Case(
                f"wrong answer {answer.name}", lab.source.with_answers(answer.answers), answer.loses, answer.why
            )
            for answer in lab.wrong_answers
        ),
    ]


def few_cases(lab: Lab) -> list[Case]:
    """The solution, the starter, and for each task the first wrong answer that loses it: what shows that drivers grade alike."""
    chosen: list[Case] = []
    lost: set[str] = set()
    for case in cases(lab):
        if case.name in ("solution", "starter"):
            chosen.append(case)
        elif not case.loses <= lost:
            chosen.append(case)
            lost |= case.loses
    return chosen


def verify(
    lab: Lab,
    driver: Driver,
    *,
    seed: int,
    parallel: int = PARALLEL,
    only: Sequence[Case] | None = None,
    finished: Callable[[Proof], None] = lambda _: None,
) -> list[Proof]:
    """Grade every case of a lab, or `only` some, `parallel` at a time; `finished` is told each as it ends.

    Raises SandboxError, BrokenLab.
    """

    def prove(case: Case) -> Proof:
        report = grade(lab, dumps(case.notebook).encode(), seed=seed, driver=driver, labels={"case": case.name})
        proof = Proof(case, report.model_copy(update={"executed": None}))
        finished(proof)
        return proof

    with ThreadPoolExecutor(max_workers=max(1, parallel), thread_name_prefix="verify") as pool:
        pending = [pool.submit(prove, case) for case in (cases(lab) if only is None else only)]
        try:
            return [one.result() for one in pending]
        except BaseException:
            for one in pending:
                one.cancel()
            raise
