"""Running a command in the workspace: output capped, time bounded, nothing left running."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from sandboxes.agent.processes import Processes, die_with_parent
from sandboxes.protocol import COMMAND_OUTPUT_BYTES, AgentError, ErrorKind

CUT = b"\n[output cut]\n"
POLL_SECONDS = 0.02


async def run_command(
    processes: Processes,
    arguments: Sequence[str],
    working_dir: Path,
    environment: Mapping[str, str],
    seconds: float,
) -> tuple[int, str]:
    """The exit code and the output of a finished command. Raises AgentError TIMEOUT, or NOT_FOUND for no such program."""
    try:
        process = subprocess.Popen(
            list(arguments),
            cwd=working_dir,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=die_with_parent(signal.SIGKILL),
        )
    except (OSError, ValueError) as error:
        raise AgentError(
            ErrorKind.NOT_FOUND, f"The command {arguments[0]!r} could not be started: {error}"
        ) from error
    processes.adopt(process.pid)
    try:
        output = await _collect(process, time.monotonic() + seconds)
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        processes.release(process.pid)
        assert process.stdout is not None
        process.stdout.close()
    if output is None:
        raise AgentError(ErrorKind.TIMEOUT, f"The command {arguments[0]!r} did not end within {seconds:g} s.")
    return process.returncode, output.decode("utf-8", "replace")


async def _collect(process: subprocess.Popen[bytes], deadline: float) -> bytes | None:
    """The output until the command ended, cut at the limit; None when time ran out first."""
    assert process.stdout is not None
    descriptor = process.stdout.fileno()
    os.set_blocking(descriptor, False)
    kept = bytearray()
    cut = False
    while True:
        ended = process.poll() is not None
        # Bounded by what the pipe holds: a command that prints without end must not keep us from the clock.
        for _ in range(64):
            try:
                data = os.read(descriptor, 65_536)
            except BlockingIOError:
                break
            if not data:
                break
            room = COMMAND_OUTPUT_BYTES - len(kept)
            kept += data[:room]
            cut = cut or len(data) > room
        if ended:
            return bytes(kept + CUT if cut else kept)
        if time.monotonic() > deadline:
            return None
        await asyncio.sleep(POLL_SECONDS)
