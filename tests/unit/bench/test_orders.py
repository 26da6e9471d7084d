"""The floor of the benchmark `orders`: what one checkout says to PostgreSQL, said again by pgbench."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from bench.orders.floor import DATABASE, Floor
from bench.orders.recording import RECORDED_LINES, Statement, Transaction, record, script
from reference_impl.shared import database as databases
from reference_impl.shared import postgres as connections
from reference_impl.topologies.parts.postgres import Postgres


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody gives a server up that stands still for some seconds: the machine may be busy."""
    monkeypatch.setattr(databases, "LOCK_SECONDS", 60.0)
    monkeypatch.setattr(connections, "CONNECT_SECONDS", 60)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        Path(name).chmod(0o755)  # PostgreSQL runs as somebody else when we are root
        part = Postgres(Path(name))
        part.start()
        try:
            part.wait(90)
            yield part.environment()["MERIDIAN_DATABASE_URL"]
        finally:
            part.stop()


@pytest.mark.postgres
def test_a_recorded_checkout_runs_again_and_sells_each_time(server: str, tmp_path: Path) -> None:
    transactions = record(server, tmp_path / "recorded")
    text = script(transactions)
    assert text.count("BEGIN") == text.count("COMMIT;") == len(transactions)
    for table in (
        "orders",
        "order_events",
        "outbox",
        "inbox",
        "sagas",
        "reservations",
        "payments",
        "idempotency_keys",
    ):
        assert f"INSERT INTO {table} " in text
    assert "UPDATE stock" in text
    assert not any(sku in text for sku in RECORDED_LINES)
    floor = Floor(server, tmp_path, transactions)
    floor.prepare()
    measured = floor.measure(clients=3, seconds=2)
    assert measured.per_second > 0
    # A client that finds it another's turn leaves its events to whoever takes next: in the end that is one who is alone.
    alone = floor.measure(clients=1, seconds=1)
    runs = len(measured.latencies) + len(alone.latencies)
    with psycopg.connect(f"{server}/{DATABASE}") as connection:
        sold, reserved = connection.execute("SELECT sum(sold), sum(reserved) FROM stock").fetchone() or (0, 0)
        lines = connection.execute(
            "SELECT count(*) FROM order_lines JOIN orders ON number = order_number"
        ).fetchone()
        (left,) = connection.execute("SELECT count(*) FROM outbox").fetchone() or (0,)
    assert (sold, reserved) == (2 * runs, 0)
    assert lines == (2 * runs,)
    assert left == 0, f"{left} events left by {runs} checkouts"


def test_what_differs_between_checkouts_differs_in_the_script() -> None:
    order = "01a1fdf8dc62857f977341a00c96a79a"
    found = script(
        [
            Transaction(
                "BEGIN",
                [
                    Statement(
                        f"INSERT INTO orders (id) VALUES ('{order}') RETURNING orders.number", [1_000_000_000]
                    ),
                    Statement(f"INSERT INTO order_lines VALUES (1000000000, '{RECORDED_LINES[0]}', 12)"),
                    Statement(
                        f"""UPDATE o SET j = '{{"key": "{order}"}}' WHERE at = '2026-01-01 10:20:30+00'"""
                    ),
                ],
            )
        ]
    )
    lines = found.splitlines()[3:]
    assert lines == [
        "BEGIN;",
        "INSERT INTO orders (id) VALUES ('01a1fdf8dc6285:r') RETURNING orders.number \\gset n1000000000_",
        "INSERT INTO order_lines VALUES (:n1000000000_number, 'BENCH-A:a', 12);",
        """UPDATE o SET j = '{"key": "01a1fdf8dc6285:r"}' WHERE at = '2026-01-01 10:20:30+00';""",
        "COMMIT;",
    ]
    assert re.match(r"\\set r random", found)
