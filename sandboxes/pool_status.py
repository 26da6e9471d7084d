"""What a pool says of itself, in a file: for the command line, which is another process."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

NAME = "pool.json"


class StatusFile:
    """`<run directory>/pool.json`: `Pool.status()` with `updated_at`, in seconds since 1970. Threads may write at once."""

    def __init__(self, run_dir: Path) -> None:
        self._path = run_dir / NAME
        self._lock = threading.Lock()

    def write(self, status: Mapping[str, Any]) -> None:
        """Put a status in its place in one step. Raises OSError."""
        with self._lock:
            half = self._path.with_suffix(".half")
            half.touch(mode=0o600)
            half.write_text(json.dumps({**status, "updated_at": time.time()}), encoding="utf-8")
            half.replace(self._path)


def physical_memory_mb() -> int:
    """This machine's memory in MiB."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 1_048_576
