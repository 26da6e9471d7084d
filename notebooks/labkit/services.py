"""The lab's services on a laptop: a child process that lives as long as the kernel."""

from __future__ import annotations

import atexit
import json
import os
import select
import subprocess
import tempfile
import time
from pathlib import Path

from labkit import checkout

START_SECONDS = 120.0
STOP_SECONDS = 10.0
LINE_BYTES = 65_536


class ServicesError(Exception):
    """The services did not start; the message says why and what to do."""


class _Child:
    """The process of `python -m labs services`; it ends when its standard input is closed, also by our death."""

    def __init__(self, slug: str, root: Path) -> None:
        self.slug = slug
        self.variables: dict[str, str] = {}
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the process
        self.process = subprocess.Popen(
            [checkout.python(root), "-m", "labs", "services", slug],
            cwd=root,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            # Not part of the kernel's process group: interrupting a cell must not stop the database.
            start_new_session=True,
        )

    def environment(self) -> dict[str, str]:
        """The variables it prints once the services are ready. Raises ServicesError."""
        line = b""
        deadline = time.monotonic() + START_SECONDS
        assert self.process.stdout is not None
        descriptor = self.process.stdout.fileno()
        while not line.endswith(b"\n"):
            ready, _, _ = select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                self.stop()
                raise ServicesError(
                    f"The services of {self.slug} did not start within {START_SECONDS:g} s.\n{self._said()}"
                )
            data = os.read(descriptor, LINE_BYTES)
            if not data or len(line) > LINE_BYTES:
                self.stop()
                raise ServicesError(f"The services of {self.slug} did not start.\n{self._said()}")
            line += data
        try:
            return dict(json.loads(line)["environment"])
        except (ValueError, KeyError, TypeError):
            self.stop()
            raise ServicesError(f"The services of {self.slug} did not start.\n{self._said()}") from None

    def stop(self) -> None:
        """End it and the services."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()

    def _said(self) -> str:
        self._errors.seek(0, os.SEEK_END)
        self._errors.seek(max(0, self._errors.tell() - 4_000))
        return self._errors.read().decode(errors="replace").strip()


_child: _Child | None = None


def ensure(slug: str) -> dict[str, str]:
    """Start the services of the lab unless they run already, and set the variables by which they are found: these come back."""
    global _child
    if _child is not None and _child.slug == slug and _child.process.poll() is None:
        return _child.variables
    stop()
    root = checkout.checkout()
    if root is None:
        raise ServicesError(
            "The services of this lab start from a checkout of the repository: open the notebook in its folder notebooks/ "
            "(`make notebooks` does it)."
        )
    print(f"Starting the services of {slug} …", flush=True)
    child = _Child(slug, root)
    child.variables = child.environment()
    os.environ.update(child.variables)
    _find_tools(Path(checkout.python(root)).parent)
    _child = child
    return child.variables


def _find_tools(folder: Path) -> None:
    """Let programs such as `go`, which the repository's environment brings, be found by their names: after all others."""
    paths = os.environ.get("PATH", os.defpath).split(os.pathsep)
    if str(folder) not in paths:
        os.environ["PATH"] = os.pathsep.join([*paths, str(folder)])


def stop() -> None:
    """End the services if they run."""
    global _child
    child, _child = _child, None
    if child is not None:
        child.stop()


atexit.register(stop)
