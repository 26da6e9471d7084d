"""Programs that mean harm end as outcomes, learn nothing of other cases, and leave what is beside them alone."""

from __future__ import annotations

import pytest

from portal.work.programs import SandboxRunner
from question_bank.runner import Ended, Outcome, RunRequest
from sandboxes.interface import Driver
from tests.contract.programs.asking import LONG, SHORT, one, run

pytestmark = pytest.mark.timeout(900)

TRACES = """
import os, pathlib
places = [pathlib.Path.cwd(), pathlib.Path.cwd().parent, *PLACES]
seen = sorted(str(place) for place in places if (place / "trace").exists())
for place in places:
    folder = place / "trace" / "deep"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "file").write_text(input() if place is places[0] else "x")
    folder.chmod(0o500)
    (place / "trace").chmod(0o500)
os.symlink("/etc", "link")
print(seen)
"""


def test_an_endless_loop_costs_its_own_case_alone(runner: SandboxRunner) -> None:
    source = "n = int(input())\nwhile n == 0:\n    pass\nprint(n)\n"
    stuck, good = run(runner, source, "0", "7", seconds=SHORT).outcomes
    assert stuck.ended is Ended.OUT_OF_TIME
    assert (good.ended, good.output) == (Ended.WELL, "7\n")


def test_endless_output_on_both_streams_is_stopped(runner: SandboxRunner) -> None:
    outcome = one(runner, "import sys\nwhile True:\n    sys.stderr.write('y' * 4096)\n")
    assert outcome.ended is Ended.TOO_MUCH_OUTPUT


def test_a_program_with_too_many_processes_is_stopped_and_the_next_case_runs(runner: SandboxRunner) -> None:
    source = (
        "import subprocess, sys, time\nn = int(input())\nfor _ in range(n):\n"
        "    subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "if n:\n    time.sleep(600)\nprint('done')\n"
    )
    many, good = run(runner, source, "50", "0", seconds=120.0).outcomes
    assert many.ended is Ended.WITH_ERROR
    assert "more than 32 processes" in many.error
    assert (good.ended, good.output) == (Ended.WELL, "done\n")


def test_what_tears_itself_loose_does_not_outlive_its_case(runner: SandboxRunner) -> None:
    source = (
        "import os, subprocess, sys\nmark = 'pg-loose-' + os.environ['SANDBOX_ID']\n"
        "def commands():\n"
        "    for name in filter(str.isdigit, os.listdir('/proc')):\n"
        "        try:\n            yield open(f'/proc/{name}/cmdline', errors='replace').read()\n"
        "        except OSError:\n            pass\n"
        "print(sum(mark in text for text in commands()))\n"
        "child = 'import os, sys, time; os.setsid(); os.fork() and os._exit(0); time.sleep(600)'\n"
        "subprocess.run([sys.executable, '-c', child, mark], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)\n"
        "print(sum(mark in text for text in commands()))\n"
    )
    outcomes = run(runner, source, "", "", "").outcomes
    assert [outcome.output for outcome in outcomes] == ["0\n1\n"] * 3


def test_no_file_of_one_case_is_there_for_the_next(runner: SandboxRunner, driver: Driver) -> None:
    elsewhere = (
        "map(pathlib.Path, ['/home/learner', '/home/learner/work', '/tmp', '/dev/shm'])"
        if driver.isolated
        else "[]"
    )
    outcomes = run(runner, TRACES.replace("PLACES", elsewhere), "secret", "other", "third").outcomes
    assert [(outcome.ended, outcome.output, outcome.error) for outcome in outcomes] == [
        (Ended.WELL, "[]\n", "")
    ] * 3


def test_too_much_memory_is_an_error(runner: SandboxRunner) -> None:
    outcome = one(runner, "x = bytearray(1 << 30)\nprint(len(x))\n")
    assert outcome.ended is Ended.WITH_ERROR
    assert "MemoryError" in outcome.error


def test_a_huge_file_can_not_be_written(runner: SandboxRunner) -> None:
    outcome = one(
        runner, "with open('big', 'wb') as file:\n    while True:\n        file.write(b'x' * 1048576)\n"
    )
    assert outcome.ended is Ended.WITH_ERROR


@pytest.mark.one_driver
class TestSqlThatMeansHarm:
    """Statements are let do nearly all in their own database; the next case knows nothing of it."""

    def run(self, runner: SandboxRunner, solution: str, *inputs: str, seconds: float = LONG) -> list[Outcome]:
        return list(runner.run(RunRequest("sql", {"solution.sql": solution}, inputs, seconds)).outcomes)

    def test_nothing_stays_for_the_next_case(self, runner: SandboxRunner) -> None:
        solution = """
            SELECT count(*) FROM pg_namespace WHERE nspname = 'trace';
            SELECT count(*) FROM pg_class WHERE relname = 'trace';
            SELECT count(*) FROM pg_largeobject_metadata;
            SELECT current_setting('statement_timeout') <> '1ms', current_setting('search_path');
            SHOW default_transaction_read_only;
            CREATE SCHEMA trace; CREATE TABLE public.trace (a int); SELECT lo_create(0) > 0;
            ALTER ROLE CURRENT_USER SET statement_timeout = 1;
            ALTER DATABASE learner SET default_transaction_read_only = on;
            ALTER ROLE CURRENT_USER IN DATABASE learner SET search_path = nowhere;
            ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC;
        """
        outcomes = self.run(runner, solution, "", "", "")
        fresh = '0\n0\n0\nt | "$user", public\noff\nt'
        assert [(one.output, one.error) for one in outcomes] == [(fresh, "")] * 3

    def test_time_can_not_be_bought(self, runner: SandboxRunner) -> None:
        solution = """
            SET statement_timeout = 0;
            DO $$ BEGIN LOOP BEGIN PERFORM pg_sleep(60); EXCEPTION WHEN query_canceled THEN NULL; END; END LOOP; END $$;
        """
        first, second = self.run(runner, solution, "", "", seconds=1.5)
        assert first.ended is second.ended is Ended.OUT_OF_TIME

    def test_endless_rows_are_cut(self, runner: SandboxRunner) -> None:
        (outcome,) = self.run(runner, "SELECT repeat('x', 100), generate_series(1, 1000000000)", "")
        assert outcome.ended is Ended.TOO_MUCH_OUTPUT

    def test_files_and_programs_of_the_server_are_closed(self, runner: SandboxRunner) -> None:
        for solution in (
            "COPY (SELECT 1) TO PROGRAM 'id'",
            "SELECT pg_read_file('/etc/passwd')",
            "COPY t FROM STDIN",
            "COPY (SELECT 1) TO STDOUT",
        ):
            (outcome,) = self.run(runner, "CREATE TABLE IF NOT EXISTS t (a text);" + solution, "")
            assert outcome.ended is Ended.WITH_ERROR, solution

    def test_a_database_that_was_closed_is_given_up(self, runner: SandboxRunner) -> None:
        solution = "SELECT 1; ALTER DATABASE learner CONNECTION LIMIT 0"
        outcomes = self.run(runner, solution, "", "")
        assert [(one.ended, one.output) for one in outcomes] == [(Ended.WELL, "1")] * 2
