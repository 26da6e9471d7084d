"""The filter of system calls, in a process of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

CODE = """
import ctypes, errno, sys, threading
from sandboxes.agent.syscalls import refuse_io_uring
libc = ctypes.CDLL(None, use_errno=True)
if "filtered" in sys.argv:
    refuse_io_uring()
found = []
for number in (425, 426, 427, 424, 428):
    ctypes.set_errno(0)
    libc.syscall(number, -1, 0, 0, 0, 0)
    found.append(ctypes.get_errno() == errno.ENOSYS)
threading.Thread(target=print, args=(found,)).start()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="seccomp is Linux's")
def test_io_uring_is_refused_and_its_neighbours_are_not() -> None:
    def run(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", CODE, *arguments], capture_output=True, text=True, timeout=60, check=True
        )
        return done.stdout.strip()

    assert run("filtered") == "[True, True, True, False, False]"
    assert run()[1:].split(", ")[3:] == ["False", "False]"]
