"""A notebook on a laptop: `from labkit import lab` gives the services and the results that the command line gives."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from labs.catalogue import Catalogue
from labs.notebook import dumps

ROOT = Path(__file__).resolve().parents[3]

SCRIPT = """
import json, sys
from labkit import lab, services

lab.start("never-oversell")
with lab.connect() as connection:
    print("database", connection.execute("SELECT current_database()").fetchone()[0])
report = lab.check(sys.argv[1])
print("REPORT", json.dumps(report.document))
services.stop()
"""


@pytest.mark.postgres
@pytest.mark.timeout(1200)
def test_services_start_and_a_check_says_what_the_command_line_says(
    catalogue: Catalogue, run_dir: Path, tmp_path: Path
) -> None:
    notebook = tmp_path / "never-oversell.ipynb"
    answers = {"whole-orders": "return False"}
    notebook.write_text(dumps(catalogue.labs["never-oversell"].source.with_answers(answers)))
    environment = {key: value for key, value in os.environ.items() if not key.startswith("LAB_")}
    environment |= {"LABS_RUN_DIR": str(run_dir), "PYTHONPATH": str(ROOT / "notebooks")}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(notebook)],
        cwd=ROOT / "notebooks",
        env=environment,
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == 0, done.stderr
    assert "database shop" in done.stdout
    assert "✗ Reserve a whole order or nothing (0/20)" in done.stdout
    document = json.loads(done.stdout.split("REPORT ", 1)[1])
    graded = subprocess.run(
        [
            sys.executable,
            "-m",
            "labs",
            "grade",
            "never-oversell",
            str(notebook),
            "--json",
            "--seed",
            str(document["seed"]),
        ],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=500,
        check=True,
    )
    same = json.loads(graded.stdout)
    assert [(task["id"], task["status"], task["message"]) for task in document["tasks"]] == [
        (task["id"], task["status"], task["message"]) for task in same["tasks"]
    ]


@pytest.mark.postgres
@pytest.mark.timeout(600)
def test_services_end_with_the_kernel_that_wanted_them(run_dir: Path) -> None:
    environment = {**os.environ, "LABS_RUN_DIR": str(run_dir)}
    process = subprocess.Popen(
        [sys.executable, "-m", "labs", "services", "never-oversell"],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdin is not None
    said = json.loads(process.stdout.readline())
    socket = Path(said["environment"]["PGHOST"]) / ".s.PGSQL.5432"
    assert socket.exists()
    process.stdin.close()
    assert process.wait(240) == 0
    assert not socket.exists()
