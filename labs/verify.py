"""Prove a lab: its solution passes everything, its starter nothing, each wrong answer loses exactly the tasks it names, and each
other right answer none."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from labs.catalogue import PROSE, Answer, Lab, content_hash
from labs.grader import grade
from labs.notebook import dumps
from labs.report import NotebookStatus, Report, TaskStatus
from sandboxes.interface import Driver

SOLUTION, STARTER, COMBINED = "solution", "starter", "combined"


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
    answers = [("wrong", answer) for answer in lab.wrong_answers]
    answers += [("other", answer) for answer in lab.other_answers]
    return [
        Case(SOLUTION, lab.source.solution(), frozenset(), "the reference solution passes every task"),
        Case(STARTER, lab.source.learner(), every, "what a learner starts from passes none"),
        *(
            Case(
                f"{kind} answer {answer.name}",
                lab.source.with_answers(answer.answers),
                answer.loses,
                answer.why,
            )
            for kind, answer in answers
        ),
    ]


def fingerprints(lab: Lab, cases: Iterable[Case]) -> dict[str, str]:
    """Name of a case → sha256 of what its result follows from: what runs of its notebook, the checks, and where they run.

    What only people read (text, hints, titles, minutes) is no part of it, nor are the other cases.
    """
    manifest = lab.manifest.model_dump(mode="json", include={"image", "services", "mode", "limits"})
    common = [content_hash(lab.path, without=PROSE), manifest, [task.id for task in lab.tasks]]
    found = {}
    for case in cases:
        cells = [
            [cell["source"], cell["metadata"]] for cell in case.notebook["cells"] if cell["cell_type"] == "code"
        ]
        found[case.name] = hashlib.sha256(json.dumps([common, cells], sort_keys=True).encode()).hexdigest()
    return found


def combined(lab: Lab) -> Case | None:
    """One notebook in which about half of the tasks are answered wrongly, each in a way that loses just that task.

    The others stay right, so one grading shows that checks both refuse and accept. Which tasks and which of their wrong answers
    these are follows from what is graded. None when the lab has no such wrong answers.
    """
    lot = int(fingerprints(lab, cases(lab)[:1])[SOLUTION], 16)
    own: dict[str, list[Answer]] = {}
    for answer in lab.wrong_answers:
        (task, *others) = sorted(answer.answers)
        if not others and answer.loses == {task}:
            own.setdefault(task, []).append(answer)
    eligible = [task.id for task in lab.tasks if task.id in own]
    if not eligible:
        return None
    count = max(1, min(len(eligible), len(lab.tasks) // 2))
    start = lot % len(eligible)
    wrong = sorted((eligible[start:] + eligible[:start])[:count])
    chosen = [own[task][lot % len(own[task])] for task in wrong]
    answers = {task: code for answer in chosen for task, code in answer.answers.items()}
    why = "one grading refuses and accepts: " + ", ".join(answer.name for answer in chosen)
    return Case(COMBINED, lab.source.with_answers(answers), frozenset(wrong), why)


def verify_case(lab: Lab, case: Case, driver: Driver, *, seed: int) -> Proof:
    """Grade one case. Raises SandboxError, BrokenLab."""
    report = grade(lab, dumps(case.notebook).encode(), seed=seed, driver=driver, labels={"case": case.name})
    return Proof(case, report.model_copy(update={"executed": None}))
