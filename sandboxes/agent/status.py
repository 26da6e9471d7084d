"""What the agent says of itself, kept in `status.json` for the driver."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from sandboxes.interface import Phase, SandboxState, ServiceState

STEPS = 40


class StatusBoard:
    """The sandbox's state, written to disk atomically at every change.

    The document is `{"state", "phase", "detail", "pid", "services": [{"name", "state", "detail"}],
    "steps": [{"phase", "detail", "at"}]}`. `steps` is the story of the start, so that a driver that looks now and then
    misses none of it.
    """

    def __init__(self, path: Path, services: list[str]) -> None:
        self._path = path
        self._state = SandboxState.STARTING
        self._phase = Phase.CREATING
        self._detail = ""
        self._services = dict.fromkeys(services, (ServiceState.STARTING, ""))
        self._steps: list[dict[str, Any]] = []

    @property
    def state(self) -> SandboxState:
        return self._state

    @property
    def phase(self) -> Phase:
        return self._phase

    def step(self, phase: Phase, detail: str) -> None:
        """Say what the start is busy with."""
        self._phase = phase
        if len(self._steps) < STEPS:
            self._steps.append({"phase": phase.value, "detail": detail, "at": time.time()})
        self.save()

    def service(self, name: str, state: ServiceState, detail: str = "") -> None:
        """Record the state of a service."""
        self._services[name] = (state, detail[:500])
        self.save()

    def service_state(self, name: str) -> ServiceState:
        return self._services[name][0]

    def become(self, state: SandboxState, detail: str = "") -> None:
        """Change the sandbox's state."""
        self._state = state
        self._detail = detail[:2000]
        self.save()

    def document(self) -> dict[str, Any]:
        return {
            "state": self._state.value,
            "phase": self._phase.value,
            "detail": self._detail,
            "pid": os.getpid(),
            "services": [
                {"name": name, "state": state.value, "detail": detail}
                for name, (state, detail) in self._services.items()
            ],
            "steps": self._steps,
        }

    def save(self) -> None:
        """Write the document; a full disk is survived, the next change tries again."""
        half = self._path.with_suffix(".half")
        try:
            half.write_text(json.dumps(self.document()), encoding="utf-8")
            half.replace(self._path)
        except OSError:
            half.unlink(missing_ok=True)
