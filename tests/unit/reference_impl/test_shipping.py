"""Shipments: one an order, whatever is said twice or in the wrong order, and moved on by the clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from reference_impl.services.shipping.carriers import TARIFFS, Zone, quotes
from reference_impl.services.shipping.tracking import SERIALS, check_digit, is_valid, tracking_number
from reference_impl.shared.events import new_id
from tests.unit.reference_impl.lone import Lone

AT_ONCE = {f"shipping_{name}_seconds": "0" for name in ("pack", "handover", "transit")}
NEVER = {"shipping_pack_seconds": "86400"}
MakeHouse = Callable[..., Lone]


@pytest.fixture
def make_house(tmp_path: Path) -> Iterator[MakeHouse]:
    made: list[Lone] = []

    def make(**options: Any) -> Lone:
        options.setdefault("sections", AT_ONCE)
        made.append(Lone("shipping", tmp_path / f"house-{len(made)}", **options))
        return made[-1]

    yield make
    for house in made:
        house.close()


@pytest.fixture
def house(make_house: MakeHouse) -> Lone:
    """A shipping service where everything's time has come at once."""
    return make_house()


def create(house: Lone, order: str, customer: str | None = "c1", event_id: str | None = None) -> None:
    lines = [{"sku": "TEA", "quantity": 2}]
    house.say("CreateShipment", order, event_id, order_id=order, customer_id=customer, lines=lines)


