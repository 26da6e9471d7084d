"""Showing something in a notebook: drawn where there is one, as text elsewhere, anew while a cell runs where somebody watches."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

LIVE_SECONDS = 0.25
"""A picture is drawn anew at most four times a second."""
LIVE_VARIABLE = "LABKIT_LIVE"
"""`1` draws while a cell runs, `0` only at its end; without it labkit looks for a front end."""

Picture = Callable[[], tuple[str, str]]
"""Gives HTML and the same as text."""


def show(html: str, text: str) -> None:
    """Display HTML in a notebook; elsewhere print the text."""
    shell = _shell()
    if shell is None:
        print(text)
    else:
        _publish(shell, html, text)


class LivePicture:
    """A picture that is drawn anew while something goes on, and whose last state stays.

    Without a front end (the grader, `jupyter execute`, a plain Python) only the last state is shown: nobody watches, and
    what a notebook may put out is bounded.
    """

    def __init__(self, picture: Picture) -> None:
        self._picture = picture
        self._lock = threading.Lock()
        self._id = f"labkit-{os.getpid()}-{id(self):x}-{time.monotonic_ns():x}"
        self._drawn = 0.0
        self._shown = False
        self._live = is_watched()

    def refresh(self) -> None:
        """Draw it anew, unless that was done a moment ago; from any thread."""
        if self._live and time.monotonic() - self._drawn >= LIVE_SECONDS and self._lock.acquire(blocking=False):
            try:
                self._draw()
            finally:
                self._lock.release()

    def finish(self) -> None:
        """Draw the last state."""
        with self._lock:
            self._draw()

    def _draw(self) -> None:
        html, text = self._picture()
        shell = _shell()
        if shell is None:
            print(text)
        else:
            _publish(shell, html, text, self._id, update=self._shown)
        self._shown = True
        self._drawn = time.monotonic()


def is_watched() -> bool:
    """Whether somebody sees what a cell shows while it runs: Jupyter and VS Code tell by what they set in the kernel."""
    wish = os.environ.get(LIVE_VARIABLE)
    if wish is not None:
        return wish == "1"
    shell = _shell()
    if shell is None or getattr(shell, "kernel", None) is None:
        return False
    return bool(os.environ.get("JPY_SESSION_NAME") or "__vsc_ipynb_file__" in shell.user_ns)


def _publish(shell: Any, html: str, text: str, display_id: str | None = None, *, update: bool = False) -> None:
    transient = {"display_id": display_id} if display_id else None
    shell.display_pub.publish(
        data={"text/html": html, "text/plain": text}, metadata={}, transient=transient, update=update
    )


def _shell() -> Any:
    """The running IPython, without importing it where it is not."""
    module = sys.modules.get("IPython")
    return module.get_ipython() if module is not None else None
