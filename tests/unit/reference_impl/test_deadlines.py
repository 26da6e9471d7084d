"""What a service does with the time that its caller still waits."""

from __future__ import annotations

import asyncio
import threading
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import Column, Integer, MetaData, Table, func, insert, select

from reference_impl.shared import deadline
from reference_impl.shared.database import Database
from reference_impl.shared.peers import Loopback
from reference_impl.shared.problems import Problem
from tests.unit.reference_impl.conftest import Shop
from tests.unit.reference_impl.gateways import Clock

METADATA = MetaData()
ROWS = Table("rows", METADATA, Column("id", Integer, primary_key=True))


@pytest.fixture
def database(tmp_path: Any) -> Any:
    opened = Database.in_directory(tmp_path, "late", METADATA)
    yield opened
    opened.close()


def count(database: Database) -> int:
    with database.read() as session:
        return int(session.scalar(select(func.count()).select_from(ROWS)) or 0)


@pytest.mark.parametrize("said", ["0", "0.000"])
def test_what_comes_too_late_is_refused_before_anything_is_done(shop: Shop, said: str) -> None:
    body = {"sku": "TEA", "name": "Tea", "unit_price_cents": 100}
    answer = shop.http.post("/products", json=body, headers={deadline.HEADER: said})
    assert answer.status_code == 504
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "urn:meridian:problem:deadline-passed"
    assert shop.http.get("/products/TEA").status_code == 404


@pytest.mark.parametrize("said", ["30", "1e300", "-1", "soon", "nan", "inf", ""])
def test_enough_time_and_nonsense_change_nothing(shop: Shop, said: str) -> None:
    assert shop.http.get("/orders", headers={deadline.HEADER: said}).status_code == 200
    assert deadline.remaining() is None


def test_a_request_whose_time_passes_on_the_way_to_the_database_is_refused_there(shop: Shop) -> None:
    shop.stock("TEA", 10)
    shop.faults.set("inventory.latency", 0.1)
    late = {"X-Request-Timeout": "0.01"}
    for answer in (
        shop.http.get("/inventory/TEA", headers=late),
        shop.http.post("/inventory/TEA/receipts", json={"quantity": 5}, headers=late),
    ):
        assert (answer.status_code, answer.json()["type"][-15:]) == (504, "deadline-passed")
    shop.faults.clear()
    assert shop.counters("TEA") == (10, 0, 0)


def test_who_waited_too_long_for_the_writers_lock_does_not_write(database: Database) -> None:
    held, free = threading.Event(), threading.Event()

    def hold() -> None:
        with database.write():
            held.set()
            free.wait(60)

    holder = threading.Thread(target=hold)
    holder.start()
    assert held.wait(60)
    with deadline.within(0.05):
        # Counted from when the deadline begins, or the lock could be free in time.
        timer = threading.Timer(0.1, free.set)
        timer.start()
        with pytest.raises(Problem) as refused, database.write() as session:
            session.execute(insert(ROWS).values(id=1))
    holder.join()
    timer.join()
    assert refused.value.status == 504
    assert count(database) == 0


def test_what_has_begun_to_write_is_finished(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(deadline, "time", SimpleNamespace(monotonic=clock))
    with deadline.within(0.05):
        with database.write() as session:
            session.execute(insert(ROWS).values(id=1))
            clock.at += 0.06
        assert deadline.remaining() == 0
        with database.write() as session:
            session.execute(insert(ROWS).values(id=2))
        assert count(database) == 2


def echoing() -> FastAPI:
    app = FastAPI()

    @app.get("/echo")
    async def echo() -> dict[str, float | None]:
        return {"left": deadline.remaining()}

    app.add_middleware(deadline.Deadlines)
    return app


def ask(timeout_seconds: float, **waited: float) -> dict[str, Any]:
    """What a service that we ask is told, while somebody waits for us."""
    peers = Loopback()
    peers.connect(echoing())

    async def send() -> httpx.Response:
        return await peers.client("product", timeout_seconds=timeout_seconds).get("/echo")

    with deadline.within(waited.get("for_us")):
        found: dict[str, Any] = asyncio.run(send()).json()
        return found


def test_what_is_left_is_passed_on() -> None:
    assert 800 < ask(6000.0, for_us=1000.0)["left"] <= 1000
    assert 300 < ask(500.0, for_us=1000.0)["left"] <= 500, "no longer than we wait ourselves"
    assert 300 < ask(500.0)["left"] <= 500


def test_nobody_is_asked_when_nobody_waits() -> None:
    with pytest.raises(httpx.ConnectTimeout, match="nobody waits"):
        ask(5.0, for_us=0.0)


def test_what_is_done_for_many_has_nobodys_deadline() -> None:
    with deadline.within(0.0):
        with deadline.within(None):
            deadline.check()
        with pytest.raises(Problem):
            deadline.check()
