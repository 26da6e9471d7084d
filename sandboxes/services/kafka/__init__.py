"""Kafka on the loopback, with a door for the grader on a Unix socket.

Two engines speak the same protocol to the learner's code. `mock` is the cluster inside librdkafka (by the package
confluent-kafka): several brokers in one small process. `kafka` is one real broker (KRaft) from the folder KAFKA_HOME, which the
operator brings. `auto` takes the real one where KAFKA_HOME is set.

What was measured of the mock, and what a lab on it must not teach otherwise: topics, partitions, keys, headers, offsets, consumer
groups that rebalance and committed offsets work as in Kafka, but that a rebalance takes the session timeout less one second: labs
set `session.timeout.ms` to 2000 or so. Transactions are accepted, and that is all: a consumer with
`read_committed` sees open and aborted records too, offsets sent to a transaction are not stored, an older producer with the same
transactional id is not fenced. An idempotent producer's retry is stored twice. Partitions keep their last 5 MB. Topics can't
be made or deleted by the learner's admin client (a topic that is written to or asked for is made, with 4 partitions), and
groups can't be listed or described. The door's `/facts` says which engine runs and repeats this.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from sandboxes.interface import Endpoint
from sandboxes.services.base import Command, Place, Service, ServiceFailed, free_port, probe_http

FOLDER = "kafka"
SOCKET = f"{FOLDER}/kafka.sock"
BASE_URL = "http://kafka"
ENGINES = ("auto", "mock", "kafka")
DEFAULTS: Mapping[str, str] = {"brokers": "3", "topics": "", "engine": "auto"}
BROKERS = 5
TOPICS = 50
PARTITIONS = 64
TOPIC_NAME = r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}"
START_SCRIPT, FORMAT_SCRIPT = "bin/kafka-server-start.sh", "bin/kafka-storage.sh"
PROBE_SECONDS = 3.0
IMAGE = "kafka"
"""The image that brings a real one."""

LACKING = "Kafka's client is not installed: `pip install confluent-kafka`."


class Kafka(Service):
    """One cluster; `topics` is "name:partitions,…", `brokers` counts for the mock only."""

    name = "kafka"
    option_names: ClassVar[frozenset[str] | None] = frozenset(DEFAULTS)
    sockets = (SOCKET,)

    def __init__(self, options: Mapping[str, str], place: Place) -> None:
        super().__init__(options, place)
        self.port = free_port()

    @classmethod
    def check_options(cls, options: Mapping[str, str]) -> None:
        super().check_options(options)
        wanted = {**DEFAULTS, **options}
        if not re.fullmatch(r"[1-9]", wanted["brokers"]) or int(wanted["brokers"]) > BROKERS:
            raise ValueError(f"the option brokers of the service kafka is a number from 1 to {BROKERS}")
        if wanted["engine"] not in ENGINES:
            raise ValueError(f"the option engine of the service kafka is one of {', '.join(ENGINES)}")
        parse_topics(wanted["topics"])

    @classmethod
    def image(cls, options: Mapping[str, str]) -> str | None:
        return IMAGE if {**DEFAULTS, **options}["engine"] == "kafka" else None

    @classmethod
    def missing(cls) -> str | None:
        return None if importlib.util.find_spec("confluent_kafka") else LACKING

    def environment(self) -> dict[str, str]:
        return {"KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{self.port}"}

    def prepare(self) -> Command:
        wanted = {**DEFAULTS, **self.options}
        if importlib.util.find_spec("confluent_kafka") is None:
            raise ServiceFailed(LACKING)
        home = find_home(wanted["engine"])
        self.place.data_dir.mkdir(parents=True, exist_ok=True)
        socket = self.place.run_dir / SOCKET
        socket.parent.mkdir(exist_ok=True)
        variables = {name: os.environ[name] for name in ("JAVA_HOME",) if name in os.environ}
        return Command(
            arguments=(
                sys.executable, "-m", "sandboxes.services.kafka.server",
                "--socket", str(socket), "--port", str(self.port), "--data", str(self.place.data_dir),
                "--brokers", wanted["brokers"], "--topics", wanted["topics"],
                "--home", str(home or ""),
            ),
            working_dir=self.place.data_dir,
            environment={"PYTHONPATH": str(self.place.code_dir), **variables},
            # Its data is thrown away, and clients that say goodbye to brokers take seconds.
            stop_signal=signal.SIGKILL,
        )  # fmt: skip

    def probe(self) -> None:
        probe_http(self.place.run_dir / SOCKET, "/facts", PROBE_SECONDS)

    @classmethod
    def endpoint(cls, options: Mapping[str, str], folder: Path) -> Endpoint:
        return Endpoint(cls.name, folder / SOCKET, {"base_url": BASE_URL})


def find_home(engine: str) -> Path | None:
    """The folder of a real Kafka, or None for the mock. Raises ServiceFailed when there is none and there should be one."""
    home = os.environ.get("KAFKA_HOME", "")
    if engine == "mock" or (engine == "auto" and not home):
        return None
    if not home:
        raise ServiceFailed(
            "The lab asks for a real Kafka: set KAFKA_HOME to the folder of one, or for containers have the image kafka built, "
            "as `python -m sandboxes doctor` says; or let the lab's option engine be auto."
        )
    folder = Path(home)
    missing = [script for script in (START_SCRIPT, FORMAT_SCRIPT) if not os.access(folder / script, os.X_OK)]
    if missing:
        raise ServiceFailed(
            f"KAFKA_HOME is {home}, which holds no {' and no '.join(missing)}: set it to the folder of an unpacked Kafka 3.3 "
            "or later, or leave it out."
        )
    java = os.environ.get("JAVA_HOME", "")
    if not (os.access(Path(java) / "bin" / "java", os.X_OK) if java else shutil.which("java")):
        raise ServiceFailed("Kafka needs a Java runtime: install one, or set JAVA_HOME to the folder of one.")
    return folder


def parse_topics(text: str) -> dict[str, int]:
    """Partitions by topic, of "name:partitions,…"; a topic without a number has one. Raises ValueError."""
    topics: dict[str, int] = {}
    for part in (part.strip() for part in text.split(",")):
        if not part:
            continue
        found = re.fullmatch(rf"({TOPIC_NAME})(?::([1-9][0-9]?))?", part)
        if not found or int(found[2] or 1) > PARTITIONS:
            raise ValueError(
                f"the service kafka can't make the topic {part!r}: write name:partitions, with 1 to {PARTITIONS} partitions"
            )
        if found[1] in topics:
            raise ValueError(f"the service kafka is asked for the topic {found[1]} twice")
        topics[found[1]] = int(found[2] or 1)
    if len(topics) > TOPICS:
        raise ValueError(f"the service kafka makes at most {TOPICS} topics")
    return topics
