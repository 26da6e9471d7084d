"""Orders and payments on PostgreSQL: partitions, appends that collide, and a ledger that the database itself keeps in balance."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert, text
from sqlalchemy.exc import DBAPIError

from reference_impl.services.order.building import OUTBOX
from reference_impl.services.order.history import facts
from reference_impl.services.order.history.store import Conflict, EventStore
from reference_impl.services.order.ids import month_of, new_order_id
from reference_impl.services.order.saga import Terms, checkout
from reference_impl.services.payment.models import JournalEntry, Payment, Posting
from reference_impl.shared.buses.in_process import InProcessBus
from reference_impl.shared.database import Database
from reference_impl.shared.events import now
from reference_impl.shared.problems import Problem
from reference_impl.shared.settings import Saga
from reference_impl.verify import verify
from tests.fixtures.postgres import ScratchServer
from tests.unit.reference_impl.saga_platform import Platform, platform

pytestmark = pytest.mark.postgres

PLACED = facts.Placed(customer_id=None, lines=(), total_cents=0, currency="EUR", card="tok_visa")


@pytest.fixture(scope="module", params=list(Saga), ids=str)
def built(
    request: pytest.FixtureRequest, postgres: ScratchServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Platform]:
    directory: Path = tmp_path_factory.mktemp("meridian")
    prefix = f"t{secrets.token_hex(4)}"
    url = f"postgresql://postgres@/?host={postgres.socket_dir}"
    # A declined order waits for another card until a test pays it.
    options = {"database_url": url, "database_prefix": prefix, "database_pool": 6, "payment_window": 3600}
    with platform(directory, request.param, InProcessBus(directory), **options) as made:
        made.shop.http.post("/inventory/TEA/receipts", json={"quantity": 50}).raise_for_status()
        yield made
    with postgres.connect("postgres") as admin:
        for name in ("inventory", "order", "payment"):
            admin.execute(f'DROP DATABASE IF EXISTS "{prefix}_{name}" WITH (FORCE)')


def database_of(built: Platform, name: str) -> Database:
    found = next(service.database for service in built.runtime.services if service.name == name)
    assert found is not None
    return found


def test_checkouts_come_to_their_ends(built: Platform) -> None:
    paid, refunded = built.shop.place({"TEA": 2}), built.shop.place({"TEA": 3})
    declined = built.shop.place({"TEA": 1}, card="tok_declined")
    none = built.shop.place({"TEA": 1_000})
    built.settle()
    body = {"reason": "changed my mind", "refund": True}
    built.shop.http.post(f"/orders/{refunded}/cancellation", json=body).raise_for_status()
    built.settle()
    found = [built.shop.status(order) for order in (paid, refunded, declined, none)]
    assert found == ["confirmed", "cancelled", "payment_declined", "cancelled"]
    # All days: midnight may have come since the order was placed.
    assert sum(day["refunded_cents"] for day in built.shop.http.get("/orders/sales").json()) >= 300
    verdict = verify(built.shop.http, settle_seconds=0)
    assert verdict.clean, verdict.violations


def test_an_order_lies_in_the_partition_of_the_month_in_its_id(built: Platform) -> None:
    order = built.shop.place({"TEA": 1})
    with database_of(built, "order").read() as session:
        where = "SELECT DISTINCT tableoid::regclass::text FROM order_events WHERE order_id = :id"
        assert session.scalars(text(where), {"id": order}).all() == [f"order_events_{month_of(order):%Y_%m}"]
        plan = "EXPLAIN SELECT * FROM order_events WHERE month = :month AND order_id = :id"
        lines = session.scalars(text(plan), {"id": order, "month": month_of(order)}).all()
    assert len(set(re.findall(r"order_events_\d{4}_\d\d", " ".join(lines)))) == 1
    built.settle()


def test_partitions_are_there_ahead_of_time(built: Platform) -> None:
    with database_of(built, "order").read() as session:
        count = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'order_events'::regclass"
        assert session.scalar(text(count)) == 3
    with pytest.raises(DBAPIError, match="no partition"), database_of(built, "order").write() as session:
        EventStore(session, 20).append(new_order_id(datetime(2001, 1, 1, tzinfo=UTC)), 0, [PLACED])


def test_of_two_who_append_the_same_fact_one_learns_it_and_may_go_on(built: Platform) -> None:
    database = database_of(built, "order")
    order = new_order_id(now())
    with database.write() as session:
        EventStore(session, 20).append(order, 0, [PLACED])

    def append(_number: int) -> bool:
        with database.write() as session:
            store = EventStore(session, 20)
            try:
                store.append(order, 1, [facts.StockReserved(), facts.PaymentAsked(attempt=1, card="tok_visa")])
            except Conflict:
                assert store.load(order) is not None  # the transaction is still good
                return False
            return True

    with ThreadPoolExecutor(5) as pool:
        assert sorted(pool.map(append, range(5))) == [False] * 4 + [True]
    with database.read() as session:
        assert [item.sequence for item in EventStore(session, 20).history(order)] == [1, 2, 3]


def test_many_who_change_one_order_at_once_change_it_once(built: Platform) -> None:
    order = built.shop.place({"TEA": 1}, card="tok_declined")
    built.settle()

    def pay(_number: int) -> str:
        return _answer(built, order)

    with ThreadPoolExecutor(5) as pool:
        answers = sorted(pool.map(pay, range(5)))
    assert answers == ["409"] * 4 + ["paid"]
    built.settle()
    assert built.shop.status(order) == "confirmed"


def _answer(built: Platform, order: str) -> str:
    wait = timedelta(seconds=60)
    terms = Terms(
        payment_window=wait,
        pending_timeout=wait,
        step_timeout=wait,
        step_tries=3,
        shipping=False,
        snapshot_every=20,
    )
    with database_of(built, "order").write() as session:
        try:
            checkout(built.settings.saga, terms, OUTBOX).pay_again(session, order, "tok_visa")
        except Problem as refused:
            return str(refused.status)
    return "paid"


def test_postgres_refuses_an_entry_that_does_not_add_up(built: Platform) -> None:
    payment = Payment(
        order_id="0" * 32, attempt=1, amount_cents=100, currency="EUR", card="tok_visa", correlation_id="c"
    )

    def book(*amounts: int) -> None:
        with database_of(built, "payment").write() as session:
            session.merge(payment)
            session.flush()
            number = session.scalar(text("SELECT max(number) FROM payments"))
            entry = {"id": secrets.token_hex(16), "payment_number": number, "kind": "sale", "postings": 2}
            session.execute(insert(JournalEntry).values(**entry, occurred_at=now()))
            for account, cents in zip(("revenue", "refunds"), amounts, strict=True):
                row = {"entry_id": entry["id"], "account": account, "amount_cents": cents, "currency": "EUR"}
                session.execute(insert(Posting).values(row))
            if sum(amounts) == 0:
                session.rollback()

    with pytest.raises(DBAPIError, match="do not add up to zero"):
        book(-100, 99)