def shipments(house: Lone, **query: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (
        house.http.get("/shipments", params=query).raise_for_status().json()["shipments"]
    )
    return found


def test_a_parcel_is_packed_dispatched_carried_and_delivered(house: Lone) -> None:
    order = new_id()
    create(house, order)
    house.settle()
    [shipment] = shipments(house, order_id=order)
    assert (shipment["state"], shipment["tracking_number"]) == ("created", None)
    states = []
    for _ in range(4):
        house.tick()
        states.append(shipments(house)[0]["state"])
    assert states == ["dispatched", "in_transit", "delivered", "delivered"]
    assert house.heard() == ["ShipmentCreated", "ShipmentDispatched", "ShipmentDelivered"]
    dispatched = house.said()[1]
    assert dispatched.key == order
    assert dispatched.payload == {
        "order_id": order,
        "shipment_id": shipment["id"],
        "customer_id": "c1",
        "carrier": shipment["carrier"],
        "tracking_number": shipments(house)[0]["tracking_number"],
    }
    way = house.http.get(f"/shipments/{shipment['id']}/tracking").raise_for_status().json()
    assert [entry["state"] for entry in way["history"]] == ["created", "dispatched", "in_transit", "delivered"]
    assert is_valid(way["tracking_number"])


def test_nothing_leaves_before_its_time(make_house: MakeHouse) -> None:
    house = make_house(sections=NEVER)
    create(house, new_id())
    house.settle()
    house.tick()
    assert shipments(house)[0]["state"] == "created"


def test_the_arrival_is_foretold_once_a_carrier_has_it(make_house: MakeHouse) -> None:
    house, order = make_house(sections=AT_ONCE | {"shipping_transit_seconds": "3600"}), new_id()
    create(house, order)
    house.settle()
    path = f"/shipments/{shipments(house)[0]['id']}/tracking"
    assert house.http.get(path).json()["expected_at"] is None
    house.tick()
    foretold = house.http.get(path).json()["expected_at"]
    house.tick()
    assert foretold is not None
    assert house.http.get(path).json()["expected_at"] is not None
    house.tick()
    assert shipments(house)[0]["state"] == "in_transit"


def test_a_command_given_twice_is_answered_twice_and_carried_out_once(house: Lone) -> None:
    order = new_id()
    for _ in range(2):
        create(house, order)
    house.settle()
    assert len(shipments(house)) == 1
    assert house.heard() == ["ShipmentCreated", "ShipmentCreated"]
    house.tick()
    create(house, order)
    house.settle()
    assert house.heard()[2:] == ["ShipmentDispatched", "ShipmentDispatched"]


def test_the_same_event_twice_is_one(house: Lone) -> None:
    order = new_id()
    for _ in range(2):
        create(house, order, event_id="1" * 32)
    house.settle()
    assert house.heard() == ["ShipmentCreated"]


@pytest.mark.parametrize(("saga", "sent"), [("choreographed", 1), ("orchestrated", 0)])
def test_only_without_a_leader_a_confirmed_order_is_sent_by_itself(
    make_house: MakeHouse, saga: str, sent: int
) -> None:
    house, order = make_house(saga=saga), new_id()
    lines = [{"sku": "TEA", "quantity": 1}]
    house.say("OrderConfirmed", order, order_id=order, attempt=1, customer_id=None, lines=lines)
    house.settle()
    assert len(shipments(house)) == sent


def test_a_shipment_in_the_house_is_cancelled_and_stays_there(house: Lone) -> None:
    order = new_id()
    create(house, order)
    house.say("CancelShipment", order, order_id=order)
    house.settle()
    house.tick()
    assert shipments(house)[0]["state"] == "cancelled"
    assert house.heard() == ["ShipmentCreated", "ShipmentCancelled"]


def test_a_parcel_that_has_left_is_not_called_back(house: Lone) -> None:
    order = new_id()
    create(house, order)
    house.settle()
    house.tick()
    name = "meridian_shipping_cancellations_refused_total"
    before = REGISTRY.get_sample_value(name) or 0.0
    house.say("CancelShipment", order, order_id=order)
    house.settle()
    assert house.heard()[-2:] == ["ShipmentDispatched", "ShipmentDispatched"]
    house.say("OrderCancelled", order, order_id=order, reason="customer", after_decline=False, customer_id=None)
    house.settle()
    assert shipments(house)[0]["state"] == "dispatched"
    assert REGISTRY.get_sample_value(name) == before + 2
    house.tick()
    house.tick()
    house.say("CancelShipment", order, order_id=order)
    house.settle()
    assert house.heard()[-2:] == ["ShipmentDelivered", "ShipmentDelivered"]


@pytest.mark.parametrize("first", ["CancelShipment", "OrderCancelled"])
def test_a_cancellation_that_comes_first_wins(house: Lone, first: str) -> None:
    order = new_id()
    house.say(first, order, order_id=order)
    create(house, order)
    house.settle()
    house.tick()
    assert [item["state"] for item in shipments(house)] == ["cancelled"]
    assert set(house.heard()) == {"ShipmentCancelled"}


def test_a_carrier_that_is_away_is_asked_again_and_then_another(make_house: MakeHouse) -> None:
    sections = AT_ONCE | {
        "shipping_retry_seconds": "0.000001",
        "shipping_longest_retry_seconds": "0.000001",
        "shipping_tries_each_carrier": "2",
    }
    house, order = make_house(sections=sections), new_id()
    house.faults.set("shipping.carrier-outage", 1)
    create(house, order)
    house.settle()
    asked = []
    for _ in range(4):
        house.tick()
        asked.append(shipments(house)[0]["carrier"])
    assert asked[0] == asked[1] != asked[2] == asked[3]
    assert shipments(house)[0]["attempts"] == 4
    assert shipments(house)[0]["last_error"] == f"{asked[3]} does not answer"
    house.faults.clear()
    house.tick()
    shipment = shipments(house)[0]
    assert (shipment["state"], shipment["attempts"], shipment["last_error"]) == ("dispatched", 0, None)
    rates = {
        quote.carrier: quote.rate_cents for quote in quotes(Zone(shipment["zone"]), shipment["weight_grams"])
    }
    assert shipment["rate_cents"] == rates[shipment["carrier"]]


def test_an_outage_is_waited_out_at_growing_distances(make_house: MakeHouse) -> None:
    house = make_house(sections=AT_ONCE | {"shipping_retry_seconds": "3600"})
    house.faults.set("shipping.carrier-outage", 1)
    create(house, new_id())
    house.settle()
    house.tick()
    house.tick()
    assert shipments(house)[0]["attempts"] == 1


def test_a_customer_sees_only_his_own_shipments(house: Lone) -> None:
    for customer in ("c1", "c2", None):
        create(house, new_id(), customer)
    house.settle()
    everything = shipments(house)
    assert len(everything) == 3
    mine = house.http.get("/shipments", headers=house.as_user("c1")).json()["shipments"]
    assert [item["customer_id"] for item in mine] == ["c1"]
    foreign = next(item for item in everything if item["customer_id"] == "c2")
    for path in (f"/shipments/{foreign['id']}", f"/shipments/{foreign['id']}/tracking"):
        assert house.http.get(path, headers=house.as_user("c1")).status_code == 404
        assert house.http.get(path, headers=house.as_user("c2")).status_code == 200
        assert house.http.get(path, headers=house.as_user("c9", "admin")).status_code == 200
    anonymous = house.http.get("/shipments", headers={"X-Meridian-Anonymous": "1"})
    assert anonymous.status_code == 401


def test_shipments_come_in_pages(house: Lone) -> None:
    for _ in range(3):
        create(house, new_id())
    house.settle()
    first = house.http.get("/shipments", params={"limit": 2}).json()
    rest = house.http.get("/shipments", params={"limit": 2, "after": first["next"]}).json()
    assert (len(first["shipments"]), len(rest["shipments"]), rest["next"]) == (2, 1, None)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    words=st.lists(
        st.sampled_from(["CreateShipment", "CancelShipment", "OrderCancelled", "same again", "clock"]),
        min_size=1,
        max_size=10,
    )
)
def test_whatever_is_said_in_whatever_order_there_is_one_shipment_and_one_end(
    house: Lone, words: list[str]
) -> None:
    order, last = new_id(), None
    for word in words:
        if word == "clock":
            house.tick()
        elif word != "same again":
            lines = [{"sku": "TEA", "quantity": 1}]
            last = house.say(word, order, order_id=order, customer_id="c1", lines=lines)
        elif last is not None:
            house.bus.publish([last])
        house.settle()
    for _ in range(3):
        house.tick()
    found = shipments(house, order_id=order)
    assert len(found) == (last is not None)
    told = {event.type for event in house.said() if event.key == order}
    assert not {"ShipmentCancelled", "ShipmentDispatched"} <= told, "kept in the house, and sent all the same"
    assert house.parked() == 0
    if found:
        kept = "ShipmentCancelled" in told or not told
        assert found[0]["state"] == ("cancelled" if kept else "delivered")


