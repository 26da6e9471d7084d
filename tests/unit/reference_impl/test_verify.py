"""`verify` sees each way in which the books can be wrong."""

from __future__ import annotations

import copy
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from reference_impl.shared.settings import Settings
from reference_impl.topologies.ground import Ground, Phase, PlatformState
from reference_impl.verify import INVARIANTS, Snapshot, read, violations
from reference_impl.verify_databases import RULES, Databases

PARKED = {"consumer": "inventory", "error": "given away", "event": {"id": "e", "type": "OrderConfirmed"}}


@pytest.fixture
def clean(make_shop: Any) -> Snapshot:
    """Books with one confirmed, one cancelled, one declined and one pending order, in which all is well."""
    shop = make_shop(payment_window=60)
    shop.stock("TEA", 10)
    shop.place({"TEA": 3})
    gone = shop.place({"TEA": 1}, card="tok_declined")
    shop.place({"TEA": 2}, card="tok_declined")
    shop.settle()
    shop.http.post(f"/orders/{gone}/cancellation", json={"reason": "no"}).raise_for_status()
    shop.settle()
    shop.place({"TEA": 1})
    books = read(shop.http)
    books.backlog.update(dict.fromkeys(books.backlog, 0))  # as a pending order is whose events are under way
    return books


def of(rows: list[dict[str, Any]], orders: list[dict[str, Any]], status: str) -> dict[str, Any]:
    """The row of the order that has this status."""
    wanted = next(order["id"] for order in orders if order["status"] == status)
    return next(row for row in rows if row.get("order_id", row.get("id")) == wanted)


def test_clean_books_are_clean(clean: Snapshot) -> None:
    assert violations(clean, stuck_seconds=30) == []
    assert sorted(order["status"] for order in clean.orders) == [
        "cancelled",
        "confirmed",
        "payment_declined",
        "pending",
    ]


Damage = Callable[[Snapshot], None]

