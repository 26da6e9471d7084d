"""A second sandbox for a grading, in which nothing of the notebook ever ran."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from sandboxes.clearing import remove_tree
from sandboxes.interface import Driver, ProgressListener, Sandbox, SandboxSpec

WORKSPACE_PREFIX = "grade-"
"""Of the names of folders that gradings work in."""


class SandboxApart:
    """Starts at most one sandbox, when it is first asked for."""

    def __init__(self, spec: Callable[[Path], SandboxSpec], driver: Driver, tell: ProgressListener) -> None:
        """`spec` says what to start, given a workspace."""
        self._spec = spec
        self._driver = driver
        self._tell = tell
        self._sandbox: Sandbox | None = None
        self._workspace: Path | None = None

    def sandbox(self) -> Sandbox:
        """The sandbox. Raises SandboxError when it does not start."""
        if self._sandbox is None:
            if self._workspace is None:
                self._workspace = Path(tempfile.mkdtemp(prefix=WORKSPACE_PREFIX, dir=self._driver.scratch))
            self._sandbox = self._driver.start(self._spec(self._workspace), self._tell)
        return self._sandbox

    def end(self) -> None:
        """Retire it, if it was started, and remove its workspace."""
        sandbox, self._sandbox = self._sandbox, None
        workspace, self._workspace = self._workspace, None
        if sandbox is not None:
            self._driver.retire(sandbox, discard=workspace)
        elif workspace is not None:
            remove_tree(workspace)
