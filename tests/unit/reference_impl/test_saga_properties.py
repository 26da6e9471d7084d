"""Whatever is repeated, overtaken or killed, at whatever step: the invariants hold, in both variants of the saga."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from reference_impl.shared.settings import Saga
from reference_impl.verify import verify
from tests.unit.reference_impl.saga_platform import Killed, Platform, platform
from tests.unit.reference_impl.test_invariants import UnrulyBus

SKUS = ("A", "B")
COMMITS_OF_A_CHECKOUT = 14
"""At least as many commits as all services together need for one order."""

ORDERS = st.lists(
    st.tuples(
        st.dictionaries(st.sampled_from(SKUS), st.integers(1, 3), min_size=1),
        st.sampled_from(("tok_visa", "tok_visa", "tok_visa", "tok_declined", "tok_stolen")),
        st.sampled_from(("leave", "pay_again", "cancel", "refund", "refund")),
    ),
    min_size=1,
    max_size=4,
)


# Without shrinking: an example takes a good part of a second, and the seed in it already says how to repeat it.
@settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
@given(
    orders=ORDERS,
    stock=st.integers(1, 6),
    seed=st.integers(0, 2**32),
    lost=st.sampled_from((0, 0, 0.3)),
    impatient=st.booleans(),
    shipping=st.booleans(),
)
@pytest.mark.parametrize("variant", list(Saga), ids=str)
def test_invariants_hold_whatever_happens(
    variant: Saga, orders: list[Any], stock: int, seed: int, lost: float, impatient: bool, shipping: bool
) -> None:
    dice = random.Random(seed)
    sections = {"order_snapshot_every": "3"}
    if impatient:  # commands are sent again, and payments given up, while they are under way
        sections |= {"order_step_timeout": "0.001", "order_step_tries": "3"}
    with (
        tempfile.TemporaryDirectory() as directory,
        platform(Path(directory), variant, UnrulyBus(dice), sections=sections, shipping=shipping) as built,
    ):
        built.shipping.takes_part = shipping
        built.faults.set("payment.lost-answers", lost)
        built.faults.set("payment.double-webhook", lost)
        for sku in SKUS:
            built.shop.http.post(f"/inventory/{sku}/receipts", json={"quantity": stock}).raise_for_status()
        placed = [(built.shop.place(lines, card), then) for lines, card, then in orders]
        for _ in range(2):
            stumble(built, dice)
            for order, then in dice.sample(placed, len(placed)):
                act(built, order, then)
        built.settle(rounds=500)
        built.shipping.dispatch(deliver=dice.random() < 0.5)
        built.settle(rounds=500)
        assert_holds(built, shipping=shipping)


@pytest.mark.parametrize("after", [False, True], ids=["before-commit", "after-commit"])
@pytest.mark.parametrize("variant", list(Saga), ids=str)
def test_a_crash_at_any_commit_is_survived(variant: Saga, after: bool, tmp_path: Path) -> None:
    """The process dies at its first commit, is started again, dies at its second, and so on."""
    died = 0
    with platform(tmp_path, variant, UnrulyBus(random.Random(7))) as built:
        built.shipping.takes_part = False
        built.shop.http.post("/inventory/A/receipts", json={"quantity": 100}).raise_for_status()
        for number in range(2 if after else 1, COMMITS_OF_A_CHECKOUT + 1, 2):
            paid, refunded = built.shop.place({"A": 1}), built.shop.place({"A": 1})
            built.settle()
            built.shop.place({"A": 1}, card="tok_declined")
            act(built, refunded, "refund")
            new = built.shop.place({"A": 1})
            built.killed_after_commit, built.commits_left = after, number
            try:
                for _ in range(30):
                    for step in built.steps():
                        step()
            except Killed:
                died += 1
                built.kill()
                built.start()
            built.commits_left = None
            built.settle()
            assert (built.shop.status(paid), built.shop.status(new)) == ("confirmed", "confirmed")
            assert built.shop.status(refunded) == "cancelled"
        assert died == COMMITS_OF_A_CHECKOUT // 2
        assert_holds(built, shipping=False)


def stumble(built: Platform, dice: random.Random) -> None:
    """Some of the background work, in any order; the process may die on the way and is started again."""
    if dice.random() < 0.6:
        built.killed_after_commit = dice.random() < 0.5
        built.commits_left = dice.randint(1, 40)
    try:
        for _ in range(dice.randint(0, 60)):
            dice.choice(built.steps())()
    except Killed:
        built.kill()
        built.start()
    built.commits_left = None


def act(built: Platform, order: str, then: str) -> None:
    """What the customer does next; it may be refused."""
    if then == "pay_again":
        built.shop.http.post(f"/orders/{order}/payment", json={"card": "tok_visa"})
    elif then != "leave":
        body = {"reason": "changed my mind", "refund": then == "refund"}
        built.shop.http.post(f"/orders/{order}/cancellation", json=body)


def assert_holds(built: Platform, *, shipping: bool) -> None:
    verdict = verify(built.shop.http, settle_seconds=0)
    assert verdict.clean, verdict.violations
    charges = built.charges()
    assert max(charges.values(), default=0) <= 1, "an order was charged twice"
    for order in built.shop.http.get("/orders", params={"limit": 200}).json()["orders"]:
        allowed = {"cancelled", "payment_declined"} | ({"shipped", "delivered"} if shipping else {"confirmed"})
        assert order["status"] in allowed
        if order["status"] in ("confirmed", "shipped", "delivered"):
            assert charges[order["id"]] == 1
        sent = built.shipping.shipments.get(order["id"]) == "dispatched"
        assert not (sent and order["status"] == "cancelled"), "sent, and refunded"
