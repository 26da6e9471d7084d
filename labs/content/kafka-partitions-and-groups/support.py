"""What the checks share: hidden topics and events, and how members of a group are run and judged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from labs.checks import LabUnderTest, require
from labs.kafka_under_test import Record

STEPS = ("placed", "paid", "packed", "shipped")
PARTITIONS = 6
TRIES = 3
"""How often a run is made again in which a member was put out of its group: the machine was too slow for its session."""
RUN_SECONDS = 60.0

Event = dict[str, Any]


def name(lab: LabUnderTest, what: str) -> str:
    """A name that nobody has used."""
    return f"{what}-{lab.random.getrandbits(40):010x}"


def make_topic(lab: LabUnderTest, partitions: int = PARTITIONS) -> str:
    """A new topic."""
    topic = name(lab, "topic")
    with lab.kafka() as kafka:
        kafka.make(topic, partitions)
    return topic


def records_of(lab: LabUnderTest, topic: str) -> list[Record]:
    """What is in a topic."""
    with lab.kafka() as kafka:
        return kafka.records(topic)


def marketplace(lab: LabUnderTest, orders: int) -> list[Event]:
    """Events of many orders, mixed; one customer, one merchant and one region have half of the day or more."""
    random = lab.random
    mark = f"{random.getrandbits(24):06x}"
    waiting = [
        {
            "order": f"o-{mark}-{number}",
            "customer": f"c-{mark}" if random.random() < 0.5 else f"c-{random.randrange(500)}",
            "merchant": f"m-{mark}" if random.random() < 0.55 else f"m-{random.randrange(90)}",
            "region": random.choices(["north", "south", "islands"], [6, 3, 1])[0],
        }
        for number in range(orders)
    ]
    reached = dict.fromkeys((one["order"] for one in waiting), 0)
    events: list[Event] = []
    while waiting:
        one = random.choice(waiting[:25])
        events.append({"id": f"e-{mark}-{len(events)}", "type": STEPS[reached[one["order"]]], **one})
        reached[one["order"]] += 1
        if reached[one["order"]] == len(STEPS):
            waiting.remove(one)
    return events


@dataclass(frozen=True)
class Run:
    """What members of a group did to a topic."""

    topic: str
    group: str
    effects: list[tuple[str, int, int]]
    """Member, partition and offset, in the order in which they were made."""
    repeated: int
    put_out: bool
    """Whether a member lost its partitions because the group had not heard of it in time."""
    ended: dict[str, str]
    """Member → the class of what ended it; empty when it was told to stop."""

    def missing(self, lab: LabUnderTest) -> int:
        """How many records nobody handled."""
        there = {(record.partition, record.offset) for record in records_of(lab, self.topic)}
        return len(there - {(partition, offset) for _, partition, offset in self.effects})

    def in_order(self) -> bool:
        """Whether each member handled each partition in its order."""
        last: dict[tuple[str, int], int] = {}
        for member, partition, offset in self.effects:
            if offset <= last.get((member, partition), -1):
                return False
            last[member, partition] = offset
        return True

    def behind(self, lab: LabUnderTest) -> int:
        """How many records lie behind the group's position at the end."""
        with lab.kafka() as kafka:
            positions = kafka.positions(self.group, self.topic)
            ends: dict[int, int] = {}
            for record in kafka.records(self.topic):
                ends[record.partition] = record.offset + 1
        return sum(
            end - (positions[number].committed if number in positions else 0) for number, end in ends.items()
        )


def run_group(lab: LabUnderTest, function: str, *arguments: Any) -> Run:
    """One of the notebook's two plays with the learner's `run_member`, in a new topic and group."""
    run: Run | None = None
    for _ in range(TRIES):
        topic, group = make_topic(lab), name(lab, "group")
        told = lab.call(function, "run_member", topic, group, *arguments, timeout=RUN_SECONDS)
        run = _read(topic, group, told)
        if not run.put_out:
            break
    assert run is not None
    return run


def _read(topic: str, group: str, told: Any) -> Run:
    whole = "The functions handover and takeover, or what they use, are not as the notebook makes them. Restore those cells."
    try:
        return Run(
            topic=topic,
            group=group,
            effects=[
                (str(member), int(partition), int(offset)) for member, partition, offset in told["effects"]
            ],
            repeated=int(told["repeated"]),
            put_out=bool(told["lost"]),
            ended={member: str(told["ends"][member]) for member in ("A", "B")},
        )
    except (TypeError, ValueError, KeyError, IndexError):
        require(False, whole)
        raise
