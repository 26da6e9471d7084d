"""Reading what a worker's pool says of itself: `<run directory>/pool.json`, the pool's `status()`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FILE = "pool.json"
FILE_BYTES = 262_144


def read_pool_note(run_dir: Path, since: float) -> dict[str, Any] | None:
    """The note as JSON, with `at` for when it was written; None when there is none that makes sense, or the pool may keep none.

    `since` is when the worker started, in seconds since 1970: an older note is that of one that has ended, and counts for none.
    """
    path = run_dir / FILE
    try:
        at = path.stat().st_mtime
        with path.open("rb") as file:
            document = json.loads(file.read(FILE_BYTES))
    except (OSError, ValueError):
        return None
    if at < since or not isinstance(document, dict) or not isinstance(document.get("flavours"), list):
        return None
    if not document.get("total"):
        return None
    flavours = [one for one in document["flavours"] if isinstance(one, dict)]
    return {**document, "flavours": flavours, "at": at}
