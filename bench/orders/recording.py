"""The statements that one checkout issues, recorded while it runs, as a script for pgbench.

They are recorded and not written down, so they are those of today's code. What must differ from one checkout to the next is
found by how it looks: ids are 32 hexadecimal digits, SKUs have names of ours, and the sequences of the recorded databases
begin where no other number is.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psycopg
from sqlalchemy import event
from sqlalchemy.engine import Engine

from reference_impl.shared.settings import Settings
from reference_impl.topologies.monolith import build

PREFIX = "bench_recorded"
SKUS = 500
"""Of each of two kinds: an order has one of either, and the first is locked first."""
FIRST, SECOND = "BENCH-A", "BENCH-B"
RECORDED_LINES = (f"{FIRST}777777", f"{SECOND}777777")
SEQUENCES_FROM, SEQUENCE_STEP = 1_000_000_000, 1_000_000
_ID = re.compile(r"(?<![0-9a-f])([0-9a-f]{14})[0-9a-f]{18}(?![0-9a-f])")
_INSERTED = re.compile(r"INSERT INTO (\w+) ")
_PEEK = "SELECT outbox.position"


@dataclass
class Transaction:
    """What one transaction did."""

    begin: str
    statements: list[Statement] = field(default_factory=list)


@dataclass
class Statement:
    """One statement with its values in it."""

    sql: str
    drawn: list[int] = field(default_factory=list)
    """The numbers that it took from a sequence and returns."""


class Recorder:
    """Listens to every engine of this process."""

    def __init__(self, server: str) -> None:
        # Knows how values are written in SQL; nothing is sent through it.
        self._quoting = psycopg.ClientCursor(psycopg.connect(server, autocommit=True))
        self._open: dict[int, Transaction] = {}
        self._next: dict[tuple[str, str], int] = {}
        self.transactions: list[Transaction] = []

    def watch_sequences(self, server: str, databases: list[str]) -> None:
        """Let the sequences of these databases begin at numbers that nothing else has."""
        number = SEQUENCES_FROM
        for database in databases:
            with psycopg.connect(f"{server}/{database}", autocommit=True) as connection:
                rows = connection.execute(
                    "SELECT c.oid::regclass::text, d.refobjid::regclass::text FROM pg_class c "
                    "JOIN pg_depend d ON d.objid = c.oid WHERE c.relkind = 'S' AND d.deptype IN ('a', 'i')"
                ).fetchall()
                for sequence, table in rows:
                    connection.execute(f"ALTER SEQUENCE {sequence} RESTART {number}")
                    self._next[database, table] = number
                    number += SEQUENCE_STEP

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Record until the end of the block."""
        hooks: dict[str, Callable[..., None]] = {
            "begin": self._begun,
            "after_cursor_execute": self._executed,
            "commit": self._ended,
            "rollback": self._ended,
        }
        for name, hook in hooks.items():
            event.listen(Engine, name, hook)
        try:
            yield
        finally:
            for name, hook in hooks.items():
                event.remove(Engine, name, hook)

    def _begun(self, connection: Any) -> None:
        if connection.dialect.name != "postgresql":
            return  # the bus within the process has a file
        options = connection.get_execution_options()
        begin = "BEGIN"
        if options.get("isolation_level"):
            begin += f" ISOLATION LEVEL {options['isolation_level']}"
        if options.get("postgresql_readonly"):
            begin += " READ ONLY"
        self._open[id(connection)] = Transaction(begin)

    def _executed(
        self, connection: Any, cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool
    ) -> None:
        found = self._open.get(id(connection))
        if found is None:
            return
        # A list: sent once for each of them. Else once, with however many rows in it.
        sent = parameters if isinstance(parameters, list) else [parameters]
        for values in sent:
            said = Statement(" ".join(self._quoting.mogrify(statement, values or None).split()))
            inserted = _INSERTED.match(said.sql)
            place = (connection.engine.url.database, inserted[1] if inserted else "")
            if place in self._next:
                rows = 1 if len(sent) > 1 else max(0, cursor.rowcount)
                said.drawn = list(range(self._next[place], self._next[place] + rows))
                self._next[place] += rows
            found.statements.append(said)

    def _ended(self, connection: Any) -> None:
        found = self._open.pop(id(connection), None)
        if found is None or not found.statements:
            return
        # A relay that looks whether there is anything to do belongs to the clock and not to a checkout.
        if len(found.statements) > 1 or not found.statements[0].sql.startswith(_PEEK):
            self.transactions.append(found)


