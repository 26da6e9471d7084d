"""The kernel that the agent runs notebooks in: started fresh, asked with a deadline, killed when it does not obey."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from queue import Empty
from typing import TYPE_CHECKING, Any

from sandboxes.agent.processes import Processes
from sandboxes.interface import ExecutionLimits, NotebookOutcome
from sandboxes.protocol import AgentError, ErrorKind

if TYPE_CHECKING:
    from jupyter_client import AsyncKernelClient, AsyncKernelManager

KERNEL_NAME = "python3"
READY_SECONDS = 30.0
INTERRUPT_SECONDS = 5.0
MESSAGE_BYTES = 32 * 1_048_576
"""A longer message of the kernel is dropped by the transport before it is in the agent's memory."""
PRELOAD_SECONDS = 30.0
PRELOAD = """
def preload(names):
    import contextlib, importlib
    for name in names:
        with contextlib.suppress(Exception):
            importlib.import_module(name)
preload({names!r})
del preload
"""
LAUNCHER = Path(__file__).with_name("kernel_launcher.py")


def write_kernelspec(folder: Path) -> None:
    """Make `folder` a Jupyter data folder whose kernel `python3` starts through `kernel_launcher`."""
    kernel = folder / "kernels" / KERNEL_NAME
    kernel.mkdir(parents=True, exist_ok=True)
    document = {
        "argv": [sys.executable, "-P", str(LAUNCHER), "-f", "{connection_file}"],
        "display_name": "Python 3",
        "language": "python",
        "interrupt_mode": "signal",
        "metadata": {"debugger": False},
    }
    (kernel / "kernel.json").write_text(json.dumps(document), encoding="utf-8")


class Kernel:
    """One kernel process and the channels to it."""

    def __init__(self, manager: AsyncKernelManager, client: AsyncKernelClient, pid: int) -> None:
        self.manager = manager
        self.client = client
        self.pid = pid
        self.drain: asyncio.Task[None] | None = None

    async def alive(self) -> bool:
        return bool(await self.manager.is_alive())


