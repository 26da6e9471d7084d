"""Answers that an agent of ours would never give must not get further than here."""

from __future__ import annotations

from typing import Any

import pytest

from sandboxes.drivers.connection import _error, decode
from sandboxes.drivers.handle import _executed, _outcome, parse_status
from sandboxes.interface import (
    AgentTimeout,
    CallOutcome,
    KernelDied,
    LearnerCodeError,
    NotebookOutcome,
    Phase,
    SandboxError,
    SandboxState,
    TooLarge,
)


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"state": "victorious"},
        {"services": 3},
        {"services": [3, {"name": []}]},
        {"phase": {"a": 1}, "detail": [1]},
    ],
)
def test_any_status_document_can_be_read(document: dict[str, Any]) -> None:
    status = parse_status(document)
    assert status.state is SandboxState.FAILED
    assert status.phase is Phase.CREATING


def test_a_status_is_capped() -> None:
    status = parse_status(
        {"state": "ready", "detail": "x" * 10_000, "services": [{"name": "y" * 1_000}] * 1_000}
    )
    assert len(status.detail) == 2_000
    assert len(status.services) == 50
    assert len(status.services[0].name) == 50


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("timeout", AgentTimeout),
        ("kernel_died", KernelDied),
        ("learner_code", LearnerCodeError),
        ("too_large", TooLarge),
        ("not_found", FileNotFoundError),
        ("invalid", SandboxError),
        ("made up", SandboxError),
    ],
)
def test_each_kind_of_error_becomes_the_interfaces_own(kind: str, error: type[Exception]) -> None:
    found = _error(b'{"error": {"kind": "%s", "detail": "why", "name": "Name"}}' % kind.encode())
    assert type(found) is error
    assert "why" in str(found)


@pytest.mark.parametrize("data", [b'{"error": 3}', b"{}"])
def test_an_error_without_a_reason_is_nonsense(data: bytes) -> None:
    assert "makes no sense" in str(_error(data))


@pytest.mark.parametrize("data", [b"", b"<html>", b"[]", b"[" * 50_000])
def test_an_answer_that_is_no_object_is_nonsense(data: bytes) -> None:
    with pytest.raises(SandboxError, match="makes no sense"):
        raise _error(data)


@pytest.mark.parametrize("text", [None, 3, "{", "NaN", "[" * 50_000])
def test_a_value_is_strict_json(text: Any) -> None:
    with pytest.raises(SandboxError, match="makes no sense"):
        decode(text)


def test_outcomes_of_calls_are_read_with_distrust() -> None:
    assert _outcome({"text": "3", "milliseconds": 1.5}) == CallOutcome(3, None, 1.5)
    assert _outcome({"error": "E: x", "milliseconds": "soon"}) == CallOutcome(None, "E: x", 0.0)
    for wrong in (3, None, {}, {"text": 3}):
        with pytest.raises(SandboxError):
            _outcome(wrong)


def test_executed_notebooks_are_read_with_distrust() -> None:
    errors = [{"cell_id": 3, "index": "x", "name": None, "detail": "d" * 9_000}, 3]
    executed = _executed({"outcome": "completed", "notebook": {"cells": []}, "errors": errors})
    assert executed.outcome is NotebookOutcome.COMPLETED
    assert [(error.index, len(error.detail)) for error in executed.errors] == [(0, 2_000)]
    for wrong in ({}, {"outcome": "won"}, {"outcome": "completed", "notebook": 3, "errors": []}):
        with pytest.raises(SandboxError):
            _executed(wrong)
