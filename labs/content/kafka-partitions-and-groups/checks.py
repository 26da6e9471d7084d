"""Checks of kafka-partitions-and-groups: hidden events, rebalances and crashes, judged by records, effects and positions."""

from __future__ import annotations

import json
import zlib
from typing import Any

from labs.checks import LabUnderTest, check, require
from labs.choices import require_choices
from labs.kafka_under_test import Sent
from labs.under_test import NotStarted

from .support import PARTITIONS, STEPS, Event, Run, make_topic, marketplace, name, records_of, run_group

LEVEL = 2.0
"""How many times the mean one partition may have: 150 orders stay far below, half of the day in one key is far above."""
GONE_BYTES, GONE_RECORDS = 900_000, 7
"""Records of this size and number are more than a partition keeps."""


@check("key")
def every_order_in_order_and_the_load_level(lab: LabUnderTest) -> None:
    """Keeps each order's events in their order and the load level, whoever has most of the day."""
    events = marketplace(lab, 150)
    topic = make_topic(lab)
    lab.call("publish_keyed", topic, events, timeout=30)
    records = records_of(lab, topic)
    require(
        len(records) == len(events),
        "publish_keyed did not send each event once: it is not as the notebook's cell makes it.",
    )
    require(
        all(isinstance(record.key, str) and record.key for record in records),
        "A key is missing or empty: key_of must return a text for each event.",
    )
    places: dict[str, list[tuple[int, str]]] = {}
    load = dict.fromkeys(range(PARTITIONS), 0)
    for record in records:
        event = json.loads(str(record.value))
        places.setdefault(event["order"], []).append((record.partition, event["type"]))
        load[record.partition] += 1
    require(
        all(len({partition for partition, _ in found}) == 1 for found in places.values()),
        "The events of one order lie in several partitions: nobody promises that they are read in their order.",
    )
    require(
        all([kind for _, kind in found] == list(STEPS) for found in places.values()),
        "The events of one order are in one partition, but not in the order in which they were sent.",
    )
    highest, mean = max(load.values()), len(records) / PARTITIONS
    require(
        highest <= LEVEL * mean,
        f"One partition has {highest / mean:.1f} times the mean, and one reader. Who has most of the day in your key?",
    )