@pytest.mark.parametrize("saga", ["orchestrated", "choreographed"])
def test_an_order_is_shipped_through_the_whole_platform(make_shop: Any, saga: str) -> None:
    shop = make_shop(saga=saga, sections=AT_ONCE)
    shop.stock("TEA", 10)
    order = shop.place({"TEA": 3})
    shop.settle()
    for _ in range(3):
        shop.expire()
        shop.settle()
    assert shop.status(order) == "delivered"
    [shipment] = shop.http.get("/shipments", params={"order_id": order}).json()["shipments"]
    assert shipment["lines"] == [{"sku": "TEA", "quantity": 3}]


@pytest.mark.parametrize("saga", ["orchestrated", "choreographed"])
@pytest.mark.parametrize(("dispatched", "end"), [(False, "cancelled"), (True, "shipped")])
def test_a_paid_order_is_refunded_while_its_parcel_is_in_the_house(
    make_shop: Any, saga: str, dispatched: bool, end: str
) -> None:
    pack = "0" if dispatched else "3600"
    shop = make_shop(saga=saga, sections=AT_ONCE | {"shipping_pack_seconds": pack})
    shop.stock("TEA", 10)
    order = shop.place({"TEA": 3})
    shop.settle()
    if dispatched:  # the parcel leaves, and the order service has not heard of it yet
        shipping = next(item for item in shop.built.runtime.services if item.name == "shipping")
        shipping.chores[0].run()
    answer = shop.http.post(f"/orders/{order}/cancellation", json={"reason": "changed my mind", "refund": True})
    assert answer.status_code == 200
    shop.settle()
    assert shop.status(order) == end


def test_the_check_digit_is_that_of_the_standard() -> None:
    assert check_digit("47312482") == 9  # the example of UPU S10


@given(st.integers(0, SERIALS - 1), st.integers(0, 8), st.integers(1, 9))
def test_one_wrong_digit_is_found(number: int, place: int, off: int) -> None:
    good = tracking_number("RP", number)
    assert is_valid(good)
    wrong = (int(good[2 + place]) + off) % 10
    bad = f"{good[: 2 + place]}{wrong}{good[3 + place :]}"
    assert not is_valid(bad) or bad[10] == "5", "only 5 stands for two remainders"


@given(st.sets(st.integers(0, SERIALS - 1), min_size=2, max_size=50))
def test_no_two_parcels_share_a_number(numbers: set[int]) -> None:
    assert len({tracking_number("RP", number) for number in numbers}) == len(numbers)


@given(st.sampled_from(list(Zone)), st.integers(1, 10**11))
def test_somebody_carries_everything_and_the_cheapest_stands_first(zone: Zone, weight: int) -> None:
    offers = quotes(zone, weight)
    assert offers
    assert [offer.rate_cents for offer in offers] == sorted(offer.rate_cents for offer in offers)
    heavier = {offer.carrier: offer.rate_cents for offer in quotes(zone, weight + 1000)}
    assert all(heavier.get(offer.carrier, offer.rate_cents + 1) > offer.rate_cents for offer in offers)
    assert {offer.carrier for offer in offers} <= {tariff.carrier for tariff in TARIFFS}
