"""The runner for authors keeps the contract of all runners."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from question_bank.local_runner import LocalRunner
from question_bank.runner import RunRequest
from question_bank.schema import RunnerUnavailable
from tests.unit.question_bank.runner_contract import GoContract, PythonContract, SqlContract


@pytest.fixture(scope="module")
def runner() -> Iterator[LocalRunner]:
    with LocalRunner() as local:
        yield local


class TestPython(PythonContract):
    pass


@pytest.mark.go
class TestGo(GoContract):
    pass


@pytest.mark.postgres
class TestSql(SqlContract):
    @pytest.fixture
    def runner(self, postgres):
        with LocalRunner(f"host={postgres.socket_dir} user=postgres dbname=postgres") as local:
            yield local


def test_sql_without_a_server_says_so():
    with LocalRunner() as local, pytest.raises(RunnerUnavailable, match="--postgres"):
        local.run(RunRequest("sql", {"solution.sql": "SELECT 1"}, ("",), 1.0))
