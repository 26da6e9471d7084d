"""Run a handed-in notebook from top to bottom so that as much of it as possible can be graded.

A cell that never ends, prints without end, uses up the memory or kills the kernel ends the run. It is then left out and the
notebook runs again without it, so that one bad cell costs its own task and not those in the cells after it.
"""

from __future__ import annotations

import copy
import time
from dataclasses import dataclass, field, replace
from typing import Any

from labs.manifest import LabLimits
from labs.report import NotebookStatus
from labs.submission import Submission
from sandboxes.interface import CellError, ExecutedNotebook, NotebookOutcome, Sandbox

MAX_LEFT_OUT = 3
MIN_SECONDS = 5.0
"""With less time left another run is not begun."""

_STATUS = {
    NotebookOutcome.TIMED_OUT: NotebookStatus.TIMED_OUT,
    NotebookOutcome.OUTPUT_LIMIT: NotebookStatus.OUTPUT_LIMIT,
    NotebookOutcome.KERNEL_DIED: NotebookStatus.KERNEL_DIED,
}


@dataclass
class NotebookRun:
    """One notebook in one sandbox: how it ran, and how to run it again."""

    sandbox: Sandbox
    submission: Submission
    limits: LabLimits
    status: NotebookStatus = NotebookStatus.COMPLETED
    """How the first run ended."""
    messages: list[str] = field(default_factory=list)
    """What went wrong with the run, for the learner."""
    left_out: dict[int, str] = field(default_factory=dict)
    """Position of a cell that was left out → why."""
    stopped_at: int | None = None
    """Position of the cell at which even the last run ended; what follows it never ran."""
    errors: dict[int, CellError] = field(default_factory=dict)
    """Position of a cell that raised → what it raised."""
    executed: dict[str, Any] = field(default_factory=dict)
    """The notebook with the outputs of its runs."""

    _seconds_again: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        self._seconds_again = float(self.limits.total_seconds)

    def run(self) -> None:
        """Run the notebook, again without the cell that ended the run if need be. Raises AgentTimeout, SandboxGone."""
        # Twice what one run may take is the bound for all of them.
        deadline = time.monotonic() + 2 * self.limits.total_seconds
        outputs: dict[int, dict[str, Any]] = {}
        while True:
            result = self._execute(deadline - time.monotonic())
            self.executed = result.notebook
            self.errors = {error.index: error for error in result.errors}
            status, culprit, detail = self._ending(result)
            if status is NotebookStatus.COMPLETED:
                break
            if self.status is NotebookStatus.COMPLETED:
                self.status = status
            self.messages.append(detail)
            out_of_time = deadline - time.monotonic() < MIN_SECONDS
            if culprit is None or culprit in self.left_out or len(self.left_out) == MAX_LEFT_OUT or out_of_time:
                self.stopped_at = culprit if culprit is not None else 0
                break
            self.left_out[culprit] = detail
            outputs[culprit] = result.notebook["cells"][culprit]
        for index, cell in outputs.items():
            self.executed["cells"][index] = {**cell, "source": self.submission.cells[index]["source"]}

    def again(self) -> bool:
        """Run it once more for a fresh kernel with the same state, while there is time for it; whether there was.

        Raises AgentTimeout, SandboxGone.
        """
        if self._seconds_again < MIN_SECONDS:
            return False
        started = time.monotonic()
        self._execute(self._seconds_again)
        self._seconds_again -= time.monotonic() - started
        return True

    def _ending(self, result: ExecutedNotebook) -> tuple[NotebookStatus, int | None, str]:
        """How a run ended, the position of the cell that ended it, and a sentence for the learner."""
        if result.outcome is NotebookOutcome.COMPLETED:
            # What a cell hoards stays in the kernel, so the cells after it starve: as good as ended.
            hoarder = next((error for error in result.errors if error.name == "MemoryError"), None)
            if hoarder is None:
                return NotebookStatus.COMPLETED, None, ""
            detail = f"Cell {hoarder.index + 1} needed more memory than the {self.limits.memory_mb} MB that the sandbox has."
            return NotebookStatus.OUT_OF_MEMORY, hoarder.index, detail + self._where(hoarder.index)
        detail = result.detail or f"The run ended: {result.outcome.value.replace('_', ' ')}."
        culprit = _culprit(result)
        return _STATUS[result.outcome], culprit, detail + self._where(culprit)

    def _where(self, index: int | None) -> str:
        beginning = "" if index is None else self.submission.beginning(index)
        return f" It begins `{beginning}`." if beginning else ""

    def _execute(self, seconds: float) -> ExecutedNotebook:
        notebook = copy.deepcopy(self.submission.notebook)
        for index in self.left_out:
            notebook["cells"][index]["source"] = "# Left out: this cell ended the run."
        limits = self.limits.execution()
        return self.sandbox.execute(
            notebook, replace(limits, total_seconds=max(1.0, min(limits.total_seconds, seconds)))
        )


def _culprit(result: ExecutedNotebook) -> int | None:
    """The position of the cell that ended the run: the loudest, or the first that never got its execution count."""
    code = [
        (index, cell)
        for index, cell in enumerate(result.notebook.get("cells", []))
        if cell.get("cell_type") == "code" and "".join(cell.get("source", "")).strip()
    ]
    if not code or result.outcome is NotebookOutcome.COMPLETED:
        return None
    if result.outcome is NotebookOutcome.OUTPUT_LIMIT:
        return max(code, key=lambda item: len(str(item[1].get("outputs", ""))))[0]
    return next((index for index, cell in code if cell.get("execution_count") is None), None)
