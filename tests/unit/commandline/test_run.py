from __future__ import annotations

import subprocess
import sys

import pytest

from commandline import PIPE_CLOSED


@pytest.mark.parametrize("command", [("question_bank", "list"), ("roadmap", "list")])
def test_a_reader_that_has_enough_ends_a_command_quietly(command: tuple[str, ...]) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        said = process.stderr.read()
        assert process.wait(120) == PIPE_CLOSED
    assert said == b""


@pytest.mark.parametrize(("given", "code"), [("0", 0), ("3", 3)])
def test_the_code_of_a_command_is_that_of_the_process(given: str, code: int) -> None:
    program = f"from commandline import run; run(lambda: {given})"
    assert subprocess.run([sys.executable, "-c", program], timeout=60).returncode == code
