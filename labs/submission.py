"""What a learner handed in: bytes that claim to be a notebook.

`read` trusts nothing: it rebuilds a notebook from the few parts that matter and drops outputs, odd metadata and everything else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from labs.errors import BadNotebook
from labs.notebook import NOTEBOOK_METADATA, task_cell_id

MAX_NOTEBOOK_BYTES = 10 * 1024 * 1024
MAX_CELLS = 1_000
FIRST_LINE = 60
_CELL_ID = re.compile(r"^[a-zA-Z0-9_-]{1,64}$")
_KINDS = ("code", "markdown", "raw")
_SAVE_AGAIN = "Open it in JupyterLab, save it (Ctrl+S) and hand it in again."


@dataclass(frozen=True)
class Submission:
    """A notebook that can be run."""

    notebook: dict[str, Any]
    """nbformat 4 JSON without outputs; cell ids are unique."""

    @property
    def cells(self) -> list[dict[str, Any]]:
        """The cells in order."""
        cells: list[dict[str, Any]] = self.notebook["cells"]
        return cells

    def task_cells(self, task: str) -> list[int]:
        """The positions of a task's code cells: usually one; a copied cell makes two."""
        return [
            index
            for index, cell in enumerate(self.cells)
            if cell["cell_type"] == "code" and (cell["metadata"].get("task") or _task_of(cell["id"])) == task
        ]

    def beginning(self, index: int) -> str:
        """How a cell begins, by which its author finds it: editors show no numbers of cells.

        The first line with something in it; at most FIRST_LINE characters, without backticks; empty where the cell is.
        """
        source = "".join(self.cells[index]["source"])
        first = next((line.strip() for line in source.splitlines() if line.strip()), "").replace("`", "'")
        return first if len(first) <= FIRST_LINE else f"{first[: FIRST_LINE - 1]}…"

    def missing(self, tasks: Iterable[str]) -> list[str]:
        """Those of `tasks` that have no cell here."""
        return [task for task in tasks if not self.task_cells(task)]


def read(data: bytes) -> Submission:
    """The notebook in these bytes. Raises BadNotebook with a message for the learner."""
    if len(data) > MAX_NOTEBOOK_BYTES:
        size = MAX_NOTEBOOK_BYTES // 1024 // 1024
        raise BadNotebook(
            f"The notebook is larger than {size} MB. Clear its outputs (Edit → Clear Outputs of All Cells) and save it."
        )
    if not data.strip():
        raise BadNotebook(f"The file is empty. {_SAVE_AGAIN}")
    try:
        content = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        raise BadNotebook(f"The file is not a Jupyter notebook: it is not valid JSON. {_SAVE_AGAIN}") from None
    if not isinstance(content, dict) or not isinstance(content.get("nbformat"), int):
        raise BadNotebook(f"The file is not a Jupyter notebook: it does not say `nbformat`. {_SAVE_AGAIN}")
    if content["nbformat"] != 4:
        raise BadNotebook(f"The notebook has format {content['nbformat']}; format 4 is needed. {_SAVE_AGAIN}")
    cells = content.get("cells")
    if not isinstance(cells, list):
        raise BadNotebook(f"The file is not a Jupyter notebook: it has no list of cells. {_SAVE_AGAIN}")
    if len(cells) > MAX_CELLS:
        raise BadNotebook(f"The notebook has {len(cells)} cells; at most {MAX_CELLS} can be graded.")
    seen: set[str] = set()
    clean = [_clean(index, cell, seen) for index, cell in enumerate(cells)]
    return Submission({"cells": clean, "metadata": NOTEBOOK_METADATA, "nbformat": 4, "nbformat_minor": 5})


def _clean(index: int, cell: Any, seen: set[str]) -> dict[str, Any]:
    if not isinstance(cell, dict) or cell.get("cell_type") not in _KINDS:
        raise BadNotebook(
            f"Cell {index + 1} of the notebook is broken: it is not a code or text cell. {_SAVE_AGAIN}"
        )
    source = cell.get("source")
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        source = "".join(source)
    if not isinstance(source, str):
        raise BadNotebook(f"Cell {index + 1} of the notebook is broken: its text is missing. {_SAVE_AGAIN}")
    metadata = cell.get("metadata")
    task = metadata.get("task") if isinstance(metadata, dict) else None
    made: dict[str, Any] = {
        "cell_type": cell["cell_type"],
        "id": _unique_id(index, cell.get("id"), seen),
        "metadata": {"task": task[:100]} if isinstance(task, str) else {},
        "source": source.encode("utf-8", "replace").decode(),
    }
    if cell["cell_type"] == "code":
        made |= {"execution_count": None, "outputs": []}
    return made


def _unique_id(index: int, claimed: Any, seen: set[str]) -> str:
    chosen = claimed if isinstance(claimed, str) and _CELL_ID.match(claimed) else f"cell-{index + 1}"
    while chosen in seen:
        chosen = f"cell-{index + 1}-{len(seen)}"
    seen.add(chosen)
    return chosen


def _task_of(cell_id: str) -> str | None:
    prefix = task_cell_id("")
    return cell_id.removeprefix(prefix) if cell_id.startswith(prefix) else None
