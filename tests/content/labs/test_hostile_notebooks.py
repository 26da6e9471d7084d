"""Notebooks that loop, print without end, eat memory or end the kernel, on a real driver: a clear result each time."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from labs.catalogue import Catalogue, Lab, load
from labs.grader import grade
from labs.notebook import dumps
from labs.report import NotebookStatus, Report
from sandboxes.interface import Driver

ATTACKED = Path(__file__).resolve().parents[2] / "attacks" / "lab"
DRIVERS = [pytest.param("docker", marks=pytest.mark.docker)]
"""The corpus in tests/attacks has the like for the local driver too."""


@pytest.fixture(params=DRIVERS)
def driver(request: pytest.FixtureRequest, real_driver: Callable[[str], Driver]) -> Driver:
    """Each real driver in turn."""
    return real_driver(request.param)


@pytest.fixture
def lab(catalogue: Catalogue) -> Lab:
    """never-oversell, with less memory."""
    lab = catalogue.labs["never-oversell"]
    limits = lab.manifest.limits.model_copy(update={"memory_mb": 768})
    return replace(lab, manifest=lab.manifest.model_copy(update={"limits": limits}))


@pytest.fixture(scope="module")
def small() -> Lab:
    """A lab whose three tasks are graded quickly: what is asked of it here is asked of the grader.

    With more time than its own, so that no honest cell is taken for an endless one when the machine stands still.
    """
    lab = load(ATTACKED).labs["target"]
    limits = lab.manifest.limits.model_copy(
        update={"cell_seconds": 12, "total_seconds": 120, "check_seconds": 120}
    )
    return replace(lab, manifest=lab.manifest.model_copy(update={"limits": limits}))


def after_the_first_task(lab: Lab, source: str) -> bytes:
    """The solution with a cell of the learner's own behind the first task."""
    made = copy.deepcopy(lab.source.solution())
    index = next(i for i, cell in enumerate(made["cells"]) if cell["id"] == f"task-{lab.tasks[0].id}")
    cell = {
        "cell_type": "code",
        "id": "mine",
        "metadata": {},
        "source": source,
        "execution_count": None,
        "outputs": [],
    }
    made["cells"].insert(index + 1, cell)
    return dumps(made).encode()


def passed(report: Report) -> set[str]:
    return {task.id for task in report.tasks} - report.lost


@pytest.mark.parametrize(
    ("source", "status", "words"),
    [
        ("while True:\n    pass", NotebookStatus.TIMED_OUT, "took longer than 12 s"),
        ("while True:\n    print('x' * 1000)", NotebookStatus.OUTPUT_LIMIT, "printed more than the 64 KB"),
        ("import os\nos._exit(0)", NotebookStatus.KERNEL_DIED, "kernel ended"),
        ("while True:\n    try:\n        while True:\n            pass\n    except BaseException:\n        pass",
         NotebookStatus.TIMED_OUT, "took longer than 12 s"),
    ],
    ids=["loops", "prints", "exits", "ignores interrupts"],
)  # fmt: skip
def test_one_bad_cell_is_left_out_and_every_task_still_counts(
    small: Lab, driver: Driver, source: str, status: NotebookStatus, words: str
) -> None:
    report = grade(small, after_the_first_task(small, source), seed=1, driver=driver)
    assert report.notebook.status is status
    assert words in report.notebook.message
    assert report.percent == 100, report.document()
    assert driver.running() == []


def test_a_cell_that_eats_memory_does_not_cost_the_tasks(small: Lab, driver: Driver) -> None:
    source = "hoard = []\nwhile True:\n    hoard.append(bytearray(32 * 1024 * 1024))"
    report = grade(small, after_the_first_task(small, source), seed=1, driver=driver)
    # The local driver's limit makes Python raise MemoryError; a container's limit kills the kernel.
    assert report.notebook.status in (NotebookStatus.OUT_OF_MEMORY, NotebookStatus.KERNEL_DIED)
    assert "memory" in report.notebook.message
    assert report.percent == 100, report.document()


@pytest.mark.timeout(900)
def test_functions_that_turn_bad_when_they_are_called_cost_their_own_task(lab: Lab, driver: Driver) -> None:
    answers = {
        "optimistic-lock": "if len(order_id) > 12:\n    while True:\n        pass\nreturn False",
        "conditional-update": "if len(order_id) > 12:\n    import os\n    os._exit(1)\nreturn False",
        "whole-orders": "if len(order_id) > 12:\n    return 'x' * 10_000_000\nreturn False",
    }
    report = grade(lab, dumps(lab.source.with_answers(answers)).encode(), seed=1, driver=driver)
    assert passed(report) == {"measure-oversell", "trade-offs"}, report.document()
    messages = {task.id: task.message for task in report.tasks}
    assert "did not answer in time" in messages["optimistic-lock"]
    assert "ended the Python kernel" in messages["conditional-update"]
    assert "more than can be checked" in messages["whole-orders"]


def test_an_empty_notebook_and_garbage_are_refused_without_a_sandbox(lab: Lab, driver: Driver) -> None:
    for data in (b"", b"\x89PNG", b'{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": []}'):
        report = grade(lab, data, seed=1, driver=driver)
        assert report.notebook.status is NotebookStatus.INVALID
        assert report.score == 0
    assert driver.running() == []
