"""What every implementation of `question_bank.runner.CodeRunner` has to do.

A test module subclasses the suites for the languages that its runner knows, and gives a fixture `runner`.
"""

from __future__ import annotations

from collections.abc import Mapping

from question_bank.runner import MAX_ERROR, MAX_OUTPUT, CodeRunner, Ended, Language, RunRequest, RunResult


def run(
    runner: CodeRunner, language: Language, files: Mapping[str, str], *inputs: str, seconds: float = 30.0
) -> RunResult:
    return runner.run(RunRequest(language, files, inputs, seconds))


class PythonContract:
    """Python programs."""

    def test_each_input_is_run_by_itself_in_order(self, runner):
        source = "import sys\nfrom pathlib import Path\nseen = Path('seen').exists()\nprint(int(input()) * 2)\n"
        result = run(runner, "python", {"solution.py": source}, "1\n", "20\n", "300\n")
        assert [outcome.output.strip() for outcome in result.outcomes] == ["2", "40", "600"]
        assert all(outcome.ended is Ended.WELL for outcome in result.outcomes)

    def test_a_harness_is_run_and_imports_the_solution(self, runner):
        files = {
            "solution.py": "def f(x):\n    return x + 1\n",
            "harness.py": "import solution\nprint(solution.f(4))\n",
        }
        (outcome,) = run(runner, "python", files, "").outcomes
        assert outcome.output == "5\n"

    def test_an_error_is_an_outcome_of_that_input_alone(self, runner):
        files = {"solution.py": "print(10 // int(input()))\n"}
        bad, good = run(runner, "python", files, "0", "5").outcomes
        assert bad.ended is Ended.WITH_ERROR
        assert "ZeroDivisionError" in bad.error
        assert (good.ended, good.output) == (Ended.WELL, "2\n")

    def test_an_exit_status_other_than_0_is_an_error(self, runner):
        (outcome,) = run(runner, "python", {"solution.py": "print('x')\nraise SystemExit(3)\n"}, "").outcomes
        assert (outcome.ended, outcome.output) == (Ended.WITH_ERROR, "x\n")

    def test_a_program_that_does_not_end_is_stopped(self, runner):
        files = {"solution.py": "import time\nprint('begun', flush=True)\nwhile True:\n    time.sleep(1)\n"}
        (outcome,) = run(runner, "python", files, "", seconds=2.0).outcomes
        assert outcome.ended is Ended.OUT_OF_TIME

    def test_a_program_whose_child_holds_its_output_is_stopped(self, runner):
        child = "import time; time.sleep(600)"
        files = {
            "solution.py": f"import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', '{child}'])\nprint(1)\n"
        }
        (outcome,) = run(runner, "python", files, "").outcomes
        assert outcome.output == "1\n"

    def test_endless_output_is_cut(self, runner):
        (outcome,) = run(runner, "python", {"solution.py": "while True:\n    print('x' * 1000)\n"}, "").outcomes
        assert outcome.ended is Ended.TOO_MUCH_OUTPUT
        assert len(outcome.output) <= MAX_OUTPUT

    def test_errors_are_cut_to_their_end(self, runner):
        source = "import sys\nsys.stderr.write('a' * 9000 + 'the end')\nsys.exit(1)\n"
        (outcome,) = run(runner, "python", {"solution.py": source}, "").outcomes
        assert len(outcome.error) <= MAX_ERROR
        assert outcome.error.endswith("the end")

    def test_output_that_is_no_text_does_no_harm(self, runner):
        source = "import sys\nsys.stdout.buffer.write(bytes([255, 254]))\n"
        (outcome,) = run(runner, "python", {"solution.py": source}, "").outcomes
        assert outcome.ended is Ended.WELL

    def test_input_that_nobody_reads_does_no_harm(self, runner):
        (outcome,) = run(runner, "python", {"solution.py": "print('done')\n"}, "line\n" * 700).outcomes
        assert outcome.output == "done\n"


class GoContract:
    """Go programs."""

    MAIN = 'package main\n\nimport "fmt"\n\nfunc main() {\n\tvar n int\n\tfmt.Scan(&n)\n\tfmt.Println(double(n))\n}\n'

    def test_solution_and_harness_are_one_program(self, runner):
        files = {
            "harness.go": self.MAIN,
            "solution.go": "package main\n\nfunc double(n int) int { return 2 * n }\n",
        }
        result = run(runner, "go", files, "4", "50")
        assert [outcome.output for outcome in result.outcomes] == ["8\n", "100\n"]

    def test_what_does_not_build_is_said_once(self, runner):
        files = {
            "harness.go": self.MAIN,
            "solution.go": "package main\n\nfunc double(n int) string { return n }\n",
        }
        result = run(runner, "go", files, "4", "50")
        assert result.outcomes == ()
        assert "solution.go:3" in result.build_error

    def test_a_panic_is_an_outcome(self, runner):
        files = {
            "harness.go": self.MAIN,
            "solution.go": "package main\n\nfunc double(n int) int { return 1 / (n - n) }\n",
        }
        (outcome,) = run(runner, "go", files, "4").outcomes
        assert outcome.ended is Ended.WITH_ERROR
        assert "divide" in outcome.error


class SqlContract:
    """Queries on PostgreSQL."""

    SETUP = "CREATE TABLE item (id int PRIMARY KEY, name text);"

    def test_tables_then_input_then_solution(self, runner):
        files = {"harness.sql": self.SETUP, "solution.sql": "SELECT id, name FROM item ORDER BY id"}
        one, two = "INSERT INTO item VALUES (1, 'a'), (2, NULL)", ""
        first, second = run(runner, "sql", files, one, two).outcomes
        assert (first.ended, first.output) == (Ended.WELL, "1 | a\n2 | NULL")
        assert (second.ended, second.output) == (Ended.WELL, "")

    def test_a_statement_that_fails_is_an_outcome(self, runner):
        files = {"harness.sql": self.SETUP, "solution.sql": "SELECT nothing FROM item"}
        (outcome,) = run(runner, "sql", files, "").outcomes
        assert outcome.ended is Ended.WITH_ERROR
        assert "nothing" in outcome.error

    def test_a_statement_that_does_not_end_is_stopped(self, runner):
        files = {"harness.sql": self.SETUP, "solution.sql": "SELECT pg_sleep(60)"}
        (outcome,) = run(runner, "sql", files, "", seconds=1.0).outcomes
        assert outcome.ended is Ended.OUT_OF_TIME

    def test_rows_of_all_statements_come_out(self, runner):
        files = {
            "solution.sql": "CREATE TABLE t (a int); INSERT INTO t VALUES (7) RETURNING a; SELECT a + 1 FROM t;"
        }
        (outcome,) = run(runner, "sql", files, "").outcomes
        assert outcome.output == "7\n8"
