"""The worker's runner keeps the contract of all runners, in each language, on each driver."""

from __future__ import annotations

import pytest

from tests.unit.question_bank.runner_contract import GoContract, PythonContract, SqlContract

pytestmark = pytest.mark.timeout(900)


class TestPython(PythonContract):
    """In a sandbox."""


@pytest.mark.go
class TestGo(GoContract):
    """In a sandbox that has a toolchain."""


class TestSql(SqlContract):
    """In a sandbox that has a database."""