@check("hot-partitions")
def finds_the_hot_partitions_and_their_keys(lab: LabUnderTest) -> None:
    """Finds each partition above the given multiple of the mean of all, with the key that makes it so."""
    random = lab.random
    scale, mark = random.randint(1, 3), f"{random.getrandbits(24):06x}"
    # Of five partitions one is empty, one stands exactly at 1.5 times the mean, one far above it.
    sizes = [0, 10 * scale, 15 * scale, 45 * scale, 80 * scale]
    random.shuffle(sizes)
    records, truth = [], {}
    for partition, size in enumerate(sizes):
        top = size // 3 + 1
        keys = [f"top-{partition}-{mark}ß"] * top
        # In every partition, so over the whole topic it has the most, and in none of the hot ones.
        keys += [f"everywhere-{mark}"] * min(size - top, size // 3 - 1 if size > 20 * scale else size - top)
        keys += [f"small-{partition}-{number}-{mark}" for number in range(size - len(keys))]
        if not size:
            continue
        random.shuffle(keys)
        records += [Sent("{}", key, (), partition) for key in keys]
        truth[partition] = {"records": size, "key": f"top-{partition}-{mark}ß", "key_records": top}
    random.shuffle(records)
    topic = make_topic(lab, len(sizes))
    with lab.kafka() as kafka:
        kafka.send(topic, records)
    for factor in (1.5, 1.4, 10.0):
        limit = factor * 30 * scale
        wanted = {str(number): row for number, row in truth.items() if row["records"] > limit}
        found = lab.call("hot", topic, factor, timeout=30)
        require(isinstance(found, dict), "hot must return a dictionary {partition: {…}}.")
        assert isinstance(found, dict)
        rows: dict[str, Any] = {str(number): row for number, row in found.items()}
        require(
            set(wanted) <= set(rows),
            "You miss a partition with more than `factor` times the mean. The mean is over all partitions, also empty ones.",
        )
        require(
            set(rows) <= set(wanted),
            "You report a partition that has no more than `factor` times the mean of all.",
        )
        for number, row in wanted.items():
            require(
                isinstance(rows[number], dict) and {"records", "key", "key_records"} <= set(rows[number]),
                "Each entry of hot has `records`, `key` and `key_records`.",
            )
            require(
                rows[number]["records"] == row["records"],
                "`records` is not how many records the partition holds.",
            )
            require(
                rows[number]["key"] == row["key"],
                "`key` is not the key with the most records in that partition.",
            )
            require(
                rows[number]["key_records"] == row["key_records"],
                "`key_records` is not how many of its records have that key.",
            )


@check("handover")
def a_rebalance_repeats_nothing_and_a_crash_little(lab: LabUnderTest) -> None:
    """Loses nothing ever, repeats nothing in a rebalance, and after a crash only what was done since the last commit."""
    random = lab.random

    def events(count: int) -> list[Event]:
        return [{"id": name(lab, "e"), "order": name(lab, "o")} for _ in range(count)]

    first, second = events(random.randint(50, 70)), events(random.randint(30, 50))
    run = run_group(lab, "handover_by_name", 500, first, second)
    _require_sound(lab, run, "After a member had joined")
    require(
        run.repeated == 0,
        f"A member joined, nobody crashed, and {run.repeated} records were handled twice. What is the last moment at which a "
        "member can commit a partition that it gives away?",
    )
    require(
        {member for member, _, _ in run.effects} == {"A", "B"}, "The member that joined never handled a record."
    )
    require(
        run.behind(lab) == 0,
        "Both members have stopped, everything was handled, and the group's position is not at the end: a start repeats work.",
    )

    every = random.randint(6, 9)
    # It dies at the very record that makes a commit due.
    crash_at = every * random.randint(3, 4)
    run = run_group(lab, "takeover_by_name", every, events(random.randint(50, 60)), crash_at)
    require(
        run.ended["A"] == "Crash",
        "A member was to die in `handle`, and went on: let what `handle` raises through.",
    )
    _require_sound(lab, run, "After a member had died in `handle`")
    require(
        run.repeated <= every,
        f"A member died, and {run.repeated} records were handled again, more than lie between two commits. Count all records "
        "that are done, of all partitions together.",
    )
    require(
        run.behind(lab) == 0,
        "The member that took over was told to stop, and the group's position is not at the end.",
    )


def _require_sound(lab: LabUnderTest, run: Run, when: str) -> None:
    known = {"", "Crash"}
    odd = [ended for ended in run.ended.values() if ended not in known]
    if "NotImplementedError" in odd:
        raise NotStarted
    require(
        "StillOpen" not in odd,
        f"{when}, a member that was told to stop did not close its consumer: the group waits for it until its session ends.",
    )
    raised = lab.telling.name(odd[0]) if odd else ""
    refused = (
        " A commit of nothing is refused, and `close` calls `on_revoke`, too."
        if raised.startswith("Kafka")
        else ""
    )
    require(not odd, f"{when}, your member raised {raised}.{refused}")
    missing = run.missing(lab)
    many = "1 record was" if missing == 1 else f"{missing} records were"
    closing = (
        " `close` calls `on_revoke`, too: does yours know that `handle` has failed?"
        if "Crash" in run.ended.values()
        else ""
    )
    require(
        missing == 0,
        f"{when}, {many} never handled: a position was committed before `handle` had returned for it, or a member stopped "
        f"early.{closing}",
    )
    require(run.in_order(), f"{when}, a member handled records of one partition twice or out of their order.")


@check("lag")
def lag_is_what_is_still_to_be_read(lab: LabUnderTest) -> None:
    """Tells for each partition how many records the group would still read, also where it never committed or records are gone."""
    random = lab.random
    topic, group = make_topic(lab, 6), name(lab, "group")
    counts = [random.randint(20, 40), random.randint(20, 40), random.randint(20, 40), 0]
    with lab.kafka() as kafka:
        kafka.send(
            topic, [Sent("{}", None, (), number) for number, count in enumerate(counts) for _ in range(count)]
        )
        for number in (4, 5):
            kafka.send(topic, [Sent("x" * GONE_BYTES, None, (), number) for _ in range(GONE_RECORDS)])
        kept = dict.fromkeys(range(6), 0)
        for record in kafka.records(topic):
            kept[record.partition] += 1
        done = random.randint(3, 15)
        positions = {0: done, 1: counts[1], 4: 1}
        lab.call("go_on_at", topic, group, {str(number): offset for number, offset in positions.items()})
        before = kafka.positions(group, topic)
        found = lab.call("lag", topic, group, timeout=30)
        require(isinstance(found, dict), "lag must return a dictionary {partition: records}.")
        assert isinstance(found, dict)
        rows = {str(number): behind for number, behind in found.items()}
        require(
            set(rows) == {str(number) for number in range(6)},
            "lag must have an entry for every partition of the topic, also for one with nothing to read.",
        )
        require(
            rows["0"] == counts[0] - done,
            "Where the group has committed, the lag is what lies between its position and the end of the partition.",
        )
        require(rows["1"] == 0, "Where the group has committed everything, the lag is 0.")
        require(
            rows["2"] == counts[2],
            "Where the group never committed it begins at the first record: then all that is there is lag.",
        )
        require(rows["3"] == 0, "An empty partition in which the group never committed has no lag.")
        require(
            rows["5"] == kept[5],
            "Where the group never committed it begins at the first record that is still there: that need not be offset 0.",
        )
        require(
            rows["4"] == kept[4],
            "The group's position lies before the first record that is still there: what is gone is no lag.",
        )
        require(kafka.positions(group, topic) == before, "Measuring the lag has changed the group's positions.")


@check("moved")
def says_which_keys_move(lab: LabUnderTest) -> None:
    """Says for each key whether it lies in another partition after the topic has grown."""
    random = lab.random
    keys = [f"{random.choice('abcxyz')}-{random.getrandbits(28):07x}" for _ in range(120)] + [
        f"ä-{number}" for number in range(20)
    ]
    random.shuffle(keys)
    for before, after in ((random.randint(3, 5), random.randint(6, 9)), (4, 8), (12, 13), (5, 5)):
        truth = [key for key in keys if zlib.crc32(key.encode()) % before != zlib.crc32(key.encode()) % after]
        found = lab.call("moved", keys, before, after, timeout=30)
        require(isinstance(found, list), "moved must return a list of keys.")
        assert isinstance(found, list)
        require(
            set(truth) <= {str(key) for key in found},
            "A key that goes elsewhere is missing. Compare its partition before and after, with the client's own hash.",
        )
        require(
            {str(key) for key in found} <= set(truth),
            "A key that stays in its partition is among those that move.",
        )
        require(found == truth, "The keys are not in the order given, or one is named twice.")


@check("choices")
def chosen_with_reasons(lab: LabUnderTest) -> None:
    """Chooses for each case what the cells of the notebook have shown."""
    wanted = {
        "tenth_member": "have nothing to do",
        "second_service": "a group of its own",
        "commit_in_finally": "the record that failed is lost",
        "slow_handler": "raise max.poll.interval.ms, or work beside the poll loop",
        "eager_or_cooperative": "members keep what does not move and work on",
        "hot_key": "make its handling faster, or the thing that needs order smaller",
        "grow": "a new topic, and drain the old one first",
    }
    advice = "Look again at the timelines of section 3, the chart of section 4."
    require_choices(lab, wanted, advice, exact=True)
