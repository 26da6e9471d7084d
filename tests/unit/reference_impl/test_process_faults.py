"""The faults of a whole process bite while they are set, and leave nothing behind."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import MetaData, text

from reference_impl.shared import process_faults
from reference_impl.shared.database import Database
from reference_impl.shared.events import now
from reference_impl.shared.faults import Faults
from reference_impl.shared.problems import Problem
from reference_impl.shared.process_faults import ProcessFaults
from tests.unit.reference_impl.conftest import Shop


def test_connections_that_are_not_given_back_are_missing_and_come_back(tmp_path: Path) -> None:
    faults = Faults(1)
    url = f"sqlite:///{tmp_path / 'x.sqlite3'}"
    database = Database(url, MetaData(), pool_size=4, max_overflow=0, pool_timeout=0.1)
    playing = ProcessFaults(faults, [database])

    def use() -> None:
        with database.read() as session:
            session.execute(text("SELECT 1"))

    faults.set("database.pool-exhaustion", 0.75)
    playing.apply()
    use()
    faults.set("database.pool-exhaustion", 1)
    playing.apply()
    with pytest.raises(Problem, match="connections"):
        use()
    faults.clear()
    playing.apply()
    use()
    database.close()


def test_the_clock_runs_ahead_and_is_right_again() -> None:
    faults = Faults(1)
    playing = ProcessFaults(faults, [])
    faults.set("clock.skew", 60)
    playing.apply()
    assert 59 < (now() - datetime.now(UTC)).total_seconds() <= 60
    faults.clear()
    playing.apply()
    assert (now() - datetime.now(UTC)).total_seconds() <= 0


def test_readiness_flaps_and_liveness_does_not(shop: Shop) -> None:
    shop.faults.set("health.flapping", 1)
    answer = shop.http.get("/health/readiness")
    assert answer.status_code == 503
    assert "flapping" in answer.text
    assert shop.http.get("/health/liveness").status_code == 200
    shop.faults.clear()
    assert "flapping" not in shop.http.get("/health/readiness").text


def test_requests_leave_memory_behind_up_to_a_bound(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []

    class Counted(bytearray):
        def __init__(self, size: int) -> None:
            super().__init__(size)
            made.append(size)

    monkeypatch.setattr(process_faults, "bytearray", Counted, raising=False)
    monkeypatch.setattr(process_faults, "MOST_LEAKS", 3)
    shop.http.get("/products")
    assert made == []
    shop.faults.set("process.memory-leak", 1)
    for _ in range(5):
        shop.http.get("/products")
    assert made == [process_faults.LEAKED_BYTES] * 3
