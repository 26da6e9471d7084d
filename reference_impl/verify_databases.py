"""Invariants that no service tells over HTTP, read from the databases themselves: SQL that returns what is broken.

Each statement reads one service's database and runs on PostgreSQL and SQLite alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL, Engine, create_engine, make_url, text
from sqlalchemy.pool import NullPool

from reference_impl.shared.settings import Settings
from reference_impl.topologies.ground import Ground

MOST_ROWS = 50
CONNECT_SECONDS = 5


@dataclass(frozen=True)
class Rule:
    """One invariant of one database."""

    service: str
    rule: str
    broken: str
    """Selects a subject and a detail of each way in which it is broken."""


RULES: Mapping[str, Rule] = {
    "movements-add-up": Rule(
        "inventory",
        "The counters of each SKU are the sum of all its movements.",
        """
        SELECT s.sku, 'stocked ' || s.stocked || ', its movements say ' || coalesce(m.stocked, 0)
            || '; available ' || s.available || ', they say ' || coalesce(m.available, 0)
        FROM stock s LEFT JOIN (
            SELECT sku, sum(delta_stocked) AS stocked, sum(delta_available) AS available, sum(delta_reserved) AS reserved,
                sum(delta_sold) AS sold FROM movements GROUP BY sku
        ) m ON m.sku = s.sku
        WHERE s.stocked <> coalesce(m.stocked, 0) OR s.available <> coalesce(m.available, 0)
            OR s.reserved <> coalesce(m.reserved, 0) OR s.sold <> coalesce(m.sold, 0)
        """,
    ),
    "history-unbroken": Rule(
        "order",
        "The facts of each order are numbered without a gap, and its row knows the last of them.",
        """
        SELECT o.id, 'version ' || o.version || ', ' || coalesce(e.facts, 0) || ' facts up to ' || coalesce(e.newest, 0)
        FROM orders o LEFT JOIN (
            SELECT order_id, count(*) AS facts, min(sequence) AS oldest, max(sequence) AS newest
            FROM order_events GROUP BY order_id
        ) e ON e.order_id = o.id
        WHERE e.facts IS NULL OR e.oldest <> 1 OR e.facts <> e.newest OR o.version <> e.newest
        """,
    ),
    "saga-awaited": Rule(
        "order",
        "A saga that has not ended waits for something, so the clock takes it up when nobody answers.",
        """
        SELECT s.order_id, s.state || ' at ' || s.step || ' without a deadline'
        FROM sagas s JOIN orders o ON o.id = s.order_id
        WHERE s.state <> 'finished' AND s.deadline IS NULL AND o.status <> 'payment_declined'
        """,
    ),
    "entries-whole": Rule(
        "payment",
        "Every entry of the journal has all its postings, and they add up to zero.",
        """
        SELECT j.id, count(p.id) || ' of ' || j.postings || ' postings, together ' || coalesce(sum(p.amount_cents), 0)
        FROM journal_entries j LEFT JOIN postings p ON p.entry_id = j.id
        GROUP BY j.id, j.postings
        HAVING count(p.id) <> j.postings OR coalesce(sum(p.amount_cents), 0) <> 0
        """,
    ),
    "money-has-entries": Rule(
        "payment",
        "Every captured payment has its sale and its capture in the journal, and no payment more than one of either.",
        """
        SELECT p.order_id, 'payment ' || p.number || ' is ' || p.status || ' with ' || count(j.id) || ' entries'
        FROM payments p LEFT JOIN journal_entries j ON j.payment_number = p.number
        WHERE p.status = 'captured'
        GROUP BY p.number, p.order_id, p.status
        HAVING count(j.id) <> 2
        """,
    ),
}


class Databases:
    """The databases of a Meridian, to be read."""

    def __init__(self, engines: Mapping[str, Engine]) -> None:
        self._engines = engines

    @classmethod
    def of(cls, settings: Settings, *, elsewhere: bool = False) -> Databases | None:
        """Those of the Meridian that runs on the settings' directory, or on their server; None when they can't be known.

        `elsewhere`: an address was given, so the directory says nothing about the Meridian there.
        """
        services = sorted({rule.service for rule in RULES.values()})
        ground = Ground(settings.data)
        running = None if elsewhere else ground.read()
        server = settings.database_url or (ground.database_url() if running else None)
        if server:
            url = make_url(server).set(drivername="postgresql+psycopg")
            names = {name: url.set(database=f"{settings.database_prefix}_{name}") for name in services}
            return cls({name: _engine(address) for name, address in names.items()})
        files = {name: settings.data.resolve() / f"{name}.sqlite3" for name in services}
        if running is None or not all(file.exists() for file in files.values()):
            return None
        return cls({name: _engine(_read_only(file)) for name, file in files.items()})

    def broken(self) -> Iterator[tuple[str, str, str]]:
        """Rule, subject and detail of everything that is broken, at most MOST_ROWS of each. Raises sqlalchemy.exc.DBAPIError."""
        for name, rule in RULES.items():
            with self._engines[rule.service].connect() as connection:
                for subject, detail in connection.execute(text(rule.broken)).fetchmany(MOST_ROWS):
                    yield name, str(subject), str(detail)


def _read_only(file: Path) -> URL:
    return URL.create("sqlite", database=f"file:{file}", query={"mode": "ro", "uri": "true"})


def _engine(url: URL) -> Engine:
    timeout = {"connect_timeout": CONNECT_SECONDS} if url.drivername.startswith("postgresql") else {}
    return create_engine(url, poolclass=NullPool, connect_args=timeout)
