"""`nbgrader autograde` on the same notebook, in a virtual environment of its own."""

from __future__ import annotations

import copy
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import nbformat

from labs.catalogue import Lab

SECONDS = 300
ASSIGNMENT = "bench"
STUDENT = "learner"
TESTS = {
    "total": 'assert total([["19.99", 2], ["5.01", 1]]) == "44.99"\nassert total([]) == "0.00"',
    "backoff": "assert backoff(1, 10, 6) == [1, 2, 4, 8, 10, 10]",
    "deduplicate": 'assert deduplicate(["a", "b", "a"]) == ["a", "b"]',
    "percentile": "assert percentile([5, 1, 4, 2, 3], 0.5) == 3",
    "window": "assert allowed([0, 1, 2, 3], 2, 10) == [True, True, False, False]",
}
CONFIG = """\
c = get_config()
c.CourseDirectory.course_id = "bench"
c.ExecutePreprocessor.timeout = 60
"""


class Nbgrader:
    """A course with one assignment that has been handed in; use it in a `with` block."""

    def __init__(self, environment: Path, solution: dict[str, Any], lab: Lab) -> None:
        self._program = environment / "bin" / "nbgrader"
        self._python = environment / "bin" / "python"
        if not self._program.exists():
            raise RuntimeError(
                "nbgrader is not installed for the benchmark: run it by `make bench NAME=grade`."
            )
        self._folder = Path(tempfile.mkdtemp(prefix="bench-nbgrader-"))
        self._notebook = _with_tests(solution, lab)

    def __enter__(self) -> Self:
        try:
            (self._folder / "nbgrader_config.py").write_text(CONFIG)
            for part in (f"source/{ASSIGNMENT}", f"submitted/{STUDENT}/{ASSIGNMENT}"):
                (self._folder / part).mkdir(parents=True)
                nbformat.write(nbformat.from_dict(self._notebook), self._folder / part / "lab.ipynb")
            self._run("generate_assignment", ASSIGNMENT, "--create", "--force")
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    def autograde(self) -> float:
        """Seconds of one command that grades it. Raises RuntimeError when it is not the full score."""
        started = time.perf_counter()
        self._run("autograde", ASSIGNMENT, "--student", STUDENT, "--create", "--force")
        seconds = time.perf_counter() - started
        if not (self._folder / "autograded" / STUDENT / ASSIGNMENT / "lab.ipynb").exists():
            raise RuntimeError("nbgrader graded nothing")
        return seconds

    def score(self) -> float:
        """The points that the last autograding gave."""
        code = (
            "from nbgrader.api import Gradebook\n"
            "with Gradebook('sqlite:///gradebook.db') as book:\n"
            f"    print(book.find_submission({ASSIGNMENT!r}, {STUDENT!r}).score)"
        )
        done = subprocess.run(
            [str(self._python), "-c", code],
            cwd=self._folder,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=True,
        )
        return float(done.stdout.strip())

    def _run(self, *arguments: str) -> None:
        environment = {**os.environ, "PATH": f"{self._program.parent}:{os.environ.get('PATH', '')}"}
        environment.pop("PYTHONPATH", None)
        done = subprocess.run(
            [str(self._program), *arguments], cwd=self._folder, env=environment, capture_output=True, text=True, timeout=SECONDS,
            check=False,
        )  # fmt: skip
        if done.returncode != 0:
            raise RuntimeError(f"nbgrader {arguments[0]} failed:\n{done.stderr[-1500:]}")


def _with_tests(solution: dict[str, Any], lab: Lab) -> dict[str, Any]:
    """The solution as nbgrader has it: after each task a cell of asserts that earns the task's points."""
    notebook = copy.deepcopy(solution)
    cells: list[dict[str, Any]] = []
    for cell in notebook["cells"]:
        task = cell["metadata"].pop("task", None)
        if task:
            cell["metadata"]["nbgrader"] = _metadata(task, solution=True, grade=False)
        cells.append(cell)
        if task:
            test = nbformat.v4.new_code_cell(TESTS[task], id=f"test-{task}")
            test["metadata"]["nbgrader"] = _metadata(
                f"test-{task}", solution=False, grade=True, points=lab.manifest.task(task).points
            )
            cells.append(test)
    return {**notebook, "cells": cells}


def _metadata(grade_id: str, *, solution: bool, grade: bool, points: int | None = None) -> dict[str, Any]:
    found: dict[str, Any] = {
        "grade": grade, "grade_id": grade_id, "locked": grade, "schema_version": 3, "solution": solution, "task": False,
    }  # fmt: skip
    return {**found, "points": points} if points is not None else found
