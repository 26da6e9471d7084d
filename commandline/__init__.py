"""What the command lines share that don't stand on Click or Rich, which see to this themselves."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import NoReturn

PIPE_CLOSED = 141
"""The exit code of a program that nobody reads any more, as shells give it: 128 and the number of SIGPIPE."""


def run(main: Callable[[], int]) -> NoReturn:
    """Run a command and exit with its code; quietly when who reads its output has enough, as `head` does."""
    try:
        code = main()
        sys.stdout.flush()
    except BrokenPipeError:
        # What is still in the buffer would fail once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = PIPE_CLOSED
    sys.exit(code)
