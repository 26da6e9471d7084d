"""What the command line shows: documents for programs, tables for people."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from labs.catalogue import Catalogue, Lab
from labs.faults import Fault
from labs.report import NotebookStatus, Report, TaskStatus

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

_MARKS = {
    TaskStatus.PASSED: "[green]passed[/]",
    TaskStatus.FAILED: "[red]failed[/]",
    TaskStatus.ERROR: "[magenta]error[/]",
}


def print_document(document: Any) -> None:
    """One JSON document on standard output."""
    click.echo(json.dumps(document, indent=2, ensure_ascii=False))


def print_labs(catalogue: Catalogue) -> None:
    """The labs that loaded, one a line."""
    table = Table("lab", "title", "level", "minutes", "tasks", "points", box=None)
    for lab in catalogue.labs.values():
        table.add_row(lab.id, lab.title, lab.level, str(lab.minutes), str(len(lab.tasks)), str(lab.max_score))
    out.print(table)


def print_faults(faults: Iterable[Fault]) -> None:
    """Faults in content, one a line, on standard error."""
    for fault in faults:
        err.print(f"[red]fault[/] {escape(str(fault))}", soft_wrap=True)


def fault_documents(faults: Iterable[Fault]) -> list[dict[str, Any]]:
    """Faults as JSON values."""
    return [{"path": str(fault.path), "line": fault.line, "message": fault.message} for fault in faults]


def lab_document(lab: Lab) -> dict[str, Any]:
    """A lab as JSON values."""
    return {
        **lab.manifest.model_dump(mode="json"),
        "content_hash": lab.content_hash,
        "max_score": lab.manifest.max_score,
    }


def print_report(report: Report) -> None:
    """A report for people."""
    if report.notebook.status is not NotebookStatus.COMPLETED or report.lost:
        out.print(f"Notebook: {report.notebook.message}", markup=False, soft_wrap=True)
    table = Table("task", "points", "status", "message", box=None)
    for task in report.tasks:
        table.add_row(task.title, f"{task.earned}/{task.points}", _MARKS[task.status], Text(task.message))
    out.print(table)
    out.print(
        f"{report.score} of {report.max_score} points ({report.percent} %), seed {report.seed}, {report.seconds:.1f} s"
    )
