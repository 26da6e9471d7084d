"""From the click on Submit to the grade in its row."""

from __future__ import annotations

import copy
import time

import nbformat
from sqlalchemy import select

from bench.nbgrader import Nbgrader
from bench.product import Learner, Product, wait_for
from bench.result import compare, note, percentile
from labs.notebook import dumps
from portal.models import SessionState, Submission, SubmissionState
from portal.settings import ROOT

BUDGET = 0.5
RIVAL = ROOT / ".venv-bench"


def run(rounds: int) -> None:
    """Measure and print."""
    from nbclient import NotebookClient

    with Product(pool_total=1, pool_graders=1, pool_learners=0) as product:
        learner = product.learner("learner")
        note("waiting for the image and for a grader …")
        learner.click("launch")  # somebody who works in a lab: that is what a grader is kept ready for
        wait_for(lambda: product.session(learner, SessionState.READY), "a launch", 900)
        solution = product.lab.source.solution()
        notebook = product.workspaces.path(learner.user_id, product.lab.id) / f"{product.lab.id}.ipynb"
        notebook.write_text(dumps(solution))
        ours: list[float] = []
        again: list[float] = []
        rival: list[float] = []
        with Nbgrader(RIVAL, solution, product.lab) as nbgrader:
            for number in range(-1, rounds):
                note(f"round {number + 1} of {rounds}" if number >= 0 else "one round that is not counted")
                product.until_warm(1)
                time.sleep(1.0)
                seconds = _graded(product, learner)
                node = nbformat.from_dict(copy.deepcopy(solution))
                started = time.perf_counter()
                NotebookClient(node, kernel_name="python3", timeout=60).execute()
                theirs = time.perf_counter() - started
                other = nbgrader.autograde()
                if number < 0 and nbgrader.score() != product.lab.max_score:
                    raise RuntimeError("nbgrader did not give the solution every point")
                if number >= 0:
                    ours.append(seconds)
                    again.append(theirs)
                    rival.append(other)
        pool = product.pool()
        more = {"hits": pool["hits"], "misses": pool["misses"]}
        compare("grade", "nbclient, new kernel, warm process", ours, again, budget=BUDGET, **more)
        compare("grade", "nbgrader autograde", ours, rival, budget=None)
        note(f"p50 {percentile(ours, 0.5):.3f} s")


def _graded(product: Product, learner: Learner) -> float:
    """Seconds from the click to the result. Raises RuntimeError when it is not the full score."""
    started = time.perf_counter()
    learner.click("submit")
    row = wait_for(lambda: _result(product, learner), "a grade", 120)
    seconds = time.perf_counter() - started
    if row.state != SubmissionState.GRADED or row.score != row.max_score:
        raise RuntimeError(
            f"the solution was not graded as it should be: {row.state}, {row.score} points. {row.error}"
        )
    return seconds


def _result(product: Product, learner: Learner) -> Submission | None:
    with product.database.transaction() as db:
        row = db.scalar(
            select(Submission)
            .where(Submission.user_id == learner.user_id)
            .order_by(Submission.id.desc())
            .limit(1)
        )
    return row if row is not None and row.state in (SubmissionState.GRADED, SubmissionState.ERROR) else None
