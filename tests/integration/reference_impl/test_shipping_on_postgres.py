"""Two processes of the shipping service on one PostgreSQL: the row locks, and not one thread, keep shipments single."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from reference_impl.shared.events import new_id
from tests.fixtures.postgres import ScratchServer
from tests.unit.reference_impl.lone import Lone

pytestmark = pytest.mark.postgres

PARCELS = 30
AT_ONCE = {f"shipping_{name}_seconds": "0" for name in ("pack", "handover", "transit")}


@pytest.fixture
def houses(postgres: ScratchServer, tmp_path: Path) -> Iterator[list[Lone]]:
    prefix = f"t{secrets.token_hex(4)}"
    url = f"postgresql://postgres@/?host={postgres.socket_dir}"
    options = {"database_prefix": prefix, "database_pool": 4, "sections": AT_ONCE}
    made = [Lone("shipping", tmp_path / str(number), url, **options) for number in range(2)]
    yield made
    for house in made:
        house.close()
    with postgres.connect("postgres") as admin:
        admin.execute(f'DROP DATABASE IF EXISTS "{prefix}_shipping" WITH (FORCE)')


def test_two_processes_send_each_parcel_once(houses: list[Lone]) -> None:
    orders = [new_id() for _ in range(PARCELS)]
    for house in houses:  # each has a bus of its own, so both are told everything, as if twice
        for order in orders:
            lines = [{"sku": "ANVIL", "quantity": 1_000_000}] * 50
            house.say("CreateShipment", order, order_id=order, customer_id=None, lines=lines)

    def listen(house: Lone) -> None:
        assert house.service.consumer is not None
        while house.service.consumer.run_once():
            pass

    def send(house: Lone) -> None:
        for _ in range(3):
            together.wait(60)
            house.service.chores[0].run()

    # One after the other: a command that comes again is answered with how the parcel stands, delivered ones as delivered.
    together = threading.Barrier(2)
    for work in (listen, send):
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(work, houses))
    for _ in range(3):  # what one process skipped because the other had it in its hands
        for house in houses:
            house.tick()
    assert [house.parked() for house in houses] == [0, 0]
    shipments = houses[0].http.get("/shipments", params={"limit": 200}).raise_for_status().json()["shipments"]
    assert sorted(item["order_id"] for item in shipments) == sorted(orders)
    assert {item["state"] for item in shipments} == {"delivered"}
    assert all(item["weight_grams"] > 2**31 for item in shipments)
    ways = [houses[0].http.get(f"/shipments/{item['id']}/tracking").json()["history"] for item in shipments]
    assert {len(way) for way in ways} == {4}, "no step twice"
    delivered = [event.key for house in houses for event in house.said() if event.type == "ShipmentDelivered"]
    assert sorted(delivered) == sorted(orders), "each once"
    assert len({item["tracking_number"] for item in shipments}) == PARCELS
