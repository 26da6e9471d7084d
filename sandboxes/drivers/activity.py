"""How a sandbox is used, as its Jupyter tells and its files show. Who answers may be the learner's code: shapes are checked."""

from __future__ import annotations

import http.client
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sandboxes.interface import Activity
from sandboxes.unix_http import UnixConnection

SECONDS = 3.0
ANSWER_BYTES = 262_144
ENTRIES = 1_000


def jupyter_activity(socket: Path, web_path: str, workspace: Path) -> Activity | None:
    """What the Jupyter behind a socket did last; None when it does not answer in a way that makes sense."""
    try:
        kernels = _ask(socket, f"{web_path}api/kernels")
        terminals = _ask(socket, f"{web_path}api/terminals")
        times = [_time(each.get("last_activity")) for each in (*kernels, *terminals)]
        return Activity(
            last=max([*times, _newest_file(workspace)]),
            busy=any(each.get("execution_state") == "busy" for each in kernels),
            connections=sum(int(each.get("connections") or 0) for each in kernels),
        )
    except (OSError, ValueError, TypeError, http.client.HTTPException, RecursionError):
        return None


def _ask(socket: Path, path: str) -> list[dict[str, Any]]:
    """A list of objects. The front end's own polls count as use in Jupyter's books; ours must not."""
    connection = UnixConnection(str(socket), timeout=SECONDS)
    try:
        connection.request("GET", f"{path}?no_track_activity=1")
        answer = connection.getresponse()
        if answer.status != 200:
            raise ValueError(f"it answers {answer.status}")
        document = json.loads(answer.read(ANSWER_BYTES))
    finally:
        connection.close()
    if not isinstance(document, list) or not all(isinstance(each, dict) for each in document):
        raise ValueError("not a list of objects")
    return document


def _time(text: Any) -> datetime:
    if not isinstance(text, str):
        return datetime.fromtimestamp(0, UTC)
    found = datetime.fromisoformat(text)
    return min(found if found.tzinfo else found.replace(tzinfo=UTC), datetime.now(UTC))


def _newest_file(workspace: Path) -> datetime:
    """When something at the top of the workspace was last saved: who writes prose runs no cell."""
    newest = 0.0
    try:
        with os.scandir(workspace) as entries:
            for _, entry in zip(range(ENTRIES), entries, strict=False):
                newest = max(newest, entry.stat(follow_symlinks=False).st_mtime)
    except OSError:
        pass
    return min(datetime.fromtimestamp(max(newest, 0.0), UTC), datetime.now(UTC))
