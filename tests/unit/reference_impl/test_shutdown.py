"""The end of a process, step by step: not ready, no new work, what is in hand finished, what is written relayed."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from sqlalchemy import MetaData
from sqlalchemy.orm import Session

from reference_impl.shared.buses.in_process import InProcessBus
from reference_impl.shared.consumer import Consumer
from reference_impl.shared.database import Database
from reference_impl.shared.events import Event, Payload
from reference_impl.shared.inbox import Inbox
from reference_impl.shared.outbox import Outbox, Relay

from .conftest import MakeShop, Shop

METADATA = MetaData()
OUTBOX = Outbox.on(METADATA, "test")
INBOX = Inbox.on(METADATA)


class Said(Payload):
    """An event of these tests."""


def test_a_process_that_leaves_is_not_ready_and_still_works(shop: Shop) -> None:
    shop.built.runtime.start()
    assert shop.http.get("/health/readiness").status_code == 200
    shop.built.runtime.leave()
    answer = shop.http.get("/health/readiness")
    assert answer.status_code == 503
    assert {part["detail"] for part in answer.json()["parts"]} == {"stopping"}
    assert shop.http.get("/health/liveness").status_code == 200
    shop.stock("TEA", 1)
    assert shop.place({"TEA": 1})


def test_what_the_last_request_has_written_goes_to_the_bus_before_the_end(
    make_shop: MakeShop, tmp_path: Path
) -> None:
    shop = make_shop(data=tmp_path)
    shop.stock("TEA", 1)
    shop.settle()
    shop.built.runtime.start()
    end_background_work(shop)
    shop.place({"TEA": 1})
    assert "OrderCreated" not in shop.event_types()
    shop.built.runtime.stop()
    assert "OrderCreated" in make_shop(data=tmp_path).event_types()


def end_background_work(shop: Shop) -> None:
    runtime = shop.built.runtime
    runtime._stopping.set()
    for service in runtime.services:
        if service.relay is not None:
            service.relay.wake()
    deadline = time.monotonic() + 60
    for thread in runtime._threads.values():
        thread.join(deadline - time.monotonic())
        assert not thread.is_alive()


def test_a_consumer_stops_between_two_deliveries_and_loses_none(tmp_path: Path) -> None:
    database = Database.in_directory(tmp_path, "test", METADATA)
    bus = InProcessBus(tmp_path)
    stop = threading.Event()
    seen: list[str] = []

    def effect(_session: Session, event: Event) -> None:
        seen.append(event.key)
        stop.set()

    with database.write() as session:
        for key in ("a", "b"):
            OUTBOX.add(session, Said(), key=key)
    Relay(OUTBOX, database, bus).run_once()
    consumer = Consumer("test", {"Said": INBOX.once(database, effect)}, bus=bus, database=database, inbox=INBOX)
    consumer.run(stop)
    assert seen == ["a"]
    assert bus.lag("test") == 1, "the first one is acknowledged"
    consumer.run_once()
    assert seen == ["a", "b"]
    bus.close()
    database.close()