class KernelHost:
    """Starts kernels and holds the one that ran the last notebook."""

    def __init__(
        self,
        processes: Processes,
        environment: Mapping[str, str],
        workspace: Path,
        data_dir: Path,
        *,
        kill_orphans: bool,
    ) -> None:
        """`data_dir` is the folder of `write_kernelspec`; with `kill_orphans` nothing that a kernel started outlives it."""
        self._processes = processes
        self._environment = dict(environment)
        self._workspace = workspace
        self._data_dir = data_dir
        self._kill_orphans = kill_orphans
        self._kernel: Kernel | None = None
        self._spare: asyncio.Task[Kernel] | None = None
        self._started = 0
        self._end_detail = ""
        self.notice = ""
        """Why a kernel may be interrupted or ended by somebody else now."""

    def warm_up(self, preload: Sequence[str] = ()) -> None:
        """Start the kernel of the first notebook now, with modules imported, so that it is there when the notebook comes."""
        self._spare = asyncio.create_task(self._start_with(preload))
        self._imports = asyncio.create_task(asyncio.to_thread(_get_ready))

    async def until_warm(self) -> None:
        """Return when the kernel of `warm_up` is there with its modules, or did not start: then the first run will say so."""
        if self._spare is not None:
            await asyncio.wait({self._spare, self._imports}, timeout=READY_SECONDS + PRELOAD_SECONDS)

    async def execute(self, notebook: Mapping[str, Any], limits: ExecutionLimits) -> dict[str, Any]:
        """Run a notebook in a fresh kernel and keep that kernel. Raises AgentError for what is not a notebook."""
        import nbformat

        from sandboxes.agent.notebook_run import CappedNotebookClient, cell_errors

        try:
            node = nbformat.from_dict(_plain(notebook))
            nbformat.validate(node)
            if node.nbformat != 4:
                raise ValueError(f"format {node.nbformat} instead of 4")
        except Exception as error:
            raise AgentError(ErrorKind.INVALID, f"This is not a notebook: {str(error)[:300]}") from error
        await self.discard()
        kernel = self._kernel = await self._take()
        memory_kills = _memory_kills()
        run = CappedNotebookClient(node, limits, km=kernel.manager)
        run.kc = kernel.client
        outcome, detail = await run.run()
        if outcome is NotebookOutcome.COMPLETED:
            kernel.drain = asyncio.create_task(_drain(kernel.client))
        elif outcome is NotebookOutcome.KERNEL_DIED:
            detail += " " + await self._why(kernel, memory_kills)
            await self.discard(detail)
        elif not await self._interrupt(kernel):
            await self.discard(f"{detail} It did not react to an interrupt either and was ended.")
        else:
            kernel.drain = asyncio.create_task(_drain(kernel.client))
        errors = cell_errors(node)
        memory = next((error["index"] for error in errors if error["name"] == "MemoryError"), None)
        if memory is not None and not detail:
            detail = f"Cell {memory + 1} ran out of memory."
        elif self.notice and self.notice not in detail:
            detail = f"{detail} {self.notice}"
        return {
            "outcome": outcome.value,
            "detail": detail.strip(),
            "errors": errors,
            "notebook": node,
        }

    async def ask(self, wish: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """Have the bridge in the kernel do something and return its document. Raises AgentError."""
        kernel = self._kernel
        if kernel is None or not await kernel.alive():
            raise AgentError(
                ErrorKind.KERNEL_DIED, self._end_detail or "There is no kernel: no notebook has been run."
            )
        memory_kills = _memory_kills()
        expression = f"__import__('_sandbox_bridge').answer(get_ipython().user_ns, {json.dumps(wish)!r})"
        message_id = kernel.client.execute(
            "", silent=True, store_history=False, allow_stdin=False, user_expressions={"answer": expression}
        )
        try:
            reply = await self._reply(kernel, message_id, seconds)
        except asyncio.CancelledError:
            # The driver hung up: nobody waits for this answer, and the kernel must not stay busy with it.
            await asyncio.shield(self._end_call(kernel))
            raise
        if reply is None:
            if await kernel.alive():
                await self._end_call(kernel)
                raise AgentError(ErrorKind.TIMEOUT, f"The call did not return within {seconds:g} s.")
            detail = f"The kernel ended during a call. {await self._why(kernel, memory_kills)}".strip()
            await self.discard(detail)
            raise AgentError(ErrorKind.KERNEL_DIED, detail)
        return _document(reply)

    async def discard(self, detail: str = "") -> None:
        """End the kernel and what it started; `detail` is what later calls are told."""
        self._end_detail = detail
        kernel, self._kernel = self._kernel, None
        if kernel is not None:
            await self._end(kernel)

    async def close(self) -> None:
        """End every kernel."""
        spare, self._spare = self._spare, None
        if spare is not None:
            spare.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await self._end(await spare)
        await self.discard()

    async def _take(self) -> Kernel:
        spare, self._spare = self._spare, None
        if spare is not None:
            with contextlib.suppress(AgentError):
                kernel = await spare
                if await kernel.alive():
                    return kernel
                await self._end(kernel)
        return await self._start()

    async def _start_with(self, preload: Sequence[str]) -> Kernel:
        kernel = await self._start()
        if preload:
            code = PRELOAD.format(names=list(preload))
            message_id = kernel.client.execute(code, silent=True, store_history=False, allow_stdin=False)
            await self._reply(kernel, message_id, PRELOAD_SECONDS)
        return kernel

    async def _start(self) -> Kernel:
        import zmq
        import zmq.asyncio
        from jupyter_client import AsyncKernelManager
        from jupyter_client.kernelspec import KernelSpecManager

        self._started += 1
        context = zmq.asyncio.Context()
        context.setsockopt(zmq.MAXMSGSIZE, MESSAGE_BYTES)
        context.setsockopt(zmq.LINGER, 0)
        folder = self._data_dir / "run"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        manager = AsyncKernelManager(
            kernel_name=KERNEL_NAME,
            context=context,
            kernel_spec_manager=KernelSpecManager(kernel_dirs=[str(self._data_dir / "kernels")]),
            # Unix sockets: a free TCP port is only free until somebody else takes it.
            transport="ipc",
            ip=str(folder / f"k{self._started}"),
            connection_file=str(folder / f"k{self._started}.json"),
        )
        try:
            await manager.start_kernel(
                extra_arguments=["--HistoryManager.enabled=False"],
                cwd=str(self._workspace),
                env=self._environment,
                stdin=None,
            )
            pid = manager.provisioner.pid  # type: ignore[union-attr]  # a local process, as every kernelspec of ours
            self._processes.adopt(pid)
            client = manager.client()
            client.start_channels()
            kernel = Kernel(manager, client, pid)
            try:
                await client.wait_for_ready(timeout=READY_SECONDS)
            except BaseException:
                await asyncio.shield(self._end(kernel))
                raise
        except (RuntimeError, OSError) as error:
            raise AgentError(ErrorKind.BROKEN, f"The kernel did not start: {error}") from error
        client.allow_stdin = False
        return kernel

    async def _reply(self, kernel: Kernel, message_id: str, seconds: float) -> dict[str, Any] | None:
        """The reply to a message, or None when the time is over or the kernel is."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            try:
                message = await kernel.client.get_shell_msg(timeout=min(0.1, left))
            except Empty:
                if not await kernel.alive():
                    return None
                continue
            except Exception:  # noqa: S112 - a message that the learner's code forged
                continue
            parent = message.get("parent_header")
            if isinstance(parent, dict) and parent.get("msg_id") == message_id:
                return message
        return None

    async def _interrupt(self, kernel: Kernel) -> bool:
        """Interrupt what runs; whether the kernel is free again."""
        with contextlib.suppress(RuntimeError, OSError):
            await kernel.manager.interrupt_kernel()
        # Not kernel_info: a thread of the kernel answers that one while the main thread still runs the learner's code.
        message_id = kernel.client.execute("", silent=True, store_history=False, allow_stdin=False)
        return await self._reply(kernel, message_id, INTERRUPT_SECONDS) is not None

    async def _end_call(self, kernel: Kernel) -> None:
        if not await self._interrupt(kernel):
            await self.discard(
                "The kernel was ended because a call neither returned nor reacted to an interrupt."
            )

    async def _end(self, kernel: Kernel) -> None:
        if kernel.drain is not None:
            kernel.drain.cancel()
        kernel.client.stop_channels()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(kernel.pid, signal.SIGKILL)
        with contextlib.suppress(Exception):
            await asyncio.wait_for(kernel.manager.shutdown_kernel(now=True), 5)
        self._processes.release(kernel.pid)
        # Destroying, not terminating: what the sockets still hold is of no use to anybody.
        kernel.manager.context.destroy(linger=0)
        self._processes.reap(kill=self._kill_orphans)

    async def _why(self, kernel: Kernel, memory_kills_before: int) -> str:
        """One sentence about why a kernel ended."""
        if _memory_kills() > memory_kills_before:
            return "It ran out of memory."
        if self.notice:
            return self.notice
        code = await kernel.manager.provisioner.poll() if kernel.manager.provisioner else None
        if code is None:
            return ""
        if code < 0:
            return (
                f"It was ended by the signal {signal.Signals(-code).name}."
                if -code in set(signal.Signals)
                else ""
            )
        return f"It exited with code {code}."


def _get_ready() -> None:
    """Do once what the first run would else wait for: imports, and the compilation of the format's schema (0.05 s)."""
    import nbformat

    import_module("sandboxes.agent.notebook_run")
    nbformat.validate(nbformat.v4.new_notebook())


def _plain(notebook: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(notebook, dict) or not isinstance(notebook.get("cells"), list):
        raise ValueError("it has no list of cells")
    return notebook


def _document(reply: Mapping[str, Any]) -> dict[str, Any]:
    """The bridge's document out of a kernel's reply, distrusting each step. Raises AgentError."""
    try:
        shown = reply["content"]["user_expressions"]["answer"]
        if shown["status"] == "error":
            raise AgentError(ErrorKind.LEARNER_CODE, str(shown["evalue"]), str(shown["ename"]))
        document = shown["data"]["application/json"]
    except (KeyError, TypeError) as error:
        raise AgentError(
            ErrorKind.LEARNER_CODE, "The kernel gave an answer that makes no sense.", "KernelError"
        ) from error
    if not isinstance(document, dict):
        raise AgentError(
            ErrorKind.LEARNER_CODE, "The kernel gave an answer that makes no sense.", "KernelError"
        )
    if not document.get("ok"):
        known = {kind.value: kind for kind in (ErrorKind.LEARNER_CODE, ErrorKind.TOO_LARGE, ErrorKind.TIMEOUT)}
        kind = known.get(str(document.get("kind")), ErrorKind.LEARNER_CODE)
        raise AgentError(kind, str(document.get("detail", "")), str(document.get("name", "")))
    return document


async def _drain(client: AsyncKernelClient) -> None:
    """Throw away what the kernel prints between calls, so that it does not pile up."""
    channel = client.iopub_channel.socket
    while True:
        await channel.recv_multipart()


def _memory_kills() -> int:
    """How many processes of this container ran into its memory limit so far; 0 outside of one."""
    for path, key in (
        ("/sys/fs/cgroup/memory.events", "oom_kill"),
        ("/sys/fs/cgroup/memory/memory.oom_control", "oom_kill"),
    ):
        with contextlib.suppress(OSError, ValueError):
            for line in Path(path).read_text().splitlines():
                name, _, count = line.partition(" ")
                if name == key:
                    return int(count)
    return 0
