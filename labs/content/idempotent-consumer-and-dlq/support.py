"""What the checks share: hidden wallets, a hidden topic with sound and broken records, and runs that are killed."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from labs.checks import LabUnderTest, require
from labs.failing_writes import EVERY, fail_writes, raises
from labs.kafka_under_test import Record, Sent
from labs.rivals import Rival, against_rival
from sandboxes.interface import CallOutcome, LearnerCodeError

CONSUMER = "wallets"
HANDLER = "record_delivery"
RUN_SECONDS = 40.0

Event = dict[str, Any]


@dataclass
class Bank:
    """Hidden wallets in the learner's database."""

    lab: LabUnderTest
    mark: str = ""
    made: int = 0
    opened: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.mark = f"{self.lab.random.getrandbits(40):010x}"

    def open(self, cents: int) -> str:
        """A new wallet."""
        wallet = f"w-{self.lab.random.getrandbits(32):08x}-{self.mark}"
        with self.lab.sql() as connection:
            connection.execute("INSERT INTO wallets VALUES (%s, %s)", [wallet, cents])
        self.opened[wallet] = cents
        return wallet

    def top_up(self, wallet: str, cents: int) -> None:
        """Change a balance without an event."""
        with self.lab.sql() as connection:
            connection.execute(
                "UPDATE wallets SET balance_cents = balance_cents + %s WHERE wallet = %s", [cents, wallet]
            )
        self.opened[wallet] += cents

    def event(self, wallet: str, cents: int) -> Event:
        """A new event."""
        self.made += 1
        return {"id": f"e-{self.mark}-{self.made}", "wallet": wallet, "cents": cents}

    def movements(self, event: Event) -> int:
        """How many movements an event has."""
        with self.lab.sql() as connection:
            row = connection.execute(
                "SELECT count(*) FROM movements WHERE event_id = %s", [event["id"]]
            ).fetchone()
        return int(row[0]) if row else 0

    def balanced(self) -> bool:
        """Whether every balance is what it was opened with and its movements."""
        with self.lab.sql() as connection:
            rows = connection.execute(
                """
                SELECT wallet, balance_cents,
                    (SELECT coalesce(sum(cents), 0)::bigint FROM movements m WHERE m.wallet = w.wallet)
                FROM wallets w WHERE wallet = ANY (%s)
                """,
                [list(self.opened)],
            ).fetchall()
        return len(rows) == len(self.opened) and all(
            now == self.opened[name] + moved for name, now, moved in rows
        )

    def fail_inserts(self, table: str, event: Event, failures: int) -> None:
        """Let this many inserts of the event into a table fail with a serialization failure."""
        fail_writes(self.lab, "INSERT", table, ("event_id", event["id"]), raises("40001"), failures)


def handled(lab: LabUnderTest, event: Event) -> bool | str:
    """One call of handle_once: True, False, or the class of what it raised."""
    try:
        result = lab.call("on_own_connection", "handle_once", event)
    except LearnerCodeError as error:
        return error.name
    require(isinstance(result, bool), "handle_once must return True or False.")
    return bool(result)


def while_noted(lab: LabUnderTest, event: Event, *, commits: bool) -> bool | str:
    """handle_once while another transaction has handled the event and is not over; it ends once the call waits for it."""

    def handles(rival: Rival) -> None:
        rival.execute("INSERT INTO inbox (consumer, event_id) VALUES (%s, %s)", [CONSUMER, event["id"]])
        rival.execute(
            "INSERT INTO movements (event_id, wallet, cents) VALUES (%s, %s, %s)",
            [event["id"], event["wallet"], event["cents"]],
        )
        if commits:
            rival.execute(
                "UPDATE wallets SET balance_cents = balance_cents + %s WHERE wallet = %s",
                [event["cents"], event["wallet"]],
            )

    return against_rival(lab, handles, lambda: handled(lab, event), commits=commits).result


