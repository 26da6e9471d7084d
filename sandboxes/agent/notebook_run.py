"""One run of a notebook from top to bottom: nbclient, with caps on output and a quick eye for a dead kernel."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from typing import Any

from nbclient import NotebookClient
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from nbformat.v4 import new_output

from sandboxes.interface import ExecutionLimits, NotebookOutcome
from sandboxes.protocol import DETAIL_CHARACTERS

log = logging.getLogger("sandboxes.agent")

ALIVE_SECONDS = 0.1
CLOSING_SECONDS = 5.0
OUTPUT_TYPES = frozenset({"stream", "display_data", "execute_result", "error"})
ERRORS = 200


class CappedNotebookClient(NotebookClient):
    """Runs all cells, also after one that raised, until time or output run out."""

    def __init__(self, notebook: NotebookNode, limits: ExecutionLimits, **traits: Any) -> None:
        super().__init__(
            notebook,
            allow_errors=True,
            timeout_func=self._seconds_left,
            iopub_timeout=CLOSING_SECONDS,
            raise_on_iopub_timeout=False,
            store_widget_state=False,
            record_timing=False,
            skip_cells_with_tag="",
            on_cell_executed=_note_error,
            **traits,
        )
        self._limits = limits
        self._deadline = 0.0
        self._room = limits.output_bytes
        self._cut = False

    async def run(self) -> tuple[NotebookOutcome, str]:
        """Run the cells in the kernel of `self.kc`; how it ended, and one sentence about it. Outputs are left in the notebook."""
        self.reset_execution_trackers()
        self._deadline = time.monotonic() + self._limits.total_seconds
        index = 0
        try:
            for index, cell in enumerate(self.nb.cells):
                if self._deadline <= time.monotonic():
                    return NotebookOutcome.TIMED_OUT, self._total_message()
                try:
                    await self.async_execute_cell(cell, index, execution_count=self.code_cells_executed + 1)
                finally:
                    _merge_streams(cell)
                if self._cut:
                    return self._output_limit(index)
        except CellTimeoutError:
            if self._deadline <= time.monotonic() + 0.01:
                return NotebookOutcome.TIMED_OUT, self._total_message()
            return (
                NotebookOutcome.TIMED_OUT,
                f"Cell {index + 1} took longer than {self._limits.cell_seconds:g} s.",
            )
        except DeadKernelError:
            if self._cut:
                return self._output_limit(index)
            return NotebookOutcome.KERNEL_DIED, f"The kernel ended while cell {index + 1} ran."
        except Exception as error:
            # What a kernel sends is the learner's to break: a message that can't be read is the end of this kernel, not ours.
            log.warning("a run ended with %r", error)
            return (
                NotebookOutcome.KERNEL_DIED,
                f"Cell {index + 1} broke the kernel: its messages can't be read any more.",
            )
        return NotebookOutcome.COMPLETED, ""

    def _total_message(self) -> str:
        return f"The notebook took longer than {self._limits.total_seconds:g} s."

    def _output_limit(self, index: int) -> tuple[NotebookOutcome, str]:
        allowed = f"{self._limits.output_bytes / 1024:g} KB"
        self.nb.cells[index].outputs.append(
            new_output(
                "stream", name="stderr", text=f"\n[Output cut: a notebook may print {allowed} in all.]\n"
            )
        )
        return (
            NotebookOutcome.OUTPUT_LIMIT,
            f"Cell {index + 1} printed more than the {allowed} that a notebook may print.",
        )

    def _seconds_left(self, _cell: NotebookNode) -> float:
        return max(0.001, min(self._limits.cell_seconds, self._deadline - time.monotonic()))

    async def _async_poll_kernel_alive(self) -> None:
        while True:
            await asyncio.sleep(ALIVE_SECONDS)
            try:
                await self._async_check_alive()
            except DeadKernelError:
                assert self.task_poll_for_reply is not None
                self.task_poll_for_reply.cancel()
                return

    def process_message(self, msg: dict[str, Any], cell: NotebookNode, cell_index: int) -> NotebookNode | None:
        """Let a message through while there is room; the one that goes beyond ends the run."""
        kind, content = msg.get("msg_type"), msg.get("content")
        if not isinstance(content, dict):
            return None
        if kind in OUTPUT_TYPES or kind in ("update_display_data", "clear_output"):
            if self._cut:
                return None
            # A message costs something even when it holds nothing, so that a flood of empty ones ends too.
            self._room -= 16 + len(json.dumps(content, default=str))
            if self._room < 0:
                self._cut = True
                self._keep_start(kind, content, cell)
                if self.task_poll_for_reply is not None:
                    self.task_poll_for_reply.cancel()
                return None
        elif kind != "status":
            return None
        try:
            return super().process_message(msg, cell, cell_index)
        except (KeyError, TypeError, AttributeError, ValueError, IndexError):
            return None  # a message that the learner's code forged

    def _keep_start(self, kind: Any, content: dict[str, Any], cell: NotebookNode) -> None:
        """Keep as much of the text that went too far as there was room for."""
        text = content.get("text")
        if kind == "stream" and isinstance(text, str):
            room = max(0, self._room + len(json.dumps(content, default=str)))
            name = "stderr" if content.get("name") == "stderr" else "stdout"
            cell.outputs.append(new_output("stream", name=name, text=text[:room]))


def _note_error(cell: NotebookNode, execute_reply: dict[str, Any], **_: Any) -> None:
    """Put the error that a cell's reply tells into its outputs when the message with that output was lost."""
    content = execute_reply.get("content")
    if not isinstance(content, dict) or content.get("status") != "error":
        return
    if any(output.get("output_type") == "error" for output in cell.get("outputs", ())):
        return
    name, says = str(content.get("ename") or "Error")[:200], str(content.get("evalue") or "")
    cell.outputs.append(new_output("error", ename=name, evalue=says[:DETAIL_CHARACTERS], traceback=[]))


def _merge_streams(cell: NotebookNode) -> None:
    """Join neighbouring pieces of one stream. nbclient's own way also plays out backspaces, in quadratic time."""
    merged: list[NotebookNode] = []
    pieces: list[str] = []
    for output in cell.get("outputs", ()):
        if (
            merged
            and output["output_type"] == merged[-1]["output_type"] == "stream"
            and output["name"] == merged[-1]["name"]
        ):
            pieces.append(output["text"])
            continue
        if pieces:
            merged[-1]["text"] = "".join(pieces)
        merged.append(output)
        pieces = [output["text"]] if output["output_type"] == "stream" else []
    if pieces:
        merged[-1]["text"] = "".join(pieces)
    if merged:
        cell["outputs"] = merged


def cell_errors(notebook: NotebookNode) -> list[dict[str, Any]]:
    """The cells that raised: `{"cell_id", "index", "name", "detail"}` each."""
    found: list[dict[str, Any]] = []
    for index, cell in enumerate(notebook.cells):
        for output in cell.get("outputs", ()):
            if output.get("output_type") == "error" and len(found) < ERRORS:
                found.append(
                    {
                        "cell_id": str(cell.get("id", ""))[:100],
                        "index": index,
                        "name": str(output.get("ename", ""))[:200],
                        "detail": str(output.get("evalue", ""))[:DETAIL_CHARACTERS],
                    }
                )
    return found
