"""Starting a notebook's kernel before the learner's page asks for it. A page takes up the session that it finds."""

from __future__ import annotations

import http.client
import json
import logging
import threading
from pathlib import Path

from sandboxes.unix_http import UnixConnection

SECONDS = 30.0
ANSWER_BYTES = 65_536
AT_ONCE = 16
"""Sandboxes whose Jupyter never answers must not pile up threads."""

log = logging.getLogger("sandboxes.drivers")
_slots = threading.BoundedSemaphore(AT_ONCE)


def open_in_background(socket: Path, web_path: str, notebook: str) -> None:
    """Ask Jupyter for a session of a notebook; whatever comes of it, nobody waits and nothing is raised."""
    if _slots.acquire(blocking=False):
        threading.Thread(
            target=_open, args=(socket, web_path, notebook), name="kernel-ahead", daemon=True
        ).start()


def _open(socket: Path, web_path: str, notebook: str) -> None:
    wish = {"path": notebook, "type": "notebook", "name": "", "kernel": {"name": "python3"}}
    connection = UnixConnection(str(socket), timeout=SECONDS)
    try:
        connection.request(
            "POST", f"{web_path}api/sessions", json.dumps(wish), {"Content-Type": "application/json"}
        )
        answer = connection.getresponse()
        answer.read(ANSWER_BYTES)
        if answer.status != 201:
            log.info("no kernel was started ahead of the page: Jupyter answers %d", answer.status)
    except (OSError, http.client.HTTPException) as error:
        log.info("no kernel was started ahead of the page: %s", error)
    finally:
        connection.close()
        _slots.release()
