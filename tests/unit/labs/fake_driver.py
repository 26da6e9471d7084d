"""A driver without processes: notebooks run by `exec` in this process, so that the engine is tested without a sandbox.

A code cell that contains one of the words of `ENDINGS` ends the run the way a real sandbox would.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

from sandboxes.interface import (
    JSON,
    Activity,
    AgentTimeout,
    CallOutcome,
    CellError,
    CommandResult,
    Driver,
    Endpoint,
    ExecutedNotebook,
    ExecutionLimits,
    KernelDied,
    LearnerCodeError,
    NotebookOutcome,
    Phase,
    Progress,
    ProgressListener,
    Sandbox,
    SandboxGone,
    SandboxSpec,
    SandboxState,
    SandboxStatus,
)

ENDINGS = {
    "LOOPS": (NotebookOutcome.TIMED_OUT, "Cell {n} took longer than 1 s."),
    "PRINTS": (NotebookOutcome.OUTPUT_LIMIT, "Cell {n} printed more than allowed."),
    "DIES": (NotebookOutcome.KERNEL_DIED, "The kernel ended while cell {n} ran."),
}


ONE_AT_A_TIME = threading.Lock()
"""Notebooks run in this process and share its environment."""


class FakeSandbox(Sandbox):
    """One namespace."""

    def __init__(self, spec: SandboxSpec, driver: FakeDriver) -> None:
        self.id = spec.sandbox_id
        self.driver_name = driver.name
        self.web_path = f"/s/{self.id}/"
        self.spec = spec
        self.driver = driver
        self.namespace: dict[str, Any] | None = None
        self.stops = 0
        self.opened: list[str] = []

    def adopt(self, workspace: Path, labels: Mapping[str, str]) -> None:
        if not self.spec.blank:
            raise ValueError("it has its learner already")
        self.spec = replace(self.spec, blank=False, workspace=workspace, labels=labels)

    def activity(self) -> Activity | None:
        return None

    def open_notebook(self, path: str) -> None:
        self.opened.append(path)

    def status(self) -> SandboxStatus:
        return SandboxStatus(SandboxState.STOPPED if self.stops else SandboxState.READY, Phase.READY)

    def execute(self, notebook: Mapping[str, Any], limits: ExecutionLimits) -> ExecutedNotebook:
        # As in a real sandbox: without it, the first cell of a lab would start services, as it does on a laptop.
        variables = {"LAB_SANDBOX": "1", **self.spec.environment}
        with ONE_AT_A_TIME, patch.dict(os.environ, variables):
            return self._execute(notebook)

    def _execute(self, notebook: Mapping[str, Any]) -> ExecutedNotebook:
        self.driver.runs += 1
        ran = json.loads(json.dumps(notebook))
        self.namespace = {"__name__": "__main__"}
        errors: list[CellError] = []
        count = 0
        for index, cell in enumerate(ran["cells"]):
            if cell["cell_type"] != "code" or not cell["source"].strip():
                continue
            if "VANISHES" in cell["source"]:
                self.namespace = None
                raise SandboxGone("The sandbox is not there any more.")
            for word, (outcome, detail) in ENDINGS.items():
                if word in cell["source"]:
                    if outcome is NotebookOutcome.KERNEL_DIED:
                        self.namespace = None
                    if outcome is NotebookOutcome.OUTPUT_LIMIT:
                        cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "x" * 100}]
                    return ExecutedNotebook(outcome, ran, tuple(errors), detail.format(n=index + 1))
            count += 1
            cell["execution_count"] = count
            try:
                exec(compile(cell["source"], f"<cell {index}>", "exec"), self.namespace)
            except Exception as error:
                errors.append(CellError(cell["id"], index, type(error).__name__, str(error)))
        return ExecutedNotebook(NotebookOutcome.COMPLETED, ran, tuple(errors))

    def call(self, function: str, *arguments: JSON, timeout: float = 10.0) -> JSON:
        if self.namespace is None:
            raise KernelDied("The kernel ended.")
        if function not in self.namespace:
            raise LearnerCodeError("NameError", f"the notebook defines no {function!r}")
        try:
            return json.loads(json.dumps(self.namespace[function](*arguments)))
        except TimeoutError as error:
            raise AgentTimeout(f"no answer within {timeout:g} s") from error
        except SystemExit as error:
            self.namespace = None
            raise KernelDied("The kernel ended.") from error
        except Exception as error:
            raise LearnerCodeError(type(error).__name__, str(error)) from error

    def call_many(
        self, function: str, calls: Sequence[Sequence[JSON]], *, workers: int, timeout: float = 30.0
    ) -> list[CallOutcome]:
        def one(arguments: Sequence[JSON]) -> CallOutcome:
            try:
                return CallOutcome(self.call(function, *arguments, timeout=timeout))
            except LearnerCodeError as error:
                return CallOutcome(error=f"{error.name}: {error.detail}")

        if self.namespace is not None and function not in self.namespace:
            raise LearnerCodeError("NameError", f"the notebook defines no {function!r}")
        with ThreadPoolExecutor(workers) as pool:
            return list(pool.map(one, calls))

    def value(self, expression: str, timeout: float = 5.0) -> JSON:
        if self.namespace is None:
            raise KernelDied("The kernel ended.")
        try:
            return json.loads(json.dumps(eval(expression, self.namespace)))
        except Exception as error:
            raise LearnerCodeError(type(error).__name__, str(error)) from error

    def run(self, command: Sequence[str], timeout: float = 30.0) -> CommandResult:
        return CommandResult(0, " ".join(command))

    def read(self, path: str, max_bytes: int = 1_048_576) -> bytes:
        return (self.spec.workspace / path).read_bytes()

    def write(self, path: str, data: bytes) -> None:
        (self.spec.workspace / path).write_bytes(data)

    def endpoint(self, service: str) -> Endpoint:
        if service not in self.spec.services:
            raise KeyError(service)
        return Endpoint(service, Path("/nonexistent") / service, {"user": "learner", "dbname": "shop"})

    def log(self, lines: int = 200) -> str:
        return ""

    def stop(self) -> None:
        self.stops += 1


class FakeDriver(Driver):
    """Starts fakes; `start_error` is raised instead when it is set."""

    name = "fake"
    isolated = False

    def __init__(self) -> None:
        self.sandboxes: list[FakeSandbox] = []
        self.start_error: Exception | None = None
        self.prepared: list[str] = []
        self.runs = 0
        """How many times a notebook was run."""

    def check(self) -> None:
        pass

    def prepare(self, image: str, progress: ProgressListener) -> None:
        self.prepared.append(image)

    def start(self, spec: SandboxSpec, progress: ProgressListener) -> Sandbox:
        if self.start_error is not None:
            raise self.start_error
        progress(Progress(Phase.READY, "ready", 0.0))
        self.sandboxes.append(FakeSandbox(spec, self))
        return self.sandboxes[-1]

    def find(self, sandbox_id: str) -> Sandbox | None:
        return next((one for one in self.sandboxes if one.id == sandbox_id and not one.stops), None)

    def running(self) -> list[tuple[str, Mapping[str, str]]]:
        return [(one.id, one.spec.labels) for one in self.sandboxes if not one.stops]

    def reap(self, keep: Collection[str], grace_seconds: float = 0.0) -> list[str]:
        ended = [key for key, _ in self.running() if key not in keep]
        for key in ended:
            sandbox = self.find(key)
            if sandbox is not None:
                sandbox.stop()
        return ended

    def close(self) -> None:
        for one in self.sandboxes:
            one.stop()
