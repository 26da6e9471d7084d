"""Grade a notebook: run it in a fresh sandbox, then prove each task from outside.

What the learner did wrong is in the report. What the machinery did wrong is raised (`sandboxes.interface.SandboxError`,
`labs.errors.BrokenLab`), so that whoever called can try again later.
"""

from __future__ import annotations

import logging
import secrets
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labs.apart import WORKSPACE_PREFIX, SandboxApart
from labs.catalogue import Lab
from labs.checks import Check, load_checks
from labs.errors import BadNotebook, BrokenLab
from labs.judge import Verdict, judge, not_started
from labs.raised import words_of
from labs.report import NotebookResult, NotebookStatus, Report, SandboxUsed, TaskResult, TaskStatus
from labs.run import NotebookRun
from labs.submission import Submission, read
from labs.under_test import LabUnderTest
from sandboxes.clearing import remove_tree
from sandboxes.interface import CellError, Driver, Progress, Sandbox, SandboxError, SandboxSpec

log = logging.getLogger(__name__)

MAX_FRESH_KERNELS = 3
"""How often a kernel that a check used up is replaced, by running the notebook again."""

ProgressNote = Callable[[str], None]
"""Told one short sentence at each step, for whoever waits."""


class _SandboxLost(Exception):
    """The sandbox ended while it worked, or gave answers that none of ours gives."""


@dataclass(frozen=True)
class _Outcome:
    """What came out of one sandbox."""

    notebook: NotebookResult
    verdicts: dict[str, Verdict]
    executed: dict[str, Any] | None = None


def new_seed() -> int:
    """A seed that nobody can guess."""
    return secrets.randbelow(2**31)


def grading_spec(lab: Lab, workspace: Path, labels: Mapping[str, str] | None = None) -> SandboxSpec:
    """The sandbox that a notebook of the lab is graded in: also what a pool keeps ready for it."""
    return SandboxSpec(
        workspace=workspace,
        services=lab.manifest.services,
        image=lab.manifest.image,
        limits=lab.manifest.limits.sandbox(),
        jupyter=False,
        environment={"LAB_SLUG": lab.id},
        labels={"purpose": "grading", "lab": lab.id, **(labels or {})},
        preload=lab.preload,
    )


def grade(
    lab: Lab,
    notebook: bytes,
    *,
    seed: int,
    driver: Driver,
    progress: ProgressNote = lambda _: None,
    labels: Mapping[str, str] | None = None,
) -> Report:
    """Grade a notebook in one fresh sandbox of `driver`, which is retired before this returns.

    The hidden inputs are drawn from `seed`. `labels` go to the sandbox, so that it is found after a crash.
    Raises SandboxError (the sandbox did not start) and BrokenLab (checks.py does not load); never for what the learner did.
    """
    started = time.monotonic()
    outcome = _refused(lab, notebook)
    if outcome is None:
        outcome = _graded(lab, read(notebook), seed, driver, progress, labels or {})
    results = tuple(
        TaskResult(
            id=task.id,
            title=task.title,
            points=task.points,
            earned=task.points if outcome.verdicts[task.id].status is TaskStatus.PASSED else 0,
            status=outcome.verdicts[task.id].status,
            message=outcome.verdicts[task.id].message,
        )
        for task in lab.tasks
    )
    score = sum(result.earned for result in results)
    return Report(
        lab=lab.id,
        content_hash=lab.content_hash,
        seed=seed,
        score=score,
        max_score=lab.manifest.max_score,
        percent=100 * score // lab.manifest.max_score,
        notebook=outcome.notebook,
        tasks=results,
        sandbox=SandboxUsed(driver=driver.name, image=lab.manifest.image),
        seconds=round(time.monotonic() - started, 3),
        executed=outcome.executed,
    )


def _refused(lab: Lab, notebook: bytes) -> _Outcome | None:
    """The outcome for what need not be run: not a notebook, or without a single cell of the lab."""
    try:
        submission = read(notebook)
    except BadNotebook as error:
        verdict = Verdict(TaskStatus.FAILED, f"Not graded: {error.learner}")
        return _Outcome(
            NotebookResult(status=NotebookStatus.INVALID, message=error.learner),
            dict.fromkeys(_ids(lab), verdict),
        )
    if len(submission.missing(_ids(lab))) < len(lab.tasks):
        return None
    message = f"This notebook has none of the task cells of the lab “{lab.manifest.title}”: is it the notebook of another lab?"
    verdicts = {task: _missing_cell(task) for task in _ids(lab)}
    return _Outcome(NotebookResult(status=NotebookStatus.INVALID, message=message), verdicts)


def _graded(
    lab: Lab,
    submission: Submission,
    seed: int,
    driver: Driver,
    progress: ProgressNote,
    labels: Mapping[str, str],
) -> _Outcome:
    checks = load_checks(lab.path / "checks.py")
    absent = [task for task in _ids(lab) if task not in checks]
    if absent:
        raise BrokenLab(f"{lab.path / 'checks.py'} has no check of {', '.join(absent)}")
    for _ in range(2):
        # A sandbox that ends while it works may be the machine's fault or the notebook's. The second time it is the notebook's.
        try:
            return _in_sandbox(lab, submission, checks, seed, driver, progress, labels)
        except _SandboxLost as error:
            log.warning("the sandbox of a grading was lost: %r", error.__cause__)
            progress("The sandbox ended unexpectedly; trying once more in a new one")
    message = (
        "The notebook ended its whole sandbox, twice: it used too much memory or too many processes, stopped what runs beside "
        "it, kept new kernels from starting, or showed more than can be taken out of it. Nothing could be graded."
    )
    verdict = Verdict(TaskStatus.FAILED, message)
    return _Outcome(
        NotebookResult(status=NotebookStatus.SANDBOX_LOST, message=message), dict.fromkeys(_ids(lab), verdict)
    )


