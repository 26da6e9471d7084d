"""Two processes of the notification service on one PostgreSQL: the claims, and not one thread, keep messages single."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from reference_impl.services.notification import sink
from reference_impl.services.notification.models import Notification
from reference_impl.services.notification.service import NotificationService
from reference_impl.shared.events import new_id
from tests.fixtures.postgres import ScratchServer
from tests.integration.reference_impl.conftest import PATIENCE_SECONDS
from tests.unit.reference_impl.lone import Lone

pytestmark = pytest.mark.postgres

ORDERS = 60
PATIENT = {"notification_smtp_seconds": "60", "notification_lease_seconds": "3600"}
"""A mail server that stands still is no dead one, whose messages are sent again."""
ANN = "a" * 32


@pytest.fixture
def posts(postgres: ScratchServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Lone]]:
    monkeypatch.setattr(sink, "START_SECONDS", PATIENCE_SECONDS)
    prefix = f"t{secrets.token_hex(4)}"
    url = f"postgresql://postgres@/?host={postgres.socket_dir}"
    options = {"database_prefix": prefix, "database_pool": 4, "sections": PATIENT}
    made = [Lone("notification", tmp_path / str(number), url, **options) for number in range(2)]
    yield made
    for post in made:
        post.close()
    with postgres.connect("postgres") as admin:
        admin.execute(f'DROP DATABASE IF EXISTS "{prefix}_notification" WITH (FORCE)')


def test_two_processes_send_each_message_once(posts: list[Lone]) -> None:
    orders = [new_id() for _ in range(ORDERS)]
    total = {"total_cents": 100, "currency": "USD"}
    for post in posts:  # each has a bus of its own, so both are told everything, in other events
        post.say("UserRegistered", ANN, user_id=ANN, email="ann@shop.example", name="Ann")
        for order in orders:
            post.say("OrderConfirmed", order, order_id=order, **total)
            post.say("OrderCreated", order, order_id=order, customer_id=ANN)

    def work(post: Lone) -> None:
        assert post.service.consumer is not None
        while post.service.consumer.run_once():
            post.service.chores[0].run()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(work, posts))
    for post in posts:
        post.tick()
        assert post.parked() == 0
    found = (
        posts[0].http.get("/notifications", params={"limit": 200}).raise_for_status().json()["notifications"]
    )
    assert sorted(item["fact"] for item in found) == sorted([*orders, ANN])
    assert {item["state"] for item in found} == {"sent"}
    came_out = posts[0].http.get("/notifications/sink", params={"limit": 200}).json()["messages"]
    assert len({item["message_id"] for item in came_out}) == len(came_out) == len(found)


@pytest.mark.parametrize("first", ["OrderCreated", "OrderConfirmed"])
def test_an_event_and_its_order_that_come_at_once_do_not_miss_each_other(
    posts: list[Lone], postgres: ScratchServer, first: str
) -> None:
    post, order = posts[0], new_id()
    assert post.service.database is not None
    assert post.service.consumer is not None
    created = {"order_id": order, "customer_id": ANN}
    confirmed = {"order_id": order, "total_cents": 100, "currency": "USD"}
    with ThreadPoolExecutor(1) as pool:
        with post.service.database.write() as session:
            service = NotificationService(session)
            if first == "OrderCreated":
                assert service.belongs(order, ANN) == []
                post.say("OrderConfirmed", order, **confirmed)
            else:
                event = post.say("OrderConfirmed", order, **confirmed)
                assert not service.owner(order).known
                service.hold(order, event)
                post.bus.acknowledge("notification", post.bus.receive("notification", limit=1, wait_seconds=0))
                post.say("OrderCreated", order, **created)
            other = pool.submit(post.service.consumer.run_once)
            wait_until_somebody_waits(postgres)
        other.result(timeout=PATIENCE_SECONDS)
    with post.service.database.read() as session:
        assert session.query(Notification).filter_by(fact=order).count() == 1


def wait_until_somebody_waits(postgres: ScratchServer) -> None:
    """Return once a transaction of this service waits for another's lock."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name = %s"
    deadline = time.monotonic() + PATIENCE_SECONDS / 2  # less than a lock is waited for
    with postgres.connect("postgres") as admin:
        while admin.execute(query, ["meridian-notification"]).fetchone() == (0,):
            assert time.monotonic() < deadline, "nobody waits: the two could miss each other"
            time.sleep(0.02)
