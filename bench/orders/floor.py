"""pgbench: the statements of a checkout by a client that does nothing else, on a database with the same tables."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from sqlalchemy import create_engine

from bench.orders.recording import FIRST, SECOND, SKUS, script
from bench.orders.recording import Transaction as Recorded
from reference_impl.services.inventory.models import Base as InventoryTables
from reference_impl.services.notification.models import Base as NotificationTables
from reference_impl.services.order import partitions
from reference_impl.services.order.models import Base as OrderTables
from reference_impl.services.payment.models import Base as PaymentTables
from reference_impl.services.product.models import Base as ProductTables
from reference_impl.services.shipping.models import Base as ShippingTables
from reference_impl.shared.database import Database
from reference_impl.topologies.parts.postgres import find_binaries

DATABASE = "bench_floor"
THREADS = 2


@dataclass(frozen=True)
class Measured:
    """What a run of pgbench came to."""

    per_second: float
    latencies: list[float]
    """Seconds of each transaction of the script; at a given rate from the moment it was due."""


def find_pgbench() -> Path:
    """The program. Raises RuntimeError with what to install."""
    folder = find_binaries()
    program = folder / "pgbench" if folder else None
    if program is None or not program.exists():
        raise RuntimeError("pgbench is not installed: it is part of the package postgresql.")
    return program


class Floor:
    """One database in which the tables of all services stand side by side: pgbench speaks to one only."""

    def __init__(self, server: str, folder: Path, transactions: list[Recorded]) -> None:
        self._server = server
        self._folder = folder
        self._script = folder / "checkout.sql"
        self._script.write_text(script(transactions))
        self._program = find_pgbench()
        self._runs = 0

    def prepare(self) -> None:
        """Make the database, its tables, and stock for the orders."""
        with psycopg.connect(f"{self._server}/postgres", autocommit=True) as admin:
            admin.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
            admin.execute(f"CREATE DATABASE {DATABASE}")
        url = f"{self._server.replace('postgresql', 'postgresql+psycopg', 1)}/{DATABASE}"
        engine = create_engine(url)
        for tables in (
            OrderTables,
            InventoryTables,
            PaymentTables,
            ProductTables,
            ShippingTables,
            NotificationTables,
        ):
            tables.metadata.create_all(engine)
        engine.dispose()
        orders = Database(url, OrderTables.metadata)
        partitions.make_ahead(orders)
        orders.close()
        with psycopg.connect(f"{self._server}/{DATABASE}", autocommit=True) as connection:
            for kind in (FIRST, SECOND):
                connection.execute(
                    "INSERT INTO stock (sku, stocked, available, reserved, sold, version) "
                    "SELECT %s || n, 1000000, 1000000, 0, 0, 0 FROM generate_series(1, %s) n",
                    [kind, SKUS],
                )
                connection.execute(
                    "INSERT INTO products (sku, name, description, unit_price_cents, currency, retired, version, created_at, "
                    "updated_at) SELECT %s || n, 'x', '', 1000, 'USD', false, 1, now(), now() FROM generate_series(1, %s) n",
                    [kind, SKUS],
                )

    def measure(self, clients: int, seconds: int, rate: float | None = None) -> Measured:
        """Run it; with a rate so many a second, else as fast as it goes. Raises RuntimeError."""
        self._runs += 1
        log = self._folder / f"pgbench-{self._runs}"
        where = urlsplit(self._server)
        arguments = [
            self._program, "--no-vacuum", "--protocol=simple", "--file", self._script, "--client", str(clients),
            "--jobs", str(THREADS), "--time", str(seconds), "--log", "--log-prefix", log,
            *(["--rate", f"{rate:.3f}"] if rate else []),
            "--host", where.hostname, "--port", str(where.port), "--username", where.username, DATABASE,
        ]  # fmt: skip
        done = subprocess.run(
            [str(argument) for argument in arguments],
            env={**os.environ, "PGPASSWORD": where.password or ""},
            capture_output=True, text=True, timeout=seconds + 120, check=False,
        )  # fmt: skip
        found = re.search(r"^tps = ([0-9.]+)", done.stdout, re.MULTILINE)
        if done.returncode != 0 or not found or "aborted" in done.stderr:
            raise RuntimeError(f"pgbench failed: {done.stderr[-1500:]}")
        latencies = [
            int(line.split()[2]) / 1e6
            for file in self._folder.glob(f"{log.name}.*")
            for line in file.read_text().splitlines()
        ]
        return Measured(float(found[1]), latencies)
