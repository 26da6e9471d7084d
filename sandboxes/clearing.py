"""Removing what learners' code left behind: folders nested deeper than any path, without permissions, or filled meanwhile."""

from __future__ import annotations

import contextlib
import subprocess
import time
from pathlib import Path

TRIES = 20
SECONDS = 60.0
_WAIT_SECONDS = 0.05


def remove_tree(folder: Path) -> None:
    """Remove a folder and all in it, also while its last processes still put files there. Never raises; follows no link.

    By `rm`, which goes down step by step: in Python each level costs a frame and a descriptor, and both run out.
    """
    for attempt in range(TRIES):
        if not folder.exists() and not folder.is_symlink():
            return
        if attempt:
            # Folders may have been closed to their owner; root does not mind, others do.
            _run("chmod", "-R", "u+rwX", "--", str(folder))
            time.sleep(_WAIT_SECONDS)
        _run("rm", "-rf", "--one-file-system", "--", str(folder))


def _run(*command: str) -> None:
    with contextlib.suppress(subprocess.TimeoutExpired, OSError):
        subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS, check=False)
