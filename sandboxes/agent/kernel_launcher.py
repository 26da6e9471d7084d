"""Starts a learner's kernel with its guards: `python -P kernel_launcher.py -f CONNECTION_FILE`.

Jupyter and the agent both start kernels through it (see `write_kernelspec`). It runs in the learner's process before the
learner's first line, imports nothing of ours, and must not be imported by anything else. It reads two variables:
SANDBOX_MEMORY_MB, and SANDBOX_FILE_MB, the largest file; 0 or none means that something else holds the limit.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import os
import resource
import signal
import sys
from pathlib import Path

PR_SET_PDEATHSIG = 1
PRINTED_CHARACTERS = 65_536
"""After so many characters whoever prints waits until they are sent."""
BRIDGE = "_sandbox_bridge"


def guard() -> None:
    """Bound what the kernel may use, and make it the first to go when memory runs out."""
    if sys.platform == "linux":
        # The kernel must not outlive whoever started it.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        with contextlib.suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text("1000")
    # Data, not address space: threads reserve far more addresses than they ever use.
    _limit(resource.RLIMIT_DATA, int(os.environ.get("SANDBOX_MEMORY_MB", "0")))
    _limit(resource.RLIMIT_FSIZE, int(os.environ.get("SANDBOX_FILE_MB", "0")))
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # A file that grew too large raises OSError instead of ending the kernel.
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    os.umask(0o022)


def _limit(kind: int, mebibytes: int) -> None:
    if mebibytes > 0:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(kind, (mebibytes * 1_048_576, mebibytes * 1_048_576))


def load_bridge() -> None:
    """Make the agent's way into the kernel importable without putting a folder of ours on the learner's path."""
    spec = importlib.util.spec_from_file_location(BRIDGE, Path(__file__).with_name("kernel_bridge.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[BRIDGE] = module
    spec.loader.exec_module(module)


def bound_output() -> None:
    """Let nobody print faster than it can be sent: ipykernel would keep the rest in memory, as much as it may be."""
    from ipykernel.iostream import OutStream

    write_all = OutStream.write
    waiting: dict[str, int] = {}

    def write(self: OutStream, string: str) -> int | None:
        written = write_all(self, string)
        waiting[self.name] = waiting.get(self.name, 0) + len(string)
        if waiting[self.name] >= PRINTED_CHARACTERS:
            waiting[self.name] = 0
            self.flush()
        return written

    OutStream.write = write  # type: ignore[method-assign]


def add_workspace() -> None:
    """Let notebooks import the learner's own modules, after all others: their `json.py` or `zmq.py` must not break the kernel."""
    sys.path.append("")


if __name__ == "__main__":
    guard()
    add_workspace()
    load_bridge()
    bound_output()
    from ipykernel.kernelapp import launch_new_instance

    launch_new_instance()