DAMAGES: dict[str, tuple[set[str], Damage]] = {
    "a unit appears": (
        {"stock-balanced"},
        lambda it: it.stock[0].update(available=it.stock[0]["available"] + 1),
    ),
    "a counter is negative": (
        {"stock-balanced"},
        lambda it: it.stock[0].update(available=-1, sold=it.stock[0]["sold"] + it.stock[0]["available"] + 1),
    ),
    "more is promised than there is": (
        {"no-oversell", "reserved-explained"},
        lambda it: of(it.reservations, it.orders, "payment_declined").update(quantity=8),
    ),
    "reserved units belong to nobody": (
        {"reserved-explained"},
        lambda it: it.stock[0].update(
            reserved=it.stock[0]["reserved"] + 1, available=it.stock[0]["available"] - 1
        ),
    ),
    "a paid order has no goods": (
        {"confirmed-has-goods"},
        lambda it: of(it.reservations, it.orders, "confirmed").update(sold=0),
    ),
    "a paid order's goods were given away": (
        {"confirmed-has-goods"},
        lambda it: of(it.reservations, it.orders, "confirmed").update(released=3, outstanding=-3),
    ),
    "a cancelled order holds stock": (
        {"dead-order-holds-nothing"},
        lambda it: of(it.reservations, it.orders, "cancelled").update(outstanding=1),
    ),
    "a cancelled order released too much": (
        {"dead-order-holds-nothing"},
        lambda it: of(it.reservations, it.orders, "cancelled").update(outstanding=-1),
    ),
    "a declined order whose time is over holds stock": (
        {"dead-order-holds-nothing", "reserved-explained"},
        lambda it: of(it.orders, it.orders, "payment_declined").update(pay_by=None),
    ),
    "an order is charged twice": (
        {"one-capture", "ledger-balanced"},
        lambda it: it.payments.append({**of(it.payments, it.orders, "confirmed"), "attempt": 2}),
    ),
    "an order is confirmed without a charge": (
        {"one-capture", "ledger-balanced"},
        lambda it: of(it.payments, it.orders, "confirmed").update(status="declined"),
    ),
    "a cancelled order was charged": (
        {"one-capture", "cancelled-undone", "ledger-balanced"},
        lambda it: of(it.payments, it.orders, "cancelled").update(status="captured"),
    ),
    "money of a cancelled order is still set aside": (
        {"cancelled-undone"},
        lambda it: of(it.payments, it.orders, "cancelled").update(status="authorised"),
    ),
    "a cancelled order has not heard of its refund": (
        {"cancelled-undone"},
        lambda it: of(it.payments, it.orders, "cancelled").update(status="refunded"),
    ),
    "the ledger has a cent too many": (
        {"ledger-balanced"},
        lambda it: it.ledger["accounts"][0].update(cents=it.ledger["accounts"][0]["cents"] + 1),
    ),
    "an entry of the ledger does not add up": (
        {"ledger-balanced"},
        lambda it: it.ledger["unbalanced_entries"].append("an entry"),
    ),
    "units were sold twice": (
        {"handled-once"},
        lambda it: it.movements.append(next(item for item in it.movements if item["reason"] == "sold")),
    ),
    "an order is not what its history says": (
        {"projections-replayed"},
        lambda it: it.differences.append(
            {"order_id": "o", "column": "status", "projected": "pending", "replayed": "confirmed"}
        ),
    ),
    "an event was never relayed": ({"outbox-drained"}, lambda it: it.backlog.update(order=1)),
    "an order is pending for ever": (
        {"nothing-stuck"},
        lambda it: of(it.orders, it.orders, "pending").update(
            updated_at=(it.taken_at - timedelta(minutes=5)).isoformat()
        ),
    ),
    "an event was parked": ({"nothing-parked"}, lambda it: it.parked.append(PARKED)),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_each_damage_breaks_its_invariants_and_no_other(clean: Snapshot, damage: str) -> None:
    expected, inflict = DAMAGES[damage]
    books = copy.deepcopy(clean)
    inflict(books)
    assert {violation.invariant for violation in violations(books, stuck_seconds=30)} == expected


SQL_DAMAGES: dict[str, tuple[str, str, str]] = {
    "a counter moved without a movement": (
        "movements-add-up",
        "inventory",
        "UPDATE stock SET available = available + 1",
    ),
    "a movement is missing": (
        "movements-add-up",
        "inventory",
        "DELETE FROM movements WHERE id = (SELECT min(id) FROM movements)",
    ),
    "a fact is missing": ("history-unbroken", "order", "DELETE FROM order_events WHERE sequence = 2"),
    "an order's history is gone": ("history-unbroken", "order", "DELETE FROM order_events"),
    "an order is ahead of its history": (
        "history-unbroken",
        "order",
        "UPDATE orders SET version = version + 1",
    ),
    "nobody watches a saga": (
        "saga-awaited",
        "order",
        "UPDATE sagas SET deadline = NULL WHERE state = 'running'",
    ),
    "a posting is missing": (
        "entries-whole",
        "payment",
        "DELETE FROM postings WHERE id = (SELECT min(id) FROM postings)",
    ),
    "a captured payment is not in the journal": (
        "money-has-entries",
        "payment",
        "UPDATE journal_entries SET payment_number = payment_number + 1 WHERE kind = 'sale'",
    ),
}


@pytest.mark.parametrize("damage", SQL_DAMAGES)
def test_damage_that_only_the_databases_show_is_found(make_shop: Any, tmp_path: Path, damage: str) -> None:
    rule, service, sql = SQL_DAMAGES[damage]
    data = tmp_path / "books"
    shop = make_shop(data=data)
    shop.stock("TEA", 10)
    shop.place({"TEA": 3})
    shop.place({"TEA": 1}, card="tok_declined")
    shop.settle()
    shop.place({"TEA": 1})
    ground = Ground(data)
    with ground.hold():
        ground.write(
            PlatformState(
                topology="monolith", pid=1, phase=Phase.READY, url="http://nobody", started_at=datetime.now(UTC)
            )
        )
        settings = Settings(data=data)
        assert Databases.of(settings, elsewhere=True) is None
        databases = Databases.of(settings)
        assert databases is not None
        assert list(databases.broken()) == []
        with sqlite3.connect(data / f"{service}.sqlite3") as connection:
            connection.execute(sql)
        connection.close()
        assert {name for name, _, _ in databases.broken()} == {rule}
    assert Databases.of(settings) is None


def test_every_rule_of_the_databases_can_be_broken() -> None:
    assert {rule for rule, _, _ in SQL_DAMAGES.values()} == set(RULES)


def test_every_invariant_can_be_broken() -> None:
    assert set().union(*(expected for expected, _ in DAMAGES.values())) == set(INVARIANTS)
