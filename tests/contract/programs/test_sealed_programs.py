"""What only a container can promise of hostile programs."""

from __future__ import annotations

from pathlib import Path

import pytest

from portal.work.programs import SandboxRunner, program_spec
from question_bank.runner import Ended, RunRequest
from sandboxes.interface import Driver
from sandboxes.pool import Pool
from tests.contract.programs.asking import LONG, one, run

pytestmark = [pytest.mark.docker, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def runner(docker_driver: Driver) -> SandboxRunner:
    """What runs programs, in containers."""
    return SandboxRunner(docker_driver, {"instance": "tests-of-programs"})


def test_the_process_that_watches_can_not_be_looked_into(runner: SandboxRunner) -> None:
    source = (
        "import os\nparent = os.getppid()\nfor name in ('mem', 'environ', 'fd/1', 'maps'):\n    try:\n"
        "        open(f'/proc/{parent}/{name}', 'rb').read(1)\n        print('read', name)\n"
        "    except OSError as error:\n        print(type(error).__name__)\n"
    )
    assert set(one(runner, source).output.split()) == {"PermissionError"}


def test_a_fork_bomb_ends_and_the_next_case_runs(runner: SandboxRunner) -> None:
    source = (
        "import os\nn = int(input())\nwhile n == 0:\n    try:\n        os.fork()\n"
        "    except OSError:\n        pass\nprint(n)\n"
    )
    bomb, good = run(runner, source, "0", "7", seconds=LONG).outcomes
    assert bomb.ended in (Ended.WITH_ERROR, Ended.OUT_OF_TIME)
    assert (good.ended, good.output) == (Ended.WELL, "7\n")


def test_who_kills_everything_ends_in_an_error_and_others_go_on(runner: SandboxRunner) -> None:
    source = "import os\nn = int(input())\nif n == 0:\n    os.kill(-1, 9)\nprint(n)\n"
    killer, good = run(runner, source, "0", "7").outcomes
    assert killer.ended is Ended.WITH_ERROR
    assert "sandbox" in killer.error
    assert (good.ended, good.output) == (Ended.WELL, "7\n")
    assert one(runner, "print(1)").output == "1\n"


def test_there_is_no_network(runner: SandboxRunner) -> None:
    source = (
        "import socket\nprint([name for _, name in socket.if_nameindex()])\n"
        "socket.create_connection(('192.0.2.1', 80), timeout=2)\n"
    )
    outcome = one(runner, source)
    assert outcome.output == "['lo']\n"
    assert outcome.ended is Ended.WITH_ERROR
    assert "unreachable" in outcome.error


def test_nothing_but_its_own_is_there_to_read(runner: SandboxRunner) -> None:
    source = (
        "import os\nfor path in ('/run/sandbox/spec.json', '/var/lib/sandbox', '/run/sandbox/log', '/etc/shadow'):\n"
        "    try:\n        os.listdir(path) if os.path.isdir(path) else open(path).read()\n        print('read', path)\n"
        "    except OSError as error:\n        print(type(error).__name__)\n"
        "print(os.getuid() != 0, sorted(os.listdir('.')))\n"
    )
    *refused, last = one(runner, source).output.splitlines()
    assert set(refused) <= {"PermissionError", "FileNotFoundError"}
    assert last == "True ['solution.py']"


def test_who_fills_the_workspace_is_stopped(runner: SandboxRunner) -> None:
    source = (
        "import os\nn = int(input())\nwhile n == 0:\n    for i in range(1000):\n"
        "        with open(f'/home/learner/work/{i}', 'wb') as file:\n            file.write(b'x' * 1048576)\nprint(n)\n"
    )
    filler, good = run(runner, source, "0", "7", seconds=60.0).outcomes
    assert filler.ended is Ended.WITH_ERROR
    assert (good.ended, good.output) == (Ended.WELL, "7\n")


def test_a_built_program_that_changes_itself_is_found_out(runner: SandboxRunner) -> None:
    source = (
        'package main\n\nimport (\n\t"fmt"\n\t"os"\n)\n\nfunc main() {\n'
        '\terr := os.WriteFile("/home/learner/built-program", []byte("x"), 0o755)\n\tfmt.Println(err)\n}\n'
    )
    result = runner.run(RunRequest("go", {"solution.go": source}, ("", ""), LONG))
    first, second = result.outcomes
    assert first.output == "<nil>\n"
    assert second.ended is Ended.WITH_ERROR
    assert "changed" in second.error


def test_a_sandbox_that_waits_is_taken_for_one_answer(docker_driver: Driver) -> None:
    pool = Pool(docker_driver, total=1, labels={"instance": "tests-of-programs"})
    try:
        pool.want(program_spec("python", Path("/nonexistent")), 1)
        pool.prepare("base", lambda _: None)
        pool.tend()
        assert pool.status()["warm"] == 1
        outcome = one(SandboxRunner(pool, {"instance": "tests-of-programs"}), "print('warm')\n")
        assert (outcome.ended, outcome.output) == (Ended.WELL, "warm\n")
        assert (pool.status()["hits"], pool.status()["warm"]) == (1, 0)
    finally:
        pool.stop_filling()
