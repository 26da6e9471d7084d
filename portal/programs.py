"""What the web process and the worker tell each other about programs, as JSON for a row."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from question_bank.runner import Ended, Outcome, RunRequest, RunResult


def request_document(request: RunRequest) -> dict[str, Any]:
    """A request as JSON."""
    return asdict(request)


def request_of(document: dict[str, Any]) -> RunRequest:
    """The request of such a document."""
    return RunRequest(
        language=document["language"],
        files=dict(document["files"]),
        inputs=tuple(document["inputs"]),
        seconds=float(document["seconds"]),
    )


def result_document(result: RunResult) -> dict[str, Any]:
    """A result as JSON."""
    return asdict(result)


def result_of(document: dict[str, Any]) -> RunResult:
    """The result of such a document."""
    outcomes = (Outcome(Ended(one["ended"]), one["output"], one["error"]) for one in document["outcomes"])
    return RunResult(tuple(outcomes), document["build_error"])
