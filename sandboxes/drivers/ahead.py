"""Starting a notebook's kernel before the learner's page asks for it. A page takes up the session that it finds."""

from __future__ import annotations

import http.client
import json
import logging
import threading
import time
from pathlib import Path

from sandboxes.unix_http import UnixConnection

SECONDS = 30.0
ANSWER_BYTES = 65_536
HEAD_START_SECONDS = 0.3
"""The page's own first requests, and others' launches, come before the kernel."""
STARTING = 2
"""Kernels that start at the same moment: each takes a processor for half a second."""
WAITING = 16
"""Beyond these a kernel starts when its page asks: sandboxes whose Jupyter never answers must not pile up threads."""

log = logging.getLogger("sandboxes.drivers")
_places = threading.BoundedSemaphore(WAITING)
_starting = threading.BoundedSemaphore(STARTING)


def open_in_background(socket: Path, web_path: str, notebook: str) -> None:
    """Ask Jupyter for a session of a notebook; whatever comes of it, nobody waits and nothing is raised."""
    if _places.acquire(blocking=False):
        threading.Thread(
            target=_wait, args=(socket, web_path, notebook), name="kernel-ahead", daemon=True
        ).start()


def _wait(socket: Path, web_path: str, notebook: str) -> None:
    try:
        time.sleep(HEAD_START_SECONDS)
        if _starting.acquire(timeout=SECONDS):
            try:
                _open(socket, web_path, notebook)
            finally:
                _starting.release()
    finally:
        _places.release()


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
