"""Somebody honest who is graded while the attacks run."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from labs.catalogue import Lab
from labs.grader import grade
from labs.notebook import dumps
from sandboxes.interface import Driver

PAUSE_SECONDS = {"exhaust": 6.0, "escape": 8.0, "reach": 8.0}
"""Between two gradings, by the kind of attack that runs; others can't do it harm but by the machine, and wait longer."""
LONG_SECONDS = 60.0
STOP_SECONDS = 120.0


class Neighbour:
    """Grades the honest solution on the attacks' driver, in a thread of its own: again and again while there is one."""

    def __init__(self, lab: Lab, driver: Driver) -> None:
        # An attack may use its share of the machine to the full, so the neighbour gets more patience, and nothing else.
        limits = lab.manifest.limits.model_copy(
            update={"cell_seconds": 60, "total_seconds": 120, "check_seconds": 120}
        )
        self._lab = replace(lab, manifest=lab.manifest.model_copy(update={"limits": limits}))
        self._driver = driver
        self._attacked = threading.Event()
        self._kind = ""
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._live, name="neighbour", daemon=True)
        self.graded = 0
        self.harm: list[str] = []

    def start(self) -> None:
        self._thread.start()

    @contextmanager
    def beside(self, kind: str) -> Iterator[None]:
        """Be graded while the block runs, beside an attack of this kind."""
        self._kind = kind
        self._attacked.set()
        try:
            yield
        finally:
            self._attacked.clear()

    def stop(self) -> None:
        """Return when the last grading is done."""
        self._stopping.set()
        self._attacked.set()
        self._thread.join(STOP_SECONDS)
        if self._thread.is_alive():
            self.harm.append("a grading of the neighbour does not end")

    def _live(self) -> None:
        notebook = dumps(self._lab.source.solution()).encode()
        while self._attacked.wait() and not self._stopping.is_set():
            try:
                report = grade(self._lab, notebook, seed=self.graded, driver=self._driver)
            except Exception as error:
                self.harm.append(f"a grading of the neighbour failed: {error!r}")
            else:
                if report.percent != 100:
                    self.harm.append(f"the neighbour lost points: {report.document()}")
            self.graded += 1
            self._stopping.wait(PAUSE_SECONDS.get(self._kind, LONG_SECONDS))
