"""A sandbox as its driver's clients see it: the same for every driver, but for how it is known to run and how it is ended."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from sandboxes.clearing import remove_tree
from sandboxes.drivers.activity import jupyter_activity
from sandboxes.drivers.adoption import marked
from sandboxes.drivers.ahead import open_in_background
from sandboxes.drivers.connection import AgentConnection, decode, nonsense
from sandboxes.drivers.run_dir import Record, RunDirectory
from sandboxes.interface import (
    JSON,
    Activity,
    CallOutcome,
    CellError,
    CommandResult,
    Endpoint,
    ExecutedNotebook,
    ExecutionLimits,
    NotebookOutcome,
    Phase,
    Sandbox,
    SandboxGone,
    SandboxState,
    SandboxStatus,
    ServiceState,
    ServiceStatus,
    TooLarge,
    Usage,
)
from sandboxes.protocol import (
    AGENT_SOCKET,
    COMMAND_OUTPUT_BYTES,
    DETAIL_CHARACTERS,
    FILE_BYTES,
    JUPYTER_SOCKET,
    NOTEBOOK_BYTES,
    VALUE_BYTES,
)
from sandboxes.services import SERVICES
from sandboxes.usage import MEBIBYTE, workspace_usage

SLACK_SECONDS = 25.0
"""On top of a deadline that the agent keeps, before we stop believing that it will."""
KERNEL_SECONDS = 45.0
"""On top of a notebook's time, for ending the old kernel and starting the new one."""
FILE_SECONDS = 30.0
MAX_MILLISECONDS = 1e9


class AgentSandbox(Sandbox):
    """A sandbox with an agent behind `agent.sock`."""

    def __init__(self, record: Record, run_dir: RunDirectory) -> None:
        self.id = record.id
        self.driver_name = record.driver
        self.web_path = record.web_path
        self.record = record
        self._run_dir = run_dir
        self._agent = AgentConnection(run_dir.doors(record.id) / AGENT_SOCKET)
        self._stopped = False

    @property
    def stopped(self) -> bool:
        """Whether `stop` was called on this handle."""
        return self._stopped

    @abstractmethod
    def alive(self) -> bool:
        """Whether its agent runs. Never raises."""

    @abstractmethod
    def _end(self) -> None:
        """End every process of it. Twice is the same as once."""

    @abstractmethod
    def _let_in(self, blank: Path, workspace: Path) -> None:
        """Make the directory `blank`, which the sandbox has open, the one at `workspace`. Raises OSError."""

    def adopt(self, workspace: Path, labels: Mapping[str, str]) -> None:
        if not self.record.blank:
            raise ValueError(f"the sandbox {self.id} has its learner already")
        self._connection()
        self._let_in(Path(self.record.workspace), workspace)
        adopted = replace(self.record, workspace=str(workspace), labels=dict(labels), blank=False)
        self.record = adopted.begun()
        self._run_dir.save(self.record)
        if self.record.jupyter:
            self._run_dir.open_route(self.id, self.access_token)

    def activity(self) -> Activity | None:
        if not self.record.jupyter or self._stopped:
            return None
        return jupyter_activity(
            self._run_dir.doors(self.id) / JUPYTER_SOCKET, self.web_path, Path(self.record.workspace)
        )

    def usage(self) -> Usage | None:
        record = None if self._stopped else self._run_dir.record(self.id)
        return measure(record) if record is not None and record.workspace else None

    def open_notebook(self, path: str) -> None:
        if self.record.jupyter and not self._stopped:
            open_in_background(self._run_dir.doors(self.id) / JUPYTER_SOCKET, self.web_path, path)

    def status(self) -> SandboxStatus:
        record = None if self._stopped else self._run_dir.record(self.id)
        if record is None:
            return SandboxStatus(SandboxState.STOPPED, Phase.READY)
        told = parse_status(self._run_dir.status(self.id))
        if record.ended:
            return SandboxStatus(SandboxState.FAILED, told.phase, told.services, record.ended)
        if told.state is SandboxState.FAILED or self.alive():
            return told
        return SandboxStatus(
            SandboxState.FAILED, told.phase, told.services, told.detail or "The sandbox ended unexpectedly."
        )

    def execute(self, notebook: Mapping[str, Any], limits: ExecutionLimits) -> ExecutedNotebook:
        body = {
            "notebook": notebook,
            "total_seconds": limits.total_seconds,
            "cell_seconds": limits.cell_seconds,
            "output_bytes": limits.output_bytes,
        }
        answer = self._ask("/execute", limits.total_seconds + KERNEL_SECONDS, body, NOTEBOOK_BYTES)
        return _executed(answer)

    def call(self, function: str, *arguments: JSON, timeout: float = 10.0) -> JSON:
        body = {"function": function, "arguments": list(arguments), "seconds": timeout}
        return _json(decode(self._ask("/call", timeout + SLACK_SECONDS, body, VALUE_BYTES).get("text")))

    def call_many(
        self, function: str, calls: Sequence[Sequence[JSON]], *, workers: int, timeout: float = 30.0
    ) -> list[CallOutcome]:
        body = {
            "function": function,
            "calls": [list(arguments) for arguments in calls],
            "workers": workers,
            "seconds": timeout,
        }
        outcomes = self._ask("/call-many", timeout + SLACK_SECONDS, body, VALUE_BYTES).get("calls")
        if not isinstance(outcomes, list) or len(outcomes) != len(calls):
            raise nonsense("the outcomes do not fit the calls")
        return [_outcome(outcome) for outcome in outcomes]

    def value(self, expression: str, timeout: float = 5.0) -> JSON:
        body = {"expression": expression, "seconds": timeout}
        return _json(decode(self._ask("/value", timeout + SLACK_SECONDS, body, VALUE_BYTES).get("text")))

    def run(self, command: Sequence[str], timeout: float = 30.0) -> CommandResult:
        body = {"command": list(command), "seconds": timeout}
        answer = self._ask("/run", timeout + SLACK_SECONDS, body, VALUE_BYTES)
        code, output = answer.get("exit_code"), answer.get("output")
        if not isinstance(code, int) or not isinstance(output, str):
            raise nonsense("no exit code or output")
        return CommandResult(code, output[: 2 * COMMAND_OUTPUT_BYTES])

    def read(self, path: str, max_bytes: int = 1_048_576) -> bytes:
        query = {"path": path, "max_bytes": str(max_bytes)}
        data = self._agent_there().ask("GET", "/files", FILE_SECONDS, query=query)
        if len(data) > max_bytes:
            raise TooLarge(f"The file {path} is larger than {max_bytes} bytes.")
        return data

    def write(self, path: str, data: bytes) -> None:
        if len(data) > FILE_BYTES:
            raise TooLarge(f"The file {path} is larger than {FILE_BYTES} bytes.")
        self._agent_there().ask("PUT", "/files", FILE_SECONDS, body=data, query={"path": path})

    def endpoint(self, service: str) -> Endpoint:
        options = self.record.services[service]
        self._connection()
        return SERVICES[service].endpoint(options, self._run_dir.doors(self.id))

    def log(self, lines: int = 200) -> str:
        return self._run_dir.log(self.id, max(0, lines))

    def stop(self) -> None:
        self._stopped = True
        self._end()
        adoption_cut_short = self._run_dir.adoption_note(self.id).exists()
        if self.record.blank and self.record.workspace and not adoption_cut_short:
            blank = Path(self.record.workspace)
            if not marked(blank):
                remove_tree(blank)
        self._run_dir.remove(self.id)

    def _connection(self) -> AgentConnection:
        if not self.alive():
            raise SandboxGone("The sandbox is not running any more.")
        return self._agent_there()

    def _agent_there(self) -> AgentConnection:
        """The connection, when it is for the agent itself to be gone: nobody answers then, and asking an engine takes longer."""
        if self._stopped or self._run_dir.record(self.id) is None:
            raise SandboxGone("The sandbox is not running any more.")
        return self._agent

    def _ask(self, path: str, seconds: float, body: Mapping[str, Any], limit: int) -> dict[str, Any]:
        if len(json.dumps(body)) > limit:
            raise TooLarge(f"What is sent to the sandbox is larger than {limit // 1024} KB.")
        return self._agent_there().ask_json(path, seconds, body)


