"""What stands beside Envoy: `python -m sandboxes.services.envoy.runner SOCKET PORT CONFIG CHANGES LOG -- COMMAND…`.

It leads a Unix socket on to the port of the administration, keeps what Envoy says in a log that the learner may read, and
looks at the folder of the configuration. Envoy reads a file again when another file is moved into a folder that it watches; an
editor that writes in place moves nothing, so the runner moves a mark into CHANGES whenever a file in CONFIG has changed.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from sandboxes.agent.logs import BoundedLog
from sandboxes.agent.processes import die_with_parent
from sandboxes.services.relay import ENDING, keep, listen_unix

LOOK_SECONDS = 0.2
MOST_FILES = 100
"""Of the folder that are looked at."""
LOG_BYTES = 131_072
USAGE = "usage: python -m sandboxes.services.envoy.runner SOCKET PORT CONFIG CHANGES LOG -- COMMAND…"

State = frozenset[tuple[str, int, int, int]]


def state_of(folder: Path) -> State:
    """What tells whether a file was changed: names, numbers, sizes and times of the files in a folder."""
    found: set[tuple[str, int, int, int]] = set()
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if len(found) == MOST_FILES:
                break
            with contextlib.suppress(OSError):
                status = entry.stat()
                found.add((entry.name, status.st_ino, status.st_size, status.st_mtime_ns))
    return frozenset(found)


async def tell_changes(config: Path, changes: Path) -> None:
    """Move a mark into `changes` whenever something in `config` changed and then stayed for a moment, until cancelled."""
    told = seen = await asyncio.to_thread(state_of, config)
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        now = await asyncio.to_thread(state_of, config)
        # Not while it is being written: Envoy would read the half of it.
        if now == seen and now != told:
            with contextlib.suppress(OSError):  # a full disk: told the next time
                mark(changes)
                told = now
        seen = now


def mark(changes: Path) -> None:
    """Move a file into the folder. Raises OSError."""
    half = changes.parent / "mark.half"
    half.touch()
    half.replace(changes / "mark")


def listen(source: IO[bytes], log: BoundedLog) -> None:
    """Pass on what Envoy says, and keep it."""
    while data := os.read(source.fileno(), 65_536):
        sys.stderr.buffer.write(data)
        sys.stderr.buffer.flush()
        log.write(data)
        with contextlib.suppress(OSError):
            log.path.chmod(0o644)


async def run(arguments: Sequence[str], command: subprocess.Popen[bytes]) -> int:
    """Serve as long as the command runs; its exit code."""
    telling = asyncio.create_task(tell_changes(Path(arguments[2]), Path(arguments[3])))
    with listen_unix(Path(arguments[0])) as listener:
        try:
            return await keep(command, listener, int(arguments[1]))
        finally:
            telling.cancel()
            await asyncio.gather(telling, return_exceptions=True)


def main(arguments: Sequence[str]) -> int:
    """The program; 2 for arguments that make no sense, 127 when the command can't be started."""
    if len(arguments) < 7 or arguments[5] != "--" or not arguments[1].isdigit():
        print(USAGE, file=sys.stderr)  # noqa: T201 - a program's word to whoever starts it
        return 2
    os.umask(0o022)  # the learner, who may be another user, reads the log
    log = BoundedLog(Path(arguments[4]), size=LOG_BYTES)
    try:
        command = subprocess.Popen(arguments[6:], stderr=subprocess.PIPE, preexec_fn=die_with_parent(ENDING[0]))
    except OSError as error:
        print(f"{arguments[6]} can't be started: {error}", file=sys.stderr)  # noqa: T201
        return 127
    assert command.stderr is not None
    listening = threading.Thread(target=listen, args=(command.stderr, log), daemon=True)
    listening.start()
    code = asyncio.run(run(arguments, command))
    listening.join(timeout=2.0)
    log.close()
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
