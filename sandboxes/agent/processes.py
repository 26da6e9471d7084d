"""The agent's children: started with their output logged, watched, and ended without leaving anything behind."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from sandboxes.agent.logs import LineLog
from sandboxes.services.base import Account

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_CHILD_SUBREAPER = 36
WATCH_SECONDS = 0.05
REAP_SECONDS = 1.0

_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def _prctl(option: int, value: int) -> None:
    if _libc is not None:
        _libc.prctl(option, value, 0, 0, 0)


def become_guardian() -> None:
    """Make this process the one that orphans below it come back to, and closed to tracing by what runs as the same user."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    _prctl(PR_SET_DUMPABLE, 0)


def die_with_parent(death_signal: signal.Signals) -> Callable[[], None]:
    """A function for the child to run before its program: it gets the signal when the agent dies, however that happens."""
    parent = os.getpid()

    def prepare() -> None:
        _prctl(PR_SET_PDEATHSIG, int(death_signal))
        if os.getppid() != parent:  # the agent died in between
            os._exit(1)

    return prepare


class Child:
    """A running program with its output going to a bounded log."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        log: LineLog,
        stop_signal: signal.Signals,
        *,
        of_learner: bool = False,
    ) -> None:
        """`of_learner`: what it starts is the learner's."""
        self.process = process
        self.of_learner = of_learner
        self.log = log
        self.stop_signal = stop_signal
        self._loop = asyncio.get_running_loop()
        assert process.stdout is not None
        self._output = process.stdout.fileno()
        os.set_blocking(self._output, False)
        self._loop.add_reader(self._output, self._read)

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def _read(self) -> None:
        try:
            data = os.read(self._output, 65_536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self.log.write(data)
        else:
            self._loop.remove_reader(self._output)

    def close(self) -> None:
        """Take in the last of the output and close the log."""
        with contextlib.suppress(OSError, ValueError):
            self._loop.remove_reader(self._output)
            while data := os.read(self._output, 65_536):
                self.log.write(data)
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.log.close()

    async def wait(self, seconds: float) -> bool:
        """Whether it ended within so many seconds."""
        deadline = time.monotonic() + seconds
        while self.running:
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(WATCH_SECONDS)
        return True

    def signal_group(self, number: signal.Signals) -> None:
        """Signal it and what it started in its process group."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, number)


class Processes:
    """All processes below the agent."""

    def __init__(self) -> None:
        self.children: list[Child] = []
        self._foreign: set[int] = set()

    def start(
        self,
        arguments: Sequence[str],
        *,
        working_dir: Path,
        environment: Mapping[str, str],
        log: LineLog,
        account: Account | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
        death_signal: signal.Signals = signal.SIGKILL,
        pass_fds: Sequence[int] = (),
        of_learner: bool = False,
    ) -> Child:
        """Start a program in a process group of its own; from the main thread only. Raises OSError."""
        process = subprocess.Popen(
            list(arguments),
            cwd=working_dir,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=die_with_parent(death_signal),
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
            pass_fds=pass_fds,
        )
        child = Child(process, log, stop_signal, of_learner=of_learner)
        self.children.append(child)
        return child

    def adopt(self, pid: int) -> None:
        """Somebody else in this program started and waits for this process: leave its exit to them."""
        self._foreign.add(pid)

    def release(self, pid: int) -> None:
        """Undo `adopt`."""
        self._foreign.discard(pid)

    def _managed(self) -> set[int]:
        return {child.process.pid for child in self.children} | self._foreign

    def of_learner(self) -> set[int]:
        """The processes that run the learner's code: all below us but for Jupyter itself, and the services with all theirs."""
        found = descendants(os.getpid())
        for child in self.children:
            found.discard(child.process.pid)
            if not child.of_learner:
                found -= descendants(child.process.pid)
        return found

    def reap(self, *, kill: bool = False) -> None:
        """Collect the orphans that ended, and with `kill` end those that still run."""
        for pid in _children(os.getpid()) - self._managed():
            if kill:
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            with contextlib.suppress(OSError):
                os.waitpid(pid, os.WNOHANG)

    async def reap_forever(self) -> None:
        """Collect orphans now and then."""
        while True:
            await asyncio.sleep(REAP_SECONDS)
            self.reap()

    async def stop_all(self, seconds: float) -> None:
        """End everything, politely first, within so many seconds."""
        deadline = time.monotonic() + seconds
        for child in reversed(self.children):
            if child.running:
                child.signal_group(child.stop_signal)
        await asyncio.gather(*(child.wait(seconds * 0.6) for child in self.children))
        for child in self.children:
            child.signal_group(signal.SIGKILL)
        while left := descendants(os.getpid()):
            for pid in left:
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            for child in self.children:
                child.process.poll()
            self.reap()
            # Only now: whoever was kept waiting until then has killed them all the same.
            if time.monotonic() > deadline:
                break
            await asyncio.sleep(0.02)
        for child in self.children:
            child.close()


def _children(pid: int) -> set[int]:
    """Direct children of a process, those of all its threads; empty where the system does not tell."""
    found: set[int] = set()
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found.update(int(word) for word in path.read_text().split())
    return found


def descendants(pid: int) -> set[int]:
    """Every running process below a process."""
    found: set[int] = set()
    waiting: Iterable[int] = [pid]
    while waiting:
        below = set().union(*(_children(each) for each in waiting)) - found
        found |= below
        waiting = below
    return {each for each in found if not _zombie(each)}


def _zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except (OSError, IndexError):
        return True
