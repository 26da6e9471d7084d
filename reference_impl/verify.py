"""Meridian's invariants, checked from outside over HTTP: what must hold whatever was retried, repeated, reordered or killed."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from reference_impl.client import pages
from reference_impl.verify_databases import Databases

PAID = ("confirmed", "cancelling", "shipped", "delivered")
OPEN_PAYMENT = ("requested", "authorised", "captured")
ONCE = ("reserved", "sold", "released", "restocked")
"""Reasons of movements that an order can have once; a correction by hand has another one."""
POLL_SECONDS = 0.2

INVARIANTS: Mapping[str, str] = {
    "stock-balanced": "Of each SKU, available + reserved + sold = stocked, and none is below zero.",
    "no-oversell": "Of each SKU, no more is confirmed or promised to live orders than was ever stocked.",
    "reserved-explained": "Of each SKU, what is reserved is what live orders hold: no more, no less.",
    "confirmed-has-goods": "A confirmed order has all its units sold to it, and none given away.",
    "dead-order-holds-nothing": "A cancelled order, or a declined one whose time is over, holds no stock.",
    "one-capture": "A paid order has one captured payment of its total; any other order has none.",
    "cancelled-undone": "Of a cancelled order nothing is set aside or taken, and what was taken is known to be back.",
    "ledger-balanced": "Every entry of the ledger adds up to zero, and sales less refunds are what captured payments brought.",
    "handled-once": "No event took effect twice: no order's units were reserved, sold or released a second time.",
    "projections-replayed": "Every order is what its history makes of it, replayed from the first event on.",
    "outbox-drained": "No outbox and no consumer always has events waiting.",
    "nothing-stuck": "No order is pending, and no payment under way, for longer than it may be.",
    "nothing-parked": "No consumer gave up on an event.",
}


@dataclass(frozen=True)
class Violation:
    """One way in which one invariant is broken."""

    invariant: str
    subject: str
    """The SKU, order or event."""
    detail: str


@dataclass(frozen=True)
class Snapshot:
    """Everything the invariants speak of, as the API shows it."""

    stock: list[dict[str, Any]]
    orders: list[dict[str, Any]]
    reservations: list[dict[str, Any]]
    payments: list[dict[str, Any]]
    movements: list[dict[str, Any]]
    ledger: dict[str, Any]
    differences: list[dict[str, Any]]
    """Where an order is not what a replay of its history makes of it."""
    backlog: dict[str, int]
    """Service → events that wait in its outbox or before its consumer."""
    parked: list[dict[str, Any]]
    taken_at: datetime


@dataclass(frozen=True)
class Verdict:
    """What was looked at, and what is broken."""

    orders: int
    skus: int
    violations: list[Violation]

    @property
    def clean(self) -> bool:
        """Whether every invariant holds."""
        return not self.violations


def verify(
    client: httpx.Client,
    *,
    settle_seconds: float = 5.0,
    stuck_seconds: float = 30.0,
    processes: Sequence[str] = ("",),
    databases: Databases | None = None,
) -> Verdict:
    """Look until every invariant holds or the time to settle is over; the verdict of the last look.

    `processes` are the base URLs at which each process is asked for what only it knows; one process needs none.
    `databases` are read for what nobody tells over HTTP.

    Reading over HTTP is no snapshot: an order may move between two requests, so a first impression doesn't count. And parcels
    travel for minutes, so that something may always be on its way: a queue that was seen empty once has lost nothing of before.
    """
    deadline = time.monotonic() + settle_seconds
    least: dict[str, int] = {}
    while True:
        snapshot = read(client, processes)
        least = {name: min(waiting, least.get(name, waiting)) for name, waiting in snapshot.backlog.items()}
        snapshot = replace(snapshot, backlog=least)
        found = violations(snapshot, stuck_seconds)
        if databases is not None:
            found += [Violation(*broken) for broken in databases.broken()]
        verdict = Verdict(len(snapshot.orders), len(snapshot.stock), found)
        if verdict.clean or time.monotonic() >= deadline:
            return verdict
        time.sleep(POLL_SECONDS)


def read(client: httpx.Client, processes: Sequence[str] = ("",)) -> Snapshot:
    """Everything there is, page by page. Raises httpx.HTTPError, and ValueError when there is more than `client.MOST_ROWS`."""
    stock = list(pages(client, "/inventory", "stock"))
    # 503 when a part is down; which part and how far behind is in the body all the same.
    parts = [part for base in processes for part in client.get(f"{base}/health/readiness").json()["parts"]]
    return Snapshot(
        stock=stock,
        orders=list(pages(client, "/orders", "orders")),
        reservations=list(pages(client, "/inventory/reservations", "reservations")),
        payments=list(pages(client, "/payments", "payments")),
        movements=list(pages(client, "/inventory/movements", "movements")),
        ledger=client.get("/payments/ledger/balance").raise_for_status().json(),
        differences=list(pages(client, "/orders/projections/audit", "differences")),
        backlog={part["name"]: part["backlog"] for part in parts},
        parked=[
            letter
            for base in processes
            for letter in client.get(f"{base}/dead-letters", params={"limit": 500}).raise_for_status().json()
        ],
        taken_at=datetime.now(UTC),
    )


def violations(snapshot: Snapshot, stuck_seconds: float) -> list[Violation]:
    """Every way in which this snapshot breaks an invariant, in the order of INVARIANTS."""
    found = [violation for check in _CHECKS for violation in check(snapshot)]
    return found + list(_stuck(snapshot, timedelta(seconds=stuck_seconds))) + list(_parked(snapshot))


def _live(order: dict[str, Any], at: datetime) -> bool:
    """Whether an order may hold stock: its stock is asked for, or its payment is under way or may still be made."""
    if order["status"] == "payment_declined":
        return order["pay_by"] is not None and datetime.fromisoformat(order["pay_by"]) > at
    return order["status"] in ("pending", "payment_pending")


def _balanced(snapshot: Snapshot) -> Iterator[Violation]:
    for stock in snapshot.stock:
        counters = [stock[name] for name in ("available", "reserved", "sold")]
        if sum(counters) != stock["stocked"] or min(counters) < 0:
            detail = "{available} available + {reserved} reserved + {sold} sold, {stocked} stocked".format(
                **stock
            )
            yield Violation("stock-balanced", stock["sku"], detail)


def _oversold(snapshot: Snapshot) -> Iterator[Violation]:
    promised: Counter[str] = Counter()
    orders = {order["id"]: order for order in snapshot.orders}
    for line in snapshot.reservations:
        order = orders.get(line["order_id"])
        if order is not None and (order["status"] in PAID or _live(order, snapshot.taken_at)):
            promised[line["sku"]] += line["quantity"]
    for stock in snapshot.stock:
        if promised[stock["sku"]] > stock["stocked"]:
            detail = f"{promised[stock['sku']]} promised or sold, {stock['stocked']} stocked"
            yield Violation("no-oversell", stock["sku"], detail)


def _explained(snapshot: Snapshot) -> Iterator[Violation]:
    held: Counter[str] = Counter()
    orders = {order["id"]: order for order in snapshot.orders}
    for line in snapshot.reservations:
        order = orders.get(line["order_id"])
        if order is not None and _live(order, snapshot.taken_at):
            held[line["sku"]] += line["quantity"]
    for stock in snapshot.stock:
        if stock["reserved"] != held[stock["sku"]]:
            detail = f"{stock['reserved']} reserved, live orders hold {held[stock['sku']]}"
            yield Violation("reserved-explained", stock["sku"], detail)


def _goods(snapshot: Snapshot) -> Iterator[Violation]:
    lines: dict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
    for reserved in snapshot.reservations:
        lines[reserved["order_id"]][reserved["sku"]] = reserved
    for order in snapshot.orders:
        if order["status"] not in PAID:
            continue
        for wanted in order["lines"]:
            line = lines[order["id"]].get(wanted["sku"])
            sold = 0 if line is None else line["sold"] - line["released"]
            if sold != wanted["quantity"]:
                detail = f"{sold} of {wanted['quantity']} {wanted['sku']} sold to it"
                yield Violation("confirmed-has-goods", order["id"], detail)


def _dead(snapshot: Snapshot) -> Iterator[Violation]:
    orders = {order["id"]: order for order in snapshot.orders}
    for line in snapshot.reservations:
        order = orders.get(line["order_id"])
        if order is None or order["status"] in PAID or _live(order, snapshot.taken_at):
            continue
        if line["outstanding"] != 0:
            still = f"still holds {line['outstanding']} {line['sku']}"
            over = f"{-line['outstanding']} {line['sku']} too many released"
            detail = f"{order['status']}, {still if line['outstanding'] > 0 else over}"
            yield Violation("dead-order-holds-nothing", order["id"], detail)


def _captured_once(snapshot: Snapshot) -> Iterator[Violation]:
    captured: dict[str, list[int]] = defaultdict(list)
    for payment in snapshot.payments:
        if payment["status"] == "captured":
            captured[payment["order_id"]].append(payment["amount_cents"])
    for order in snapshot.orders:
        amounts = captured[order["id"]]
        if order["status"] in PAID and amounts != [order["total_cents"]]:
            yield Violation(
                "one-capture", order["id"], f"captured {amounts} for a total of {order['total_cents']}"
            )
        if order["status"] in ("cancelled", "payment_declined") and amounts:
            yield Violation("one-capture", order["id"], f"{order['status']}, yet captured {amounts}")


def _undone(snapshot: Snapshot) -> Iterator[Violation]:
    cancelled = {order["id"]: order for order in snapshot.orders if order["status"] == "cancelled"}
    for payment in snapshot.payments:
        order = cancelled.get(payment["order_id"])
        if order is None:
            continue
        if payment["status"] in OPEN_PAYMENT:
            yield Violation(
                "cancelled-undone", order["id"], f"payment attempt {payment['attempt']} is {payment['status']}"
            )
        elif payment["status"] == "refunded" and not order["money_returned"]:
            yield Violation("cancelled-undone", order["id"], "refunded, and the order has not heard of it")


def _ledger(snapshot: Snapshot) -> Iterator[Violation]:
    for entry in snapshot.ledger["unbalanced_entries"]:
        yield Violation("ledger-balanced", entry, "its postings do not add up to zero")
    brought: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for balance in snapshot.ledger["accounts"]:
        total[balance["currency"]] += balance["cents"]
        if balance["account"] in ("revenue", "refunds"):
            brought[balance["currency"]] -= balance["cents"]
    for payment in snapshot.payments:
        if payment["status"] == "captured":
            brought[payment["currency"]] -= payment["amount_cents"]
    for currency in sorted({*brought, *total}):
        if total[currency]:
            yield Violation(
                "ledger-balanced", currency, f"all accounts together have {total[currency]} too many"
            )
        if brought[currency]:
            detail = f"sales less refunds are {brought[currency]} more than what captured payments brought"
            yield Violation("ledger-balanced", currency, detail)


def _handled_once(snapshot: Snapshot) -> Iterator[Violation]:
    moved = Counter(
        (movement["order_id"], movement["sku"], movement["reason"])
        for movement in snapshot.movements
        if movement["order_id"] is not None and movement["reason"] in ONCE
    )
    for (order, sku, reason), times in moved.items():
        if times > 1:
            yield Violation("handled-once", order, f"{sku} {reason} {times} times")


def _replayed(snapshot: Snapshot) -> Iterator[Violation]:
    for difference in snapshot.differences:
        detail = "{column} is {projected}, its history says {replayed}".format(**difference)
        yield Violation("projections-replayed", difference["order_id"], detail)


def _drained(snapshot: Snapshot) -> Iterator[Violation]:
    for service, waiting in snapshot.backlog.items():
        if waiting:
            yield Violation("outbox-drained", service, f"{waiting} events wait")


def _stuck(snapshot: Snapshot, patience: timedelta) -> Iterator[Violation]:
    for order in snapshot.orders:
        age = snapshot.taken_at - datetime.fromisoformat(order["updated_at"])
        if order["status"] in ("pending", "payment_pending") and age > patience:
            yield Violation("nothing-stuck", order["id"], f"{order['status']} for {age.total_seconds():.0f} s")


def _parked(snapshot: Snapshot) -> Iterator[Violation]:
    for item in snapshot.parked:
        detail = f"{item['consumer']} gave up on {item['event']['type']}: {item['error']}"
        yield Violation("nothing-parked", item["event"]["id"], detail)


_CHECKS: tuple[Callable[[Snapshot], Iterator[Violation]], ...] = (
    _balanced,
    _oversold,
    _explained,
    _goods,
    _dead,
    _captured_once,
    _undone,
    _ledger,
    _handled_once,
    _replayed,
    _drained,
)