def measure(record: Record) -> Usage:
    """What a sandbox's workspace takes, without looking much farther than it may reach."""
    return workspace_usage(
        Path(record.workspace),
        max_bytes=2 * (record.began_mb + record.workspace_mb) * MEBIBYTE,
        max_files=2 * (record.began_files + record.workspace_files),
    )


def parse_status(document: Mapping[str, Any] | None) -> SandboxStatus:
    """A status from the agent's document, which the learner's code may have written."""
    if document is None:
        return SandboxStatus(SandboxState.STARTING, Phase.CREATING)
    services = document.get("services")
    return SandboxStatus(
        state=_member(SandboxState, document.get("state"), SandboxState.FAILED),
        phase=_member(Phase, document.get("phase"), Phase.CREATING),
        services=tuple(
            ServiceStatus(
                str(service.get("name"))[:50],
                _member(ServiceState, service.get("state"), ServiceState.FAILED),
                str(service.get("detail", ""))[:DETAIL_CHARACTERS],
            )
            for service in (services if isinstance(services, list) else [])[:50]
            if isinstance(service, dict)
        ),
        detail=str(document.get("detail", ""))[:DETAIL_CHARACTERS],
    )


def _member(kind: Any, value: Any, otherwise: Any) -> Any:
    try:
        return kind(value)
    except ValueError:
        return otherwise


def _json(value: Any) -> JSON:
    return value


def _outcome(outcome: Any) -> CallOutcome:
    if not isinstance(outcome, dict):
        raise nonsense("an outcome is not an object")
    took = outcome.get("milliseconds")
    # A number of the learner's making may be too large for a float.
    milliseconds = float(took) if isinstance(took, int | float) and 0 <= took <= MAX_MILLISECONDS else 0.0
    if "error" in outcome:
        return CallOutcome(error=str(outcome["error"])[:DETAIL_CHARACTERS], milliseconds=milliseconds)
    return CallOutcome(value=decode(outcome.get("text")), milliseconds=milliseconds)


def _executed(answer: Mapping[str, Any]) -> ExecutedNotebook:
    notebook, errors = answer.get("notebook"), answer.get("errors")
    try:
        outcome = NotebookOutcome(str(answer.get("outcome")))
    except ValueError as error:
        raise nonsense(str(error)) from error
    if not isinstance(notebook, dict) or not isinstance(errors, list):
        raise nonsense("no notebook or no list of errors")
    found = tuple(
        CellError(
            cell_id=str(error.get("cell_id", ""))[:100],
            index=index if isinstance(index := error.get("index"), int) else 0,
            name=str(error.get("name", ""))[:200],
            detail=str(error.get("detail", ""))[:DETAIL_CHARACTERS],
        )
        for error in errors[:200]
        if isinstance(error, dict)
    )
    return ExecutedNotebook(outcome, notebook, found, str(answer.get("detail", ""))[:DETAIL_CHARACTERS])