def _in_sandbox(
    lab: Lab,
    submission: Submission,
    checks: Mapping[str, Check],
    seed: int,
    driver: Driver,
    progress: ProgressNote,
    labels: Mapping[str, str],
) -> _Outcome:
    def tell(step: Progress) -> None:
        progress(f"{step.phase.value}: {step.detail}")

    driver.prepare(lab.manifest.image, tell)
    workspace = Path(tempfile.mkdtemp(prefix=WORKSPACE_PREFIX, dir=driver.scratch))
    sandbox: Sandbox | None = None
    apart = SandboxApart(lambda where: grading_spec(lab, where, labels), driver, tell)
    try:
        for name, data in lab.starter_files().items():
            (workspace / name).parent.mkdir(parents=True, exist_ok=True)
            (workspace / name).write_bytes(data)
        sandbox = driver.start(grading_spec(lab, workspace, labels), tell)
        progress("running the notebook")
        run = NotebookRun(sandbox, submission, lab.manifest.limits)
        try:
            run.run()
            verdicts = _check_all(lab, run, checks, seed, progress, apart)
        except SandboxError as error:
            raise _SandboxLost from error
        return _Outcome(_notebook_result(run), verdicts, run.executed)
    finally:
        apart.end()
        if sandbox is not None:
            driver.retire(sandbox, discard=workspace)
        else:
            remove_tree(workspace)


def _check_all(
    lab: Lab,
    run: NotebookRun,
    checks: Mapping[str, Check],
    seed: int,
    progress: ProgressNote,
    apart: SandboxApart,
) -> dict[str, Verdict]:
    verdicts: dict[str, Verdict] = {}
    deadline = time.monotonic() + lab.manifest.limits.check_seconds
    # Names that the learner knows: those of the lab's notebook as it is handed out, and those of their own code.
    words = words_of(cell["source"] for cell in [*lab.source.learner()["cells"], *run.submission.cells])
    fresh_kernels = 0
    spent = gave_up = False
    for task in lab.tasks:
        known = _known_without_check(task.id, run)
        if known is None and gave_up:
            known = Verdict(
                TaskStatus.FAILED,
                "Not checked: the check of an earlier task never ended. Mend that task first.",
            )
        if known is not None:
            verdicts[task.id] = known
            continue
        if spent and fresh_kernels < MAX_FRESH_KERNELS:
            # One task's mistake must not cost the next: its endless threads would slow what is checked after it.
            progress("running the notebook again in a fresh kernel")
            before = time.monotonic()
            spent = not run.again()
            deadline += time.monotonic() - before
            fresh_kernels += 1
        progress(f"checking: {task.title}")
        handle = LabUnderTest(
            run.sandbox, task=task.id, seed=seed, deadline=deadline, words=words, fresh=apart.sandbox
        )
        verdict = judge(checks[task.id], handle)
        spent, gave_up = spent or verdict.kernel_spent, verdict.gave_up
        verdicts[task.id] = _with_cell_error(verdict, task.id, run)
    return verdicts


def _known_without_check(task: str, run: NotebookRun) -> Verdict | None:
    """The verdict that the run of the notebook itself already gives."""
    cells = run.submission.task_cells(task)
    if not cells:
        return _missing_cell(task)
    last = cells[-1]
    if last in run.left_out:
        return Verdict(TaskStatus.FAILED, f"The cell of this task was left out. {run.left_out[last]}")
    if run.stopped_at is not None and last >= run.stopped_at:
        return Verdict(TaskStatus.FAILED, f"The cell of this task never ran to its end. {run.messages[-1]}")
    if last in run.errors and run.errors[last].name == "NotImplementedError":
        return not_started(task)
    return None


def _with_cell_error(verdict: Verdict, task: str, run: NotebookRun) -> Verdict:
    """A failed task whose cell raised is told so first: it is most likely why."""
    error = run.errors.get(run.submission.task_cells(task)[-1])
    if error is None or verdict.status is not TaskStatus.FAILED:
        return verdict
    return Verdict(TaskStatus.FAILED, f"The cell of this task raised {_in_short(error)}\n{verdict.message}")


def _missing_cell(task: str) -> Verdict:
    return Verdict(
        TaskStatus.FAILED,
        f"The cell of task {task} is missing from the notebook. Open a new copy of the lab's notebook, copy that whole cell "
        f'from it (its metadata says "task": "{task}") into yours, and put your code into it.',
    )


def _notebook_result(run: NotebookRun) -> NotebookResult:
    if run.messages:
        cells = "that cell" if len(run.left_out) == 1 else "those cells"
        again = f" It was run again without {cells}." if run.left_out else ""
        return NotebookResult(status=run.status, message=" ".join(run.messages) + again)
    raised = [error for error in run.errors.values() if error.name != "NotImplementedError"]
    if not raised:
        return NotebookResult(status=run.status, message="Every cell ran.")
    first = raised[0]
    cells = "1 cell" if len(raised) == 1 else f"{len(raised)} cells"
    return NotebookResult(
        status=run.status,
        message=f"{cells} raised an error; the first is cell {first.index + 1}, `{run.submission.beginning(first.index)}`: "
        f"{_in_short(first)}",
    )


def _in_short(error: CellError) -> str:
    first_line = (error.detail.strip().splitlines() or [""])[0][:500]
    return f"{error.name}: {first_line}" if first_line else error.name


def _ids(lab: Lab) -> list[str]:
    return [task.id for task in lab.tasks]
