"""Random mixes of orders, with every event possibly repeated and overtaken: the invariants hold."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from reference_impl.shared.bus import Delivery, EventBus
from reference_impl.shared.events import Event
from reference_impl.shared.faults import Faults
from reference_impl.verify import verify
from tests.unit.reference_impl.conftest import Shop, open_shop

SKUS = ("A", "B", "C")


class UnrulyBus(EventBus):
    """Keeps every promise of the bus and no more: each group gets each event, shuffled, some of them several times."""

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice
        self._events: list[Event] = []
        self._waiting: dict[str, list[Delivery]] = {}
        self._seen: dict[str, int] = {}

    def publish(self, events: Sequence[Event]) -> None:
        self._events += events

    def receive(self, group: str, *, limit: int, wait_seconds: float) -> list[Delivery]:
        waiting = self._waiting.setdefault(group, [])
        for event in self._events[self._seen.get(group, 0) :]:
            waiting += [Delivery(event, 0)] * self._dice.choice((1, 1, 2, 3))
        self._seen[group] = len(self._events)
        self._dice.shuffle(waiting)
        # Handing out only some lets later events overtake those that stay behind.
        return [waiting[index] for index in range(min(len(waiting), self._dice.randint(1, 3)))]

    def acknowledge(self, group: str, deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:
            self._waiting[group].remove(delivery)

    def lag(self, group: str) -> int:
        return len(self._waiting.get(group, [])) + len(self._events) - self._seen.get(group, 0)

    def close(self) -> None:
        self._events.clear()


ORDERS = st.lists(
    st.tuples(
        st.dictionaries(st.sampled_from(SKUS), st.integers(1, 4), min_size=1),
        st.sampled_from(("tok_visa", "tok_visa", "tok_declined")),
        st.sampled_from(("leave", "leave", "retry", "retry_declined", "cancel")),
    ),
    min_size=1,
    max_size=8,
)


# Without shrinking: an example takes a good part of a second, and the seed in it already says how to repeat it.
@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
@given(
    orders=ORDERS,
    stock=st.tuples(*[st.integers(1, 8)] * 3),
    seed=st.integers(0, 2**32),
    window=st.sampled_from((0, 60)),
)
def test_invariants_hold_whatever_is_repeated_and_reordered(
    orders: list[Any], stock: tuple[int, ...], seed: int, window: int
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        bus = UnrulyBus(random.Random(seed))
        shop = open_shop(bus, data=Path(directory) / "data", payment_window=window)
        try:
            for sku, units in zip(SKUS, stock, strict=True):
                shop.stock(sku, units)
            placed = [(shop.place(lines, card), then) for lines, card, then in orders]
            interleave(shop, random.Random(seed + 1))
            for order, then in placed:
                if then == "cancel":
                    shop.http.post(f"/orders/{order}/cancellation", json={"reason": "changed my mind"})
                elif then.startswith("retry"):
                    card = "tok_visa" if then == "retry" else "tok_declined"
                    shop.http.post(f"/orders/{order}/payment", json={"card": card})
            shop.settle()
            verdict = verify(shop.http, settle_seconds=0)
            assert verdict.clean, verdict.violations
            assert shop.http.get("/dead-letters").json() == []
            allowed = {"confirmed", "cancelled"} | ({"payment_declined"} if window else set())
            assert {shop.status(order) for order, _ in placed} <= allowed
        finally:
            shop.close()


def interleave(shop: Shop, dice: random.Random) -> None:
    """Some of the background work, in any order: where the customer's next request finds the orders is left to chance."""
    steps = [
        step.run_once
        for service in shop.built.runtime.services
        for step in (service.relay, service.consumer)
        if step
    ]
    for _ in range(dice.randint(0, 60)):
        dice.choice(steps)()


def test_the_real_bus_with_both_faults_on_keeps_the_invariants(make_shop: Any) -> None:
    shop = make_shop(faults="events.duplicate=0.5,events.reorder=0.5,payment.decline=0.4", payment_window=0)
    for sku in SKUS:
        shop.stock(sku, 9)
    dice = random.Random(5)
    orders = [shop.place({sku: dice.randint(1, 2) for sku in dice.sample(SKUS, 2)}) for _ in range(15)]
    shop.settle()
    types = shop.event_types()
    assert len(types) > len(set(types)) * 2
    events = shop.events()
    assert len(events) > len({event["id"] for event in events}), "no event was duplicated"
    assert {shop.status(order) for order in orders} <= {"confirmed", "cancelled"}
    assert verify(shop.http, settle_seconds=0).clean


def test_faults_are_reproducible_by_seed() -> None:
    one, same, other = Faults(7), Faults(7), Faults(8)
    for faults in (one, same, other):
        faults.set("payment.decline", 0.5)
    tokens = [str(number) for number in range(200)]
    hits = [[faults.hits("payment.decline", token) for token in tokens] for faults in (one, same, other)]
    assert hits[0] == hits[1] != hits[2]
    assert 60 < sum(hits[0]) < 140
