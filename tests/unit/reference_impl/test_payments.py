"""Money: taken once, looked up when an answer is lost, booked twice on two sides, told by webhooks that need no belief."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, insert, select
from sqlalchemy.exc import IntegrityError

from reference_impl.services.payment import ledger, signatures
from reference_impl.services.payment.gateway import Charge
from reference_impl.services.payment.gateway.simulated import SimulatedGateway
from reference_impl.services.payment.gateway.tables import GatewayNotice
from reference_impl.services.payment.models import (
    Account,
    EntryKind,
    JournalEntry,
    Payment,
    PaymentStatus,
    Posting,
)
from reference_impl.services.payment.plan import Operation, next_operation
from reference_impl.services.payment.settings import PaymentSettings
from reference_impl.shared.buses.in_process import InProcessBus
from reference_impl.shared.database import Database
from reference_impl.shared.events import new_id, now
from reference_impl.shared.problems import Problem
from reference_impl.shared.settings import Saga
from tests.unit.reference_impl.saga_platform import Platform, platform

SECRET = PaymentSettings().webhook_secret
PATH = "/payments/webhooks/gateway"


@pytest.fixture
def built(tmp_path: Path) -> Iterator[Platform]:
    with platform(tmp_path, Saga.ORCHESTRATED, InProcessBus(tmp_path)) as made:
        made.shop.http.post("/inventory/TEA/receipts", json={"quantity": 10}).raise_for_status()
        yield made


def database_of(built: Platform) -> Database:
    found = next(service.database for service in built.runtime.services if service.name == "payment")
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("status", "closed", "wanted", "operation"),
    [
        (PaymentStatus.REQUESTED, False, False, Operation.AUTHORISE),
        (PaymentStatus.REQUESTED, True, True, Operation.VOID),
        (PaymentStatus.AUTHORISED, False, False, None),
        (PaymentStatus.AUTHORISED, False, True, Operation.CAPTURE),
        (PaymentStatus.AUTHORISED, True, True, Operation.VOID),
        (PaymentStatus.CAPTURED, False, True, None),
        (PaymentStatus.CAPTURED, True, True, Operation.REFUND),
        *[(status, True, True, None) for status in ("declined", "voided", "refunded")],
    ],
)
def test_what_is_asked_next(status: str, closed: bool, wanted: bool, operation: Operation | None) -> None:
    assert next_operation(PaymentStatus(status), closed=closed, capture_wanted=wanted) is operation


@pytest.mark.parametrize(
    ("card", "code", "final"),
    [
        ("tok_insufficient_funds", "insufficient_funds", False),
        ("tok_do_not_honor", "do_not_honor", False),
        ("tok_expired", "expired_card", True),
        ("tok_fraud", "suspected_fraud", True),
    ],
)
def test_cards_are_declined_for_their_reasons(built: Platform, card: str, code: str, final: bool) -> None:
    order = built.shop.place({"TEA": 1}, card=card)
    built.settle()
    (payment,) = built.shop.http.get("/payments", params={"order_id": order}).json()["payments"]
    assert (payment["status"], payment["decline_code"], payment["decline_final"]) == ("declined", code, final)
    (declined,) = [event for event in built.bus.read(0, 100) if event.event.type == "PaymentDeclined"]  # type: ignore[attr-defined]
    assert declined.event.payload["final"] is final


def test_a_payment_that_fails_keeps_none_that_was_asked_for_with_it(
    built: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    authorise = SimulatedGateway.authorise
    first, broken, last = (built.shop.place({"TEA": 1}) for _ in range(3))

    def fail_for_one(gateway: SimulatedGateway, key: str, **wanted: Any) -> Charge:
        if key.startswith(broken):
            raise RuntimeError("the gateway's books are closed")
        return authorise(gateway, key, **wanted)

    with monkeypatch.context() as patched:
        patched.setattr(SimulatedGateway, "authorise", fail_for_one)
        built.runtime.settle()
    assert [built.shop.status(order) for order in (first, broken, last)] == [
        "confirmed",
        "payment_pending",
        "confirmed",
    ]
    built.settle()
    assert built.shop.status(broken) == "confirmed"
    assert built.charges() == {first: 1, broken: 1, last: 1}


def test_webhooks_that_come_twice_and_in_no_order_change_nothing(built: Platform) -> None:
    built.faults.set("payment.double-webhook", 1)
    order = built.shop.place({"TEA": 1})
    built.runtime.settle()
    with database_of(built).write() as session:
        notices = session.scalars(select(GatewayNotice).order_by(GatewayNotice.number.desc())).all()
        assert [notice.body["type"] for notice in notices] == ["charge.captured"] * 2 + [
            "charge.authorised"
        ] * 2
        for notice in notices:
            notice.due = now()
    built.settle()
    assert built.shop.status(order) == "confirmed"
    assert built.charges()[order] == 1
    assert [item["type"] for item in events(built)].count("PaymentCaptured") == 1


def test_a_lost_answer_is_told_by_webhook_before_anybody_asks(tmp_path: Path) -> None:
    sections = {"payment_ask_again": "60"}
    with platform(tmp_path, Saga.CHOREOGRAPHED, InProcessBus(tmp_path), sections=sections) as built:
        built.shop.http.post("/inventory/TEA/receipts", json={"quantity": 10}).raise_for_status()
        built.faults.set("payment.lost-answers", 1)
        order = built.shop.place({"TEA": 1})
        built.runtime.settle()
        assert built.shop.status(order) == "payment_pending"
        built.faults.clear()
        built.settle(rounds=400)
        assert built.shop.status(order) == "confirmed"
        assert built.charges()[order] == 1


def test_an_unknown_outcome_is_looked_up_even_if_no_answer_and_no_webhook_ever_comes(built: Platform) -> None:
    built.faults.set("payment.lost-answers", 1)
    order = built.shop.place({"TEA": 1})
    for _ in range(100):
        built.runtime.settle()
        with database_of(built).write() as session:
            session.execute(delete(GatewayNotice))
        for service in built.runtime.services:
            for chore in service.chores:
                chore.run()
        if built.shop.status(order) == "confirmed":
            break
        time.sleep(0.002)
    assert built.shop.status(order) == "confirmed"
    assert built.charges()[order] == 1


def events(built: Platform) -> list[dict[str, object]]:
    bus = built.bus
    assert isinstance(bus, InProcessBus)
    return [{"type": delivery.event.type} for delivery in bus.read(0, 500)]


def test_only_the_gateway_is_heard_and_only_once(built: Platform) -> None:
    order = built.shop.place({"TEA": 1})
    built.settle()
    body = json.dumps({"id": new_id(), "key": f"{order}:1", "state": "refunded"}).encode()

    def post(signature: str, content: bytes = body) -> tuple[int, str]:
        answer = built.shop.http.post(PATH, content=content, headers={signatures.HEADER: signature})
        return answer.status_code, str(answer.json().get("type", answer.json().get("fresh"))).split(":")[-1]

    good = signatures.sign(body, SECRET, time.time())
    assert post(signatures.sign(body, "another secret of length", time.time())) == (401, "bad-signature")
    assert post(good, body.replace(b"refunded", b"captured")) == (401, "bad-signature")
    assert post("t=1,v1=" + "0" * 64) == (401, "bad-signature")
    assert post("nonsense") == (401, "bad-signature")
    assert post(signatures.sign(body, SECRET, time.time() - 301)) == (401, "stale-signature")
    assert post(good) == (200, "True")
    assert post(good) == (200, "False")
    # It said "refunded", and the gateway's books say otherwise.
    assert (
        built.shop.http.get("/payments", params={"order_id": order}).json()["payments"][0]["status"]
        == "captured"
    )
    unknown = json.dumps({"id": new_id(), "key": f"{'0' * 32}:1"}).encode()
    assert post(signatures.sign(unknown, SECRET, time.time()), unknown) == (422, "unknown-charge")
    assert post(signatures.sign(b"{}", SECRET, time.time()), b"{}") == (422, "invalid-webhook")


def test_a_signature_of_the_future_is_refused_too() -> None:
    with pytest.raises(Problem, match="future"):
        signatures.check(signatures.sign(b"x", "s", 1_000), b"x", "s", at=100, tolerance_seconds=300)


@pytest.fixture
def payment(built: Platform) -> Iterator[Payment]:
    order = built.shop.place({"TEA": 1})
    built.settle()
    with database_of(built).write() as session:
        yield session.scalars(select(Payment).where(Payment.order_id == order)).one()


def test_an_entry_that_does_not_add_up_is_refused_by_the_code_and_by_the_database(
    built: Platform, payment: Payment
) -> None:
    from sqlalchemy.orm import object_session

    session = object_session(payment)
    assert session is not None
    with pytest.raises(ledger.Unbalanced):
        ledger.post(session, payment, {EntryKind.REFUND: {Account.REFUNDS: 100, Account.GATEWAY_CLEARING: -99}})
    entry = {"id": new_id(), "payment_number": payment.number, "kind": EntryKind.REFUND, "postings": 2}
    sides = [(Account.REFUNDS, 100), (Account.GATEWAY_CLEARING, -99)]
    lines = [
        {"entry_id": entry["id"], "account": name, "amount_cents": cents, "currency": "EUR"}
        for name, cents in sides
    ]
    with session.begin_nested():
        session.execute(insert(JournalEntry).values(**entry, occurred_at=now()))
        with pytest.raises(IntegrityError, match="do not add up to zero"):
            session.execute(insert(Posting), lines)
    assert ledger.unbalanced_entries(session) == [entry["id"]]  # and one without its postings is found
    session.rollback()


def test_one_order_has_one_charge_whatever_is_asked(built: Platform) -> None:
    order = built.shop.place({"TEA": 1})
    built.settle()
    second = Payment(
        order_id=order, attempt=2, amount_cents=1, currency="EUR", card="tok_visa", correlation_id="c",
        status=PaymentStatus.CAPTURED,
    )  # fmt: skip
    with pytest.raises(IntegrityError), database_of(built).write() as session:
        session.add(second)