def record(server: str, data: Path) -> list[Transaction]:
    """Place an order on databases of its own on this server, and return what that took. Raises RuntimeError."""
    settings = Settings(data=data, database_url=server, database_prefix=PREFIX, database_pool=3)
    built = build(settings)
    try:
        databases = [f"{PREFIX}_{service.name}" for service in built.runtime.services if service.database]
        recorder = Recorder(f"{server}/postgres")

        async def send(method: str, path: str, **more: Any) -> Any:
            transport = httpx.ASGITransport(app=built.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://meridian") as client:
                return (await client.request(method, path, **more)).raise_for_status().json()

        for sku in RECORDED_LINES:
            product = {"sku": sku, "name": sku, "unit_price_cents": 1000}
            asyncio.run(send("POST", "/products", json=product))
            asyncio.run(send("POST", f"/inventory/{sku}/receipts", json={"quantity": 1000}))
        built.runtime.settle()
        body = {"items": [{"sku": sku, "quantity": 1} for sku in RECORDED_LINES], "customer_id": "0" * 31 + "1"}
        recorder.watch_sequences(server, databases)
        with recorder.listening():
            # The key looks like an id, so that each checkout has one of its own.
            headers = {"Idempotency-Key": "0123456789abcdef" * 2}
            order = asyncio.run(send("POST", "/orders", json=body, headers=headers))
            built.runtime.settle()
        state = asyncio.run(send("GET", f"/orders/{order['id']}"))["status"]
        if state != "confirmed":
            raise RuntimeError(f"the recorded checkout came to {state}")
        return recorder.transactions
    finally:
        built.runtime.stop()


def script(transactions: list[Transaction]) -> str:
    """The statements for pgbench, with other ids and SKUs in each run of it."""
    used = {number for transaction in transactions for number in _numbers(transaction)}
    lines = [
        "\\set r random(100000000000000000, 999999999999999999)",
        f"\\set a random(1, {SKUS})",
        f"\\set b random(1, {SKUS})",
    ]
    known: dict[int, str] = {}
    for transaction in transactions:
        lines.append(f"{transaction.begin};")
        for statement in transaction.statements:
            text = _ID.sub(r"\1:r", statement.sql)
            text = text.replace(RECORDED_LINES[0], f"{FIRST}:a").replace(RECORDED_LINES[1], f"{SECOND}:b")
            for number, variable in known.items():
                text = re.sub(rf"\b{number}\b", f":{variable}", text)
            wanted = [number for number in statement.drawn if number in used]
            returned = re.search(r"RETURNING (?:\w+\.)?(\w+)$", text)
            if wanted and returned:
                known[wanted[0]] = f"n{wanted[0]}_{returned[1]}"
                lines.append(f"{text} \\gset n{wanted[0]}_")
            else:
                lines.append(f"{text};")
        lines.append("COMMIT;")
    return "\n".join(lines) + "\n"


def _numbers(transaction: Transaction) -> Iterator[int]:
    """Numbers from our sequences that its statements name."""
    for statement in transaction.statements:
        for found in re.findall(r"\b\d{10}\b", statement.sql):
            if SEQUENCES_FROM <= int(found) < SEQUENCES_FROM + 1_000 * SEQUENCE_STEP:
                yield int(found)
