"""What a pool says of itself, in a file: for the command line, which is another process."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sandboxes.drivers.run_dir import write_document

NAME = "pool.json"


class StatusFile:
    """`<run directory>/pool.json`: `Pool.status()` with `updated_at`, in seconds since 1970. Threads may write at once."""

    def __init__(self, run_dir: Path) -> None:
        self._path = run_dir / NAME
        self._lock = threading.Lock()

    def write(self, status: Mapping[str, Any]) -> None:
        """Put a status in its place in one step. Raises OSError."""
        with self._lock:
            write_document(self._path, {**status, "updated_at": time.time()})
