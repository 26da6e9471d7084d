"""A portal's cold start: a fresh process that imports the application, reads the content and answers its first page.

In CPU seconds of one core, what Python compiled of the modules being there. The database is there too, and migrated. The floor is
a process with a bare Flask application that answers one page.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.result import compare, note
from portal.database import Database
from portal.settings import Settings

BUDGET_SECONDS = 2.0
SECONDS_MOST = 120
"""For one process on a machine that is busy with other things."""
_OURS = """
from portal.wsgi import app
answer = app.test_client().get("/", follow_redirects=True)
assert answer.status_code == 200, answer.status
"""
_FLOOR = """
from flask import Flask
app = Flask("floor")
app.add_url_rule("/", view_func=lambda: "<h1>A page</h1>")
answer = app.test_client().get("/")
assert answer.status_code == 200, answer.status
"""


def run(rounds: int) -> None:
    """Measure `rounds` processes each, in turns, after one that nobody counts."""
    with tempfile.TemporaryDirectory(prefix="bench-start-") as name:
        settings = Settings(instance_dir=Path(name))
        database = Database(settings.database_url_effective)
        database.migrate()
        database.close()
        surroundings = {**os.environ, **settings.to_environment()}
        ours, floor = [], []
        for number in range(rounds + 1):
            here, bare = (_seconds(program, surroundings) for program in (_OURS, _FLOOR))
            if number:
                ours.append(here)
                floor.append(bare)
                note(f"start {number}/{rounds}: {here:.2f} s, floor {bare:.2f} s")
    compare("start", "first-page", ours, floor, budget=None, budget_seconds=BUDGET_SECONDS)


def _seconds(program: str, surroundings: dict[str, str]) -> float:
    """The CPU time of a Python process that runs the program. Raises RuntimeError when it fails or hangs."""
    before = os.times()
    try:
        done = subprocess.run(
            [sys.executable, "-c", program],
            env=surroundings,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            timeout=SECONDS_MOST,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise RuntimeError(f"A start took more than {SECONDS_MOST} s.") from error
    if done.returncode != 0:
        raise RuntimeError(f"A start failed:\n{done.stderr.strip()[-2000:]}")
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system
