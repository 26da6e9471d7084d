from __future__ import annotations

import os
import subprocess
import sys

import pytest

from commandline import PIPE_CLOSED


@pytest.mark.parametrize("command", [("question_bank", "list"), ("roadmap", "list")])
def test_a_reader_that_has_enough_ends_a_command_quietly(command: tuple[str, ...]) -> None:
    reader, writer = os.pipe()
    os.close(reader)  # before the command says anything, which may all have room in the pipe
    try:
        ended = subprocess.run(
            [sys.executable, "-m", *command],
            stdout=writer,
            stderr=subprocess.PIPE,
            timeout=120,
            check=False,
        )
    finally:
        os.close(writer)
    assert (ended.returncode, ended.stderr) == (PIPE_CLOSED, b"")


@pytest.mark.parametrize(("given", "code"), [("0", 0), ("3", 3)])
def test_the_code_of_a_command_is_that_of_the_process(given: str, code: int) -> None:
    program = f"from commandline import run; run(lambda: {given})"
    assert subprocess.run([sys.executable, "-c", program], timeout=60).returncode == code