def names_of(outcomes: Sequence[CallOutcome]) -> str:
    """The classes of what the calls raised, in brackets; nothing when none did."""
    names = sorted({outcome.error.split(":")[0] for outcome in outcomes if outcome.error})
    return f" ({', '.join(names)})" if names else ""


def error_class(letter: Record) -> str:
    """The word with which a dlq-error begins: `KeyError: 'wallet'` and `KeyError('wallet')` name the same class."""
    error = letter.header("dlq-error")
    begins = re.match(r"[^\W\d]\w*", error) if isinstance(error, str) else None
    return begins[0] if begins else ""


def told_as(lab: LabUnderTest, name: str) -> str:
    """With what a dlq-error begins, when that is the name of an exception; else nothing, for it could be anything."""
    return f": it begins with `{name}`" if lab.telling.name(name) == name else ""


def reject(lab: LabUnderTest, event: Event) -> None:
    """Let the database refuse every insert of a delivery of this event, for a reason that is the event's own."""
    fail_writes(lab, "INSERT", "deliveries", ("event_id", event["id"]), raises("23514"), EVERY)


@dataclass
class Stream:
    """A hidden topic of three partitions (one of them empty), its dead letters, and what is to become of each record."""

    lab: LabUnderTest
    topic: str = ""
    letters: str = ""
    group: str = ""
    sound: list[Event] = field(default_factory=list)
    places: dict[str, tuple[int, int]] = field(default_factory=dict)
    broken: dict[tuple[int, int], Sent] = field(default_factory=dict)
    ends: dict[int, int] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        mark = f"{self.lab.random.getrandbits(40):010x}"
        self.topic, self.letters, self.group = f"stream-{mark}", f"letters-{mark}", f"group-{mark}"
        self.lab.call("calm")
        with self.lab.kafka() as kafka:
            kafka.make(self.topic, 3)
            kafka.make(self.letters, 2)

    def fill(self, records: list[tuple[str, int]]) -> None:
        """Send ("sound" or a kind of broken record, partition) in this order."""
        random, made = self.lab.random, []
        for kind, partition in records:
            event = {
                "id": f"e-{random.getrandbits(48):012x}",
                "wallet": f"w-{random.getrandbits(16):04x}",
                "cents": random.randint(1, 900),
            }
            text = json.dumps(event)
            value: str | bytes | None = {
                "sound": text,
                "rejected": text,
                "cut": text[: random.randint(3, len(text) - 4)],
                "bytes": bytes([255, 254, random.randrange(256)]) + text.encode(),
                "nothing": None,
                "number": str(random.randint(1, 99)),
                "refused": json.dumps({**event, "cents": 0}, indent=random.randint(1, 3)),
            }[kind]
            key = None if kind == "nothing" else event["wallet"]
            own = (("trace", f"{random.getrandbits(32):08x}"), ("kind", b"\xfe\x01"))
            sent = Sent(value, key, () if kind == "number" else own, partition)
            made.append((kind, event, sent))
            if kind == "rejected":
                reject(self.lab, event)
            if kind == "refused":
                self.refused.append(event["id"])
        with self.lab.kafka() as kafka:
            went = kafka.send(self.topic, [sent for _, _, sent in made])
        for (kind, event, sent), place in zip(made, went, strict=True):
            self.ends[place[0]] = place[1] + 1
            if kind == "sound":
                self.sound.append(event)
                self.places[event["id"]] = place
            else:
                self.broken[place] = sent

    def outage(self, event: Event, times: int) -> None:
        """Let the risk service be away for an event."""
        self.lab.call("outage", event["id"], times)

    def drain(self) -> dict[str, int] | str:
        """Run the learner's loop: what it returned, or the class of what it raised."""
        try:
            result = self.lab.call(
                "drain_by_name", self.topic, self.group, HANDLER, self.letters, timeout=RUN_SECONDS
            )
        except LearnerCodeError as error:
            return error.name
        require(isinstance(result, dict), "drain must return a dictionary with `handled` and `parked`.")
        assert isinstance(result, dict)
        return result  # type: ignore[return-value]

    def deliveries(self) -> list[str]:
        """The ids of our events in the order in which the handler took them."""
        with self.lab.sql() as connection:
            rows = connection.execute(
                "SELECT event_id FROM deliveries WHERE event_id = ANY (%s) ORDER BY delivery_id",
                [list(self.places)],
            ).fetchall()
        return [event_id for (event_id,) in rows]

    def leftovers(self) -> int:
        """How many rows there are of events for which the handler raised after it had written one."""
        with self.lab.sql() as connection:
            row = connection.execute(
                "SELECT count(*) FROM deliveries WHERE event_id = ANY (%s)", [self.refused]
            ).fetchone()
        return int(row[0]) if row else 0

    def parked(self) -> list[Record]:
        """The dead letters."""
        with self.lab.kafka() as kafka:
            return kafka.records(self.letters)

    def committed(self) -> dict[int, int]:
        """The group's position by partition; 0 where it has none."""
        with self.lab.kafka() as kafka:
            found = kafka.positions(self.group, self.topic)
        return {partition: found[partition].committed if partition in found else 0 for partition in self.ends}

    def require_nothing_lost(self) -> None:
        """Require that every record before the group's position was handled or is parked."""
        delivered, letters, committed = set(self.deliveries()), self.sources(), self.committed()
        require(
            all(
                event in delivered
                for event, (partition, offset) in self.places.items()
                if offset < committed[partition]
            ),
            "A record was lost: after a crash the group's position is behind it, and its handler never took it. "
            "What must be done before the position is committed?",
        )
        require(
            all(place in letters for place in self.broken if place[1] < committed[place[0]]),
            "A record was lost: the group's position is behind it, it was not handled, and there is no dead letter of it. "
            "When do you know that a dead letter has arrived?",
        )

    def sources(self) -> list[tuple[int, int]]:
        """Which records the dead letters say they are of."""
        found = []
        for letter in self.parked():
            partition, offset = letter.header("dlq-partition"), letter.header("dlq-offset")
            sound = all(
                isinstance(text, str) and text.isdecimal() and len(text) < 10 for text in (partition, offset)
            )
            require(
                sound and letter.header("dlq-topic") == self.topic,
                "A dead letter does not say where it comes from: dlq-topic, dlq-partition and dlq-offset are the topic, the "
                "partition and the offset of the record, as text.",
            )
            found.append((int(str(partition)), int(str(offset))))
        return found


