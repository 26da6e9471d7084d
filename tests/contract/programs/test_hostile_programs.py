"""Programs that mean harm end as outcomes, learn nothing of other cases, and leave what is beside them alone."""

from __future__ import annotations

import pytest

from portal.work.programs import SandboxRunner
from question_bank.runner import Ended, Outcome, RunRequest, RunResult
from sandboxes.interface import Driver

pytestmark = pytest.mark.timeout(300)

WELL_BEHAVED = "print(int(input()) + 1)\n"

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


def run(runner: SandboxRunner, source: str, *inputs: str, seconds: float = 5.0) -> RunResult:
    return runner.run(RunRequest("python", {"solution.py": source}, inputs, seconds))


def one(runner: SandboxRunner, source: str, seconds: float = 5.0) -> Outcome:
    (outcome,) = run(runner, source, "", seconds=seconds).outcomes
    return outcome


def test_an_endless_loop_costs_its_own_case_alone(runner: SandboxRunner) -> None:
    source = "n = int(input())\nwhile n == 0:\n    pass\nprint(n)\n"
    stuck, good = run(runner, source, "0", "7", seconds=1.5).outcomes
    assert stuck.ended is Ended.OUT_OF_TIME
    assert (good.ended, good.output) == (Ended.WELL, "7\n")


def test_endless_output_on_both_streams_is_stopped(runner: SandboxRunner) -> None:
    outcome = one(runner, "import sys\nwhile True:\n    sys.stderr.write('y' * 4096)\n")
    assert outcome.ended is Ended.TOO_MUCH_OUTPUT


def test_a_program_with_too_many_processes_is_stopped_and_the_next_case_runs(runner: SandboxRunner) -> None:
    source = (
        "import subprocess, sys, time\nn = int(input())\nfor _ in range(n):\n"
        "    subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "if n:\n    time.sleep(60)\nprint('done')\n"
    )
    many, good = run(runner, source, "50", "0", seconds=30.0).outcomes
    assert many.ended is Ended.WITH_ERROR
    assert "more than 32 processes" in many.error
    assert (good.ended, good.output) == (Ended.WELL, "done\n")


def test_what_tears_itself_loose_does_not_outlive_its_case(runner: SandboxRunner) -> None:
    source = (
        "import os, subprocess, sys\nmark = 'pg-loose-' + os.environ['SANDBOX_ID']\n"
        "def commands():\n"
        "    for name in filter(str.isdigit, os.listdir('/proc')):\n"
        "        try:\n            yield open(f'/proc/{name}/cmdline').read()\n"
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
    outcome = one(runner, "with open('big', 'wb') as file:\n    while True:\n        file.write(b'x' * 1048576)\n")
    assert outcome.ended is Ended.WITH_ERROR


def test_the_process_that_watches_can_not_be_looked_into(runner: SandboxRunner, driver: Driver) -> None:
    if not driver.isolated:
        pytest.skip("who may do everything may look into everything")
    source = (
        "import os\nparent = os.getppid()\nfor name in ('mem', 'environ', 'fd/1', 'maps'):\n    try:\n"
        "        open(f'/proc/{parent}/{name}', 'rb').read(1)\n        print('read', name)\n"
        "    except OSError as error:\n        print(type(error).__name__)\n"
    )
    assert set(one(runner, source).output.split()) == {"PermissionError"}


@pytest.mark.docker
class TestSealed:
    """What only a container can promise."""

    @pytest.fixture(autouse=True)
    def _in_a_container(self, driver: Driver) -> None:
        if not driver.isolated:
            pytest.skip("processes of this machine are not sealed off")

    def test_a_fork_bomb_ends_and_the_next_case_runs(self, runner: SandboxRunner) -> None:
        source = (
            "import os\nn = int(input())\nwhile n == 0:\n    try:\n        os.fork()\n"
            "    except OSError:\n        pass\nprint(n)\n"
        )
        bomb, good = run(runner, source, "0", "7", seconds=3.0).outcomes
        assert bomb.ended in (Ended.WITH_ERROR, Ended.OUT_OF_TIME)
        assert (good.ended, good.output) == (Ended.WELL, "7\n")

    def test_who_kills_everything_ends_in_an_error_and_others_go_on(self, runner: SandboxRunner) -> None:
        source = "import os\nn = int(input())\nif n == 0:\n    os.kill(-1, 9)\nprint(n)\n"
        killer, good = run(runner, source, "0", "7").outcomes
        assert killer.ended is Ended.WITH_ERROR
        assert "sandbox" in killer.error
        assert (good.ended, good.output) == (Ended.WELL, "7\n")
        assert one(runner, "print(1)").output == "1\n"

    def test_there_is_no_network(self, runner: SandboxRunner) -> None:
        source = (
            "import socket\nprint([name for _, name in socket.if_nameindex()])\n"
            "socket.create_connection(('192.0.2.1', 80), timeout=2)\n"
        )
        outcome = one(runner, source)
        assert outcome.output == "['lo']\n"
        assert outcome.ended is Ended.WITH_ERROR
        assert "unreachable" in outcome.error

    def test_nothing_but_its_own_is_there_to_read(self, runner: SandboxRunner) -> None:
        source = (
            "import os\nfor path in ('/run/sandbox/spec.json', '/var/lib/sandbox', '/run/sandbox/log', '/etc/shadow'):\n"
            "    try:\n        os.listdir(path) if os.path.isdir(path) else open(path).read()\n        print('read', path)\n"
            "    except OSError as error:\n        print(type(error).__name__)\n"
            "print(os.getuid() != 0, sorted(os.listdir('.')))\n"
        )
        *refused, last = one(runner, source).output.splitlines()
        assert set(refused) <= {"PermissionError", "FileNotFoundError"}
        assert last == "True ['solution.py']"

    def test_who_fills_the_workspace_is_stopped(self, runner: SandboxRunner) -> None:
        source = (
            "import os\nn = int(input())\nwhile n == 0:\n    for i in range(1000):\n"
            "        with open(f'/home/learner/work/{i}', 'wb') as file:\n            file.write(b'x' * 1048576)\nprint(n)\n"
        )
        filler, good = run(runner, source, "0", "7", seconds=20.0).outcomes
        assert filler.ended is Ended.WITH_ERROR
        assert (good.ended, good.output) == (Ended.WELL, "7\n")

    def test_a_built_program_that_changes_itself_is_found_out(self, runner: SandboxRunner) -> None:
        source = (
            'package main\n\nimport (\n\t"fmt"\n\t"os"\n)\n\nfunc main() {\n'
            '\terr := os.WriteFile("/home/learner/built-program", []byte("x"), 0o755)\n\tfmt.Println(err)\n}\n'
        )
        result = runner.run(RunRequest("go", {"solution.go": source}, ("", ""), 5.0))
        first, second = result.outcomes
        assert first.output == "<nil>\n"
        assert second.ended is Ended.WITH_ERROR
        assert "changed" in second.error


class TestSqlThatMeansHarm:
    """Statements are let do nearly all in their own database; the next case knows nothing of it."""

    def run(self, runner: SandboxRunner, solution: str, *inputs: str, seconds: float = 3.0) -> list[Outcome]:
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
        (outcome,) = self.run(runner, "SELECT repeat('x', 100) FROM generate_series(1, 1000000000)", "")
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
        solution = "SELECT 1; ALTER DATABASE learner ALLOW_CONNECTIONS false"
        outcomes = self.run(runner, solution, "", "")
        assert [(one.ended, one.output) for one in outcomes] == [(Ended.WELL, "1")] * 2
