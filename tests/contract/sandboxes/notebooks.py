"""Notebooks made of cells of code."""

from __future__ import annotations

import textwrap
from typing import Any

from sandboxes.interface import ExecutedNotebook, ExecutionLimits, Sandbox


def notebook(*sources: str) -> dict[str, Any]:
    """A notebook with these code cells, in nbformat 4."""
    return {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {},
        "cells": [
            {
                "id": f"cell-{number}",
                "cell_type": "code",
                "source": textwrap.dedent(source),
                "metadata": {},
                "outputs": [],
                "execution_count": None,
            }
            for number, source in enumerate(sources)
        ],
    }


def execute(sandbox: Sandbox, *sources: str, **limits: Any) -> ExecutedNotebook:
    """Run cells in a fresh kernel; a busy machine may take its time, where the test is not about that."""
    patient = {"total_seconds": 240.0, "cell_seconds": 120.0}
    return sandbox.execute(notebook(*sources), ExecutionLimits(**(patient | limits)))


def printed(executed: ExecutedNotebook) -> str:
    """All that the cells wrote to standard output and error."""
    return "".join(
        output["text"]
        for cell in executed.notebook["cells"]
        for output in cell["outputs"]
        if output["output_type"] == "stream"
    )