class Letters:
    """Hidden dead letters: each can be handled by now ("mended"), is unreadable ("broken") or "rejected" by the database."""

    def __init__(self, lab: LabUnderTest, kinds: Sequence[str] = ("mended", "broken", "mended") * 3) -> None:
        self.lab, random = lab, lab.random
        mark = f"{random.getrandbits(40):010x}"
        self.source, self.topic, self.group = f"source-{mark}", f"dead-{mark}", f"replay-{mark}"
        self.sent: dict[tuple[str, str], Sent] = {}
        mended, hopeless = [], []
        letters = []
        partitions = 1 if "rejected" in kinds else 2
        for number, kind in enumerate(kinds):
            event = {"id": f"e-{mark}-{number}", "wallet": f"w-{number}", "cents": random.randint(1, 99)}
            value: str | bytes = b"\xff{" + bytes([number]) if kind == "broken" else json.dumps(event)
            place = (str(random.randint(0, 5)), str(100 * number + random.randint(0, 99)))
            headers = (
                ("trace", f"{random.getrandbits(32):08x}"), ("dlq-topic", self.source), ("dlq-partition", place[0]),
                ("dlq-offset", place[1]), ("dlq-error", "Earlier: something"),
            )  # fmt: skip
            if kind == "rejected":
                reject(lab, event)
            if kind == "mended":
                mended.append(event["id"])
            else:
                hopeless.append(place)
            self.sent[place] = Sent(value, f"w-{number}", headers, number % partitions)
            letters.append(self.sent[place])
        self.letters: tuple[list[str], list[tuple[str, str]]] = (mended, hopeless)
        self.hopeless = hopeless
        lab.call("calm")
        with lab.kafka() as kafka:
            kafka.make(self.source, 1)
            kafka.make(self.topic, 2)
            self.first = dict(zip([place for place in self.sent], kafka.send(self.topic, letters), strict=True))
        self.count = len(letters)

    def replay(self, limit: int) -> Any:
        """Run the learner's replay: what it returned, or the class of what it raised."""
        try:
            return self.lab.call("replay_by_name", self.topic, self.group, HANDLER, limit, timeout=RUN_SECONDS)
        except LearnerCodeError as error:
            return error.name

    def deliveries(self) -> list[str]:
        with self.lab.sql() as connection:
            rows = connection.execute(
                "SELECT event_id FROM deliveries WHERE event_id = ANY (%s) ORDER BY delivery_id",
                [self.letters[0]],
            ).fetchall()
        return [event_id for (event_id,) in rows]

    def records(self) -> list[Any]:
        with self.lab.kafka() as kafka:
            return kafka.records(self.topic)

    def returned(self) -> list[Any]:
        """The letters that are there besides those we sent."""
        ours = set(self.first.values())
        return [record for record in self.records() if (record.partition, record.offset) not in ours]

    def committed(self) -> dict[int, int]:
        with self.lab.kafka() as kafka:
            return {
                number: place.committed for number, place in kafka.positions(self.group, self.topic).items()
            }

    def require_none_forgotten(self) -> None:
        """Require that each letter before the position was handled, or came back behind it."""
        committed, delivered = self.committed(), self.deliveries()
        back = {(record.header("dlq-partition"), record.header("dlq-offset")) for record in self.returned()}
        for place, (partition, offset) in self.first.items():
            if offset >= committed.get(partition, 0):
                continue
            if place in self.hopeless:
                require(
                    place in back,
                    "A letter that failed again is gone: the position is behind it, and it did not come back to the dead letters "
                    "with the headers that say where it came from.",
                )
            else:
                event = json.loads(str(self.sent[place].value))["id"]
                require(
                    event in delivered,
                    "A letter was forgotten: the position is behind it, and its handler never took it.",
                )

    def require_letters_whole(self, hopeless: list[tuple[str, str]]) -> None:
        """Require that what failed again is still what it was, with its count."""
        counts: dict[tuple[Any, Any], list[int]] = {place: [] for place in hopeless}
        for record in self.returned():
            place = (record.header("dlq-partition"), record.header("dlq-offset"))
            require(
                place in counts,
                "A letter that was handled came back, or one lost the headers that say where it came from.",
            )
            sent = self.sent[place]  # type: ignore[index]
            require(
                record.value == sent.value and record.key == sent.key,
                "A letter that failed again lost its key or its bytes.",
            )
            names = [name for name, _ in record.headers]
            require(
                len(names) == len(set(names)),
                "A letter that failed again has a header twice: replace the old one.",
            )
            kept = {name: value for name, value in sent.headers if name != "dlq-error"}
            require(
                all(record.header(name) == value for name, value in kept.items()),
                "A letter that failed again lost a header, or says now that it comes from the dead letters.",
            )
            require(
                record.header("dlq-error") != sent.headers[-1][1],
                "A letter that failed again still tells its old error: dlq-error names what was raised last.",
            )
            raised = error_class(record)
            require(
                raised in ("UnicodeDecodeError", "JSONDecodeError", "ValueError"),
                "A letter that failed again must have a dlq-error that begins with the name of the class of what was raised "
                f"last, as in `KeyError: 'wallet'`{told_as(self.lab, raised)}.",
            )
            count = record.header("dlq-replays")
            require(
                isinstance(count, str) and count.isdecimal() and 0 < int(count) < 100,
                "A letter that failed again must say in dlq-replays, as text, how often it was replayed in vain.",
            )
            counts[place].append(int(str(count)))
        for seen in counts.values():
            require(
                max(seen, default=0) >= 4 and set(seen) == set(range(1, max(seen) + 1)),
                "dlq-replays must count each replay in vain: 1 after the first, and one more each time the letter fails again.",
            )
