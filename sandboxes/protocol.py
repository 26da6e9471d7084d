"""What a driver and the agent inside a sandbox agree on: the agent's orders, the kinds of error it answers, and every size cap.

A driver writes an `AgentSpec` as `spec.json` and starts `python -m sandboxes.agent spec.json`; from then on they talk through
`status.json` (written by the agent) and HTTP over `agent.sock`. When the spec names a `learner_uid`, that agent is the *keeper*:
it starts the services and waits for a second agent, the *learner's*, which the driver starts as that user by
`python -m sandboxes.agent --join join.sock` (see `sandboxes/agent/bond.py`). An answer that is not a success is
`{"error": {"kind", "detail", "name"?}}` with one of `ErrorKind`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

AGENT_SOCKET = "agent.sock"
JUPYTER_SOCKET = "jupyter.sock"
JOIN_SOCKET = "join.sock"
"""Where the learner's agent comes to the keeper, once."""
STATUS_FILE = "status.json"
SPEC_FILE = "spec.json"
LOG_FOLDER = "log"
SANDBOX_ID_VARIABLE = "SANDBOX_ID"
"""Every process of a sandbox carries it, so that what escaped its process group can still be found and ended."""

VALUE_BYTES = 1_048_576
"""A value that crosses from or to the learner's kernel, as JSON."""
NOTEBOOK_BYTES = 16 * 1_048_576
"""A notebook handed in."""
FILE_BYTES = 16 * 1_048_576
"""A file of the workspace, read or written."""
COMMAND_OUTPUT_BYTES = 262_144
"""What is kept of a command's output."""
STATUS_BYTES = 65_536
ANSWER_BYTES = 64 * 1_048_576
"""The largest answer of an agent that a driver takes in."""
DETAIL_CHARACTERS = 2_000
"""Text about an error, as shown to the learner."""
CALLS = 10_000
"""Calls of one call_many."""
WORKERS = 128
"""Threads of one call_many."""
LOG_BYTES = 262_144
"""Size at which a log file is turned over; one older part is kept."""


class ErrorKind(StrEnum):
    """Why the agent did not do what it was asked."""

    TIMEOUT = "timeout"
    KERNEL_DIED = "kernel_died"
    LEARNER_CODE = "learner_code"
    TOO_LARGE = "too_large"
    NOT_FOUND = "not_found"
    INVALID = "invalid"
    BUSY = "busy"
    BROKEN = "broken"


class AgentError(Exception):
    """An answer that is not a success, on its way from the agent to the driver."""

    def __init__(self, kind: ErrorKind, detail: str, name: str = "") -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail[:DETAIL_CHARACTERS]
        self.name = name[:200]

    def document(self) -> dict[str, Any]:
        return {"error": {"kind": self.kind.value, "detail": self.detail, "name": self.name}}


@dataclass(frozen=True)
class AgentSpec:
    """The agent's orders; all paths are as the agent sees them."""

    sandbox_id: str
    run_dir: str
    """Status and logs, and the sockets unless `socket_dir` says otherwise; seen by the driver too."""
    workspace: str
    home: str
    data_dir: str
    """Where services keep their data; lost with the sandbox."""
    cache_dir: str
    """Things made once and copied, such as an initialised database cluster."""
    web_path: str
    """Jupyter's base URL; holds the access token."""
    services: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    jupyter: bool = True
    memory_mb: int = 1024
    disk_mb: int = 512
    """The largest file that the learner's code may write."""
    contained: bool = False
    """True in a container: the engine holds the memory limit. Otherwise the kernel gets a resource limit of its own."""
    preload: tuple[str, ...] = ()
    """Modules that the kernel which waits for the first notebook imports."""
    workspace_mb: int = 256
    workspace_files: int = 20_000
    learner_uid: int | None = None
    """The user of the learner's agent; None when one agent does everything as one user."""
    service_seconds: float = 60.0
    """How long one service, or Jupyter, may take to get ready."""
    socket_dir: str = ""
    """Where the sockets are, when that is a place that only the sandbox sees."""

    @property
    def sockets(self) -> Path:
        """The folder of the sockets."""
        return Path(self.socket_dir or self.run_dir)

    def write(self, path: Path) -> None:
        """Write it as JSON that only the owner may read."""
        path.touch(mode=0o600)
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> AgentSpec:
        """Read it back. Raises OSError, ValueError, TypeError."""
        return cls(**json.loads(path.read_text(encoding="utf-8")))
