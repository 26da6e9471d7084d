"""One service's process under the supervisor: started, looked at, started again with growing pauses."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Mapping

import httpx

from reference_impl.shared.settings import Settings
from reference_impl.topologies.ground import Ground, Phase, ProcessState
from reference_impl.topologies.parts.base import end, launch
from reference_impl.topologies.registry import Entry

STOP_SECONDS = 15.0
"""How long the end may take, besides what requests are given."""
PROBE_SECONDS = 1.0
FIRST_PAUSE_SECONDS = 0.25
LONGEST_PAUSE_SECONDS = 30.0
SETTLED_SECONDS = 60.0
"""After so long a life the next crash counts as the first."""


class Member:
    """A service and the process it has now, if any."""

    def __init__(
        self, entry: Entry, settings: Settings, ground: Ground, environment: Mapping[str, str]
    ) -> None:
        self.name = entry.name
        self.port = entry.port(settings)
        self.url = f"http://{'127.0.0.1' if settings.host == '0.0.0.0' else settings.host}:{self.port}"  # noqa: S104
        self.log = ground.log(entry.name)
        self.phase = Phase.STARTING
        self.detail = ""
        self._environment = environment
        self._may_restart = settings.restart
        self._stop_seconds = STOP_SECONDS + settings.drain_seconds + settings.grace_seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._born = 0.0
        self._due = 0.0
        self._crashes = 0
        self._restarts = 0

    def start(self) -> None:
        """Start it."""
        arguments = [sys.executable, "-m", "reference_impl", "service", self.name, "--port", str(self.port)]
        self._process = launch(arguments, self.log, environment=self._environment)
        self._born = time.monotonic()
        self.phase, self.detail = Phase.STARTING, ""

    def restart(self) -> None:
        """End it in peace and start it again, whatever it was doing."""
        self.end()
        self._restarts += 1
        self._crashes = 0
        self.start()

    def move(self, environment: Mapping[str, str]) -> None:
        """Start it again if what it runs on is somewhere else now."""
        if environment != self._environment:
            self._environment = environment
            self.restart()

    def look(self, client: httpx.Client) -> None:
        """See how it stands; start it again when it ended and its pause is over. Takes PROBE_SECONDS at most."""
        if self._process is not None and self._process.poll() is not None:
            self._crashed(self._process.returncode)
        elif self.phase is Phase.STARTING and self._ready(client):
            self.phase, self.detail = Phase.READY, self.url
        elif self.phase is Phase.WAITING and time.monotonic() >= self._due:
            self._restarts += 1
            self.start()

    def backlog(self, client: httpx.Client) -> int:
        """Events that wait in its outbox or before its consumer; 0 when it does not say."""
        try:
            parts = client.get(f"{self.url}/health/readiness", timeout=PROBE_SECONDS).json()["parts"]
        except (httpx.HTTPError, ValueError, KeyError):
            return 0
        return sum(int(part["backlog"]) for part in parts)

    def ask_to_end(self) -> None:
        """Let it begin to end: it takes no requests any more and finishes what it has in hand."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)

    def end(self) -> None:
        """Return when it has ended."""
        if self._process is not None:
            end(self._process, signal.SIGTERM, self._stop_seconds)
            self._process = None

    def state(self) -> ProcessState:
        """How it stands, for everybody to read."""
        return ProcessState(
            name=self.name,
            kind="service",
            phase=self.phase,
            pid=self._process.pid if self._process else None,
            url=self.url,
            detail=self.detail,
            restarts=self._restarts,
        )

    def _crashed(self, code: int) -> None:
        self._process = None
        if time.monotonic() - self._born > SETTLED_SECONDS:
            self._crashes = 0
        pause = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** min(self._crashes, 10))
        self._crashes += 1
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        self._due = time.monotonic() + pause
        if self._may_restart:
            self.phase, self.detail = Phase.WAITING, f"ended with {how}; again in {pause:g} s"
        else:
            self.phase, self.detail = Phase.FAILED, f"ended with {how}"

    def _ready(self, client: httpx.Client) -> bool:
        try:
            return client.get(f"{self.url}/health/readiness", timeout=PROBE_SECONDS).status_code == 200
        except httpx.HTTPError:
            return False
