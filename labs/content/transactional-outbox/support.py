"""What the checks share: hidden orders in the learner's tables, and what the topic tells of them."""

from __future__ import annotations

import json
import uuid
from typing import Any

from labs.checks import LabUnderTest, require
from labs.kafka_under_test import Record, Sent
from sandboxes.interface import LearnerCodeError

FAILING = """
CREATE TABLE IF NOT EXISTS failing_orders (order_id text PRIMARY KEY, stage text NOT NULL);
CREATE OR REPLACE FUNCTION fail_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM failing_orders WHERE order_id = NEW.order_id AND stage = TG_ARGV[0]) THEN
        RAISE EXCEPTION 'the database refuses';
    END IF;
    RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER fail_insert BEFORE INSERT ON outbox
    FOR EACH ROW EXECUTE FUNCTION fail_change('insert');
DROP TRIGGER IF EXISTS fail_commit ON orders;
CREATE CONSTRAINT TRIGGER fail_commit AFTER INSERT OR UPDATE ON orders DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION fail_change('commit');
"""

ADD_WAITING = "INSERT INTO outbox (order_id, version, type) VALUES (%s, %s, %s)"


class Shop:
    """Hidden orders, and a hidden topic."""

    def __init__(self, lab: LabUnderTest) -> None:
        self.lab = lab
        self._mark = f"{lab.random.getrandbits(40):010x}"
        self._made = 0
        self.topic = f"orders-{self._mark}"
        lab.call("calm")

    def order(self) -> str:
        """A new order id; ids sort in no relation to the sequence in which they are made."""
        self._made += 1
        return f"o-{self.lab.random.getrandbits(24):06x}-{self._mark}-{self._made}"

    def empty(self) -> None:
        """No orders and no outbox rows but those to come; a new topic of three partitions."""
        with self.lab.sql() as connection:
            connection.execute("DELETE FROM outbox")
            connection.execute("DELETE FROM orders")
        self.topic = f"orders-{self.lab.random.getrandbits(40):010x}"
        with self.lab.kafka() as kafka:
            kafka.make(self.topic, 3)

    def change(self, order: str, kind: str) -> int | str:
        """One call of `change`: the version, or the class of what it raised."""
        try:
            result = self.lab.call("on_own_connection", "change", order, kind)
        except LearnerCodeError as error:
            return error.name
        require(
            isinstance(result, int) and not isinstance(result, bool),
            "change must return the order's new version, a number.",
        )
        assert isinstance(result, int)
        return result

    def fail(self, order: str, stage: str | None) -> None:
        """Let the database refuse the outbox row ("insert") or the commit of this order; None lets it pass again."""
        with self.lab.sql() as connection:
            connection.execute(FAILING)
            connection.execute("DELETE FROM failing_orders WHERE order_id = %s", [order])
            if stage:
                connection.execute("INSERT INTO failing_orders VALUES (%s, %s)", [order, stage])

    def version(self, order: str) -> int:
        """The order's version; 0 when there is none."""
        with self.lab.sql() as connection:
            row = connection.execute("SELECT version FROM orders WHERE order_id = %s", [order]).fetchone()
        return int(row[0]) if row else 0

    def written(self, order: str) -> list[tuple[int, str]]:
        """(version, type) of the order's outbox rows, by position."""
        with self.lab.sql() as connection:
            return [
                (version, kind)
                for version, kind in connection.execute(
                    "SELECT version, type FROM outbox WHERE order_id = %s ORDER BY position", [order]
                ).fetchall()
            ]

    def fill(self, orders: int, versions: int) -> list[tuple[str, int]]:
        """Waiting rows of so many orders, mixed, each order's in its order; returned by position."""
        names = [self.order() for _ in range(orders)]
        turns = [name for name in names for _ in range(versions)]
        self.lab.random.shuffle(turns)
        counts = dict.fromkeys(names, 0)
        rows = []
        with self.lab.sql() as connection:
            for name in turns:
                counts[name] += 1
                connection.execute(
                    ADD_WAITING, [name, counts[name], "OrderPlaced" if counts[name] == 1 else "OrderNoted"]
                )
                rows.append((name, counts[name]))
            # Rewritten rows lie elsewhere in the table: who does not ask for an order gets another one.
            for name, version in self.lab.random.sample(rows, len(rows) // 2):
                connection.execute(
                    "UPDATE outbox SET type = type WHERE order_id = %s AND version = %s", [name, version]
                )
        return rows

    def relay(self, batch: int, times: int = 1) -> int | str:
        """Runs of the relay: how many rows they say they moved, or the class of what one raised."""
        moved = 0
        for _ in range(times):
            try:
                result = self.lab.call("on_own_connection", "relay_once", self.topic, batch, timeout=20)
            except LearnerCodeError as error:
                return error.name
            require(
                isinstance(result, int) and not isinstance(result, bool),
                "relay_once must return how many rows it has moved, a number.",
            )
            assert isinstance(result, int)
            moved += result
        return moved

    def outbox(self) -> dict[tuple[str, int], tuple[str, str, bool]]:
        """(order, version) → event id, type, whether it is marked as sent."""
        with self.lab.sql() as connection:
            rows = connection.execute(
                "SELECT order_id, version, event_id::text, type, sent_at IS NOT NULL FROM outbox"
            ).fetchall()
        return {(order, version): (event, kind, sent) for order, version, event, kind, sent in rows}

    def records(self) -> list[Record]:
        """What is in the topic."""
        with self.lab.kafka() as kafka:
            return kafka.records(self.topic)

    def told(self) -> list[tuple[str, int]]:
        """(order, version) of each record by partition and offset; requires that each is of an outbox row."""
        rows, found = self.outbox(), []
        for record in self.records():
            event: Any = None
            if isinstance(record.value, str):
                try:
                    event = json.loads(record.value)
                except ValueError:
                    event = None
            require(
                isinstance(event, dict) and {"event_id", "order_id", "version", "type"} <= set(event),
                "A record's value is not a JSON object with event_id, order_id, version and type.",
            )
            place = (event["order_id"], event["version"])
            require(place in rows, "The relay sent an event that is no row of the outbox.")
            require(
                event["event_id"] == rows[place][0],
                "A record does not bear the event_id of its row: then nobody knows a repeat when it comes.",
            )
            require(event["type"] == rows[place][1], "A record does not have the type of its row.")
            require(
                record.key == event["order_id"],
                "A record's key is not its order_id: then its order is not kept, for one order is in several partitions.",
            )
            found.append(place)
        return found

    def require_marks_are_true(self) -> None:
        """Require that what is marked as sent is in the topic."""
        told = set(self.told())
        require(
            all(place in told for place, (_, _, sent) in self.outbox().items() if sent),
            "An event was lost: its row is marked as sent, and the topic does not have it. When does the broker have an event, "
            "and when do you know?",
        )

    def require_order(self, situation: str) -> None:
        """Require that of each order the versions are first told in their order."""
        first: dict[str, list[int]] = {}
        for order, version in self.told():
            seen = first.setdefault(order, [])
            if version not in seen:
                seen.append(version)
        for seen in first.values():
            require(
                seen == sorted(seen),
                f"A later event of an order is in the topic before an earlier one, {situation}: "
                f"the versions of one order are there as {', '.join(map(str, seen))}.",
            )

    def require_no_lock_left(self) -> None:
        """Require that no lock outlives the relay."""
        with self.lab.sql() as connection:
            row = connection.execute(
                "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted"
            ).fetchone()
        require(
            row == (0,),
            "After the relay has ended a lock of it is still held: its successor on another connection waits for ever.",
        )


def event_of(order: str, version: int) -> dict[str, Any]:
    """An event as a consumer gets it."""
    kind = "OrderPlaced" if version == 1 else "OrderNoted"
    return {"event_id": str(uuid.uuid4()), "order_id": order, "version": version, "type": kind}


def sent(event: dict[str, Any]) -> Sent:
    """The record of an event."""
    return Sent(json.dumps(event), event["order_id"])
