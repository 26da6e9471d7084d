"""The benchmark `orders`: a Meridian in the topology `services`, customers who buy, and the floor on the same server."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.orders.floor import Floor, find_pgbench
from bench.orders.recording import record
from bench.ports import free_ports
from bench.result import emit, note, percentile
from reference_impl import seeding
from reference_impl import verify as verifying
from reference_impl.client import connect, reach
from reference_impl.loadtest.generator import Plan
from reference_impl.loadtest.run import load
from reference_impl.loadtest.shoppers import ORDERING
from reference_impl.shared.settings import Settings
from reference_impl.topologies import registry
from reference_impl.topologies.ground import Ground
from reference_impl.verify_databases import Databases

ROOT = Path(__file__).resolve().parents[2]
CASES = ((50, 1.8), (200, 7.2))
"""Customers, and the mean seconds that each thinks between two orders: 28 orders a second, if they are answered at once."""
LOAD_SECONDS = 30.0
FLOOR_SECONDS = 10
FLOOR_CLIENTS = 20
"""As many connections as the service with the most work has."""
CLEAN_SECONDS = 60.0
START_SECONDS = 300


def run(rounds: int) -> None:
    """Measure and print. Raises RuntimeError when it can't be measured, and when the books are not clean afterwards."""
    find_pgbench()
    with tempfile.TemporaryDirectory(prefix="bench-") as name, _meridian(Path(name)) as settings:
        folder = Path(name)
        server = _server(settings)
        note("recording the statements of one checkout …")
        floor = Floor(server, folder, record(server, folder / "recorded"))
        floor.prepare()
        with connect(settings) as client:
            place = reach(settings)
            note("seeding …")
            seeding.seed(client, seeding.SIZES["M"])
            for number in range(rounds):
                for users, think in CASES:
                    note(f"{users} customers, round {number + 1} of {rounds}")
                    report = load(
                        client, place, Plan(LOAD_SECONDS, None, think), users=users, mix=ORDERING, number=number
                    )
                    rate = report["checkouts"]["per_second"]
                    paced = floor.measure(FLOOR_CLIENTS, FLOOR_SECONDS, max(0.1, rate))
                    fastest = floor.measure(FLOOR_CLIENTS, FLOOR_SECONDS)
                    _print(users, think, report, paced.latencies, fastest.per_second)
            verdict = verifying.verify(
                client, settle_seconds=CLEAN_SECONDS, processes=place.bases(), databases=Databases.of(settings)
            )
        broken = sorted({violation.invariant for violation in verdict.violations})
        emit(
            bench="orders", case="verify", unit="violations", ours=len(verdict.violations), floor=0, ratio=None,
            budget=None, orders=verdict.orders, broken=broken, oversold="no-oversell" in broken,
        )  # fmt: skip
        if broken:
            note("\n".join(str(violation) for violation in verdict.violations))
            raise RuntimeError(f"the books are not clean: {', '.join(broken)}")


def _print(users: int, think: float, report: dict[str, Any], paced: list[float], fastest: float) -> None:
    checkouts = report["checkouts"]
    slow, floor_slow = report["actions"]["checkout"]["latency_ms"]["p95"] / 1000, percentile(paced, 0.95)
    emit(
        bench="orders", case=f"{users} customers", unit="checkouts/s", ours=checkouts["per_second"],
        floor=round(fastest, 2), ratio=round(checkouts["per_second"] / fastest, 3), budget=None, think=think,
        confirmed=checkouts["confirmed"], unfinished=checkouts["unfinished"], missing=checkouts["missing"],
        requests_per_second=report["throughput"], errors=report["errors"], error_kinds=report["error_kinds"],
    )  # fmt: skip
    emit(
        bench="orders", case=f"{users} customers, p95 of a checkout", unit="s", ours=round(slow, 4),
        floor=round(floor_slow, 4), ratio=round(slow / floor_slow, 3), budget=None,
        requests_p95=report["latency_ms"]["p95"] / 1000,
        confirmation_p95=checkouts["confirmation_ms"]["p95"] / 1000,
        sent_late_p95=report["sent_late_ms"]["p95"] / 1000,
    )  # fmt: skip


@contextmanager
def _meridian(folder: Path) -> Iterator[Settings]:
    """One of our own that runs, on a directory that is removed with all that is in it."""
    folder.chmod(0o755)  # PostgreSQL runs as somebody else when we are root
    settings = Settings(data=folder / "meridian", base_port=free_ports(len(registry.ENTRIES)))
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MERIDIAN_")}
    environment = {**kept, "MERIDIAN_DATA": str(settings.data), "MERIDIAN_LOG_LEVEL": "warning"}

    def command(*arguments: str) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "reference_impl", *arguments],
            cwd=ROOT, env=environment, capture_output=True, text=True, timeout=START_SECONDS, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            raise RuntimeError(f"reference_impl {arguments[0]} failed: {done.stderr[-1500:]}")

    note("starting Meridian …")
    command("up", "--topology", "services", "--port", str(settings.base_port), "--detach", "--json")
    try:
        yield settings
    finally:
        command("down")


def _server(settings: Settings) -> str:
    """The URL of its PostgreSQL server. Raises RuntimeError."""
    url = Ground(settings.data).database_url()
    if url is None:
        raise RuntimeError("Meridian has no PostgreSQL server of its own")
    return url
