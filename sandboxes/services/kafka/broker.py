"""One real broker (KRaft: broker and controller in one process) from an unpacked Kafka."""

from __future__ import annotations

import base64
import os
import signal
import subprocess
import time
import uuid
from collections.abc import Mapping
from pathlib import Path

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, NewTopic

from sandboxes.agent.processes import die_with_parent
from sandboxes.services.base import free_port
from sandboxes.services.kafka import FORMAT_SCRIPT, START_SCRIPT
from sandboxes.services.kafka.clients import ASK_SECONDS, QUIET, ClusterFailed, TopicExists

HEAP = "-Xms64m -Xmx256m"
FORMAT_SECONDS = 60.0
READY_SECONDS = 90.0
STOP_SECONDS = 2.0
FACTS: Mapping[str, str] = {
    "engine": "kafka",
    "brokers": "1",
    "transactions": "isolated",
    "transactional_offsets": "stored",
    "fencing": "by epoch",
    "idempotence": "a retry is stored once",
    "retention": "64 MB of each partition",
    "rebalance": "takes until all members have joined again",
    "groups": "rebalance and commit, can be listed and described",
    "topics": "made and deleted by any admin client, or by use with 4 partitions",
}


def properties(port: int, controller_port: int, data_dir: Path) -> str:
    """The text of server.properties."""
    settings: dict[str, object] = {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.voters": f"1@127.0.0.1:{controller_port}",
        "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
        "inter.broker.listener.name": "PLAINTEXT",
        "controller.listener.names": "CONTROLLER",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs": data_dir / "log",
        # One broker: nothing can have a copy elsewhere.
        "default.replication.factor": 1,
        "offsets.topic.replication.factor": 1,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "offsets.topic.num.partitions": 4,
        "transaction.state.log.num.partitions": 4,
        "num.partitions": 4,
        "auto.create.topics.enable": "true",
        "group.initial.rebalance.delay.ms": 100,
        "log.segment.bytes": 16 * 1_048_576,
        "log.retention.bytes": 64 * 1_048_576,
        "log.index.size.max.bytes": 1_048_576,
        "log.retention.check.interval.ms": 10_000,
        "message.max.bytes": 1_048_588,
        "num.network.threads": 2,
        "num.io.threads": 2,
        "background.threads": 2,
        "num.recovery.threads.per.data.dir": 1,
        "log.cleaner.dedupe.buffer.size": 4 * 1_048_576,
        "max.connections": 256,
    }
    return "".join(f"{key}={value}\n" for key, value in settings.items())


def variables(data_dir: Path, inherited: Mapping[str, str]) -> dict[str, str]:
    """What Kafka's scripts are told by the environment: a bounded heap, and logs where they may be written."""
    return {
        **inherited,
        "KAFKA_HEAP_OPTS": HEAP,
        "LOG_DIR": str(data_dir / "scripts"),
        # Without the script's own -loggc, which would write files without a bound.
        "EXTRA_ARGS": "-name kafkaServer",
    }


def _format(command: list[str], environment: Mapping[str, str]) -> None:
    """Lay out the broker's storage. Raises ClusterFailed with the script's words."""
    try:
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=FORMAT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ClusterFailed(f"{FORMAT_SCRIPT} could not run: {error}") from error
    if done.returncode != 0:
        words = done.stdout.decode("utf-8", "replace")[-1000:].strip()
        raise ClusterFailed(f"{FORMAT_SCRIPT} failed with exit code {done.returncode}: {words}")


class KafkaBroker:
    """A broker as a child process; ready when constructed, which the main thread has to do: the broker ends with that thread."""

    def __init__(self, home: Path, data_dir: Path, port: int) -> None:
        """Raises ClusterFailed with the last words of the script that failed."""
        self.facts = dict(FACTS)
        self.bootstrap = f"127.0.0.1:{port}"
        file = data_dir / "server.properties"
        file.write_text(properties(port, free_port(), data_dir), encoding="utf-8")
        environment = variables(data_dir, os.environ)
        cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        _format([str(home / FORMAT_SCRIPT), "format", "-t", cluster_id, "-c", str(file)], environment)
        try:
            self.process = subprocess.Popen(
                [str(home / START_SCRIPT), str(file)],
                env=environment,
                preexec_fn=die_with_parent(signal.SIGKILL),
            )
        except OSError as error:
            raise ClusterFailed(f"{START_SCRIPT} can't be started: {error}") from error
        self._admin = AdminClient({"bootstrap.servers": self.bootstrap, **QUIET})
        self._wait_until_ready()

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while True:
            if self.process.poll() is not None:
                raise ClusterFailed(f"Kafka ended with exit code {self.process.returncode} while it started.")
            try:
                if self._admin.list_topics(timeout=1.0).brokers:
                    return
            except KafkaException as error:
                if time.monotonic() > deadline:
                    self.close()
                    raise ClusterFailed(f"Kafka was not ready after {READY_SECONDS:g} s: {error}") from error

    def create_topic(self, name: str, partitions: int, replication: int) -> None:
        """Raises TopicExists, ClusterFailed. There is one broker, so there is one copy."""
        topic = NewTopic(name, num_partitions=partitions, replication_factor=1)
        try:
            self._admin.create_topics([topic], operation_timeout=ASK_SECONDS)[name].result(ASK_SECONDS)
        except KafkaException as error:
            if error.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS:
                raise TopicExists(f"There is a topic {name} already.") from error
            raise ClusterFailed(f"Kafka refused the topic {name}: {error.args[0].str()}") from error
        except TimeoutError as error:
            raise ClusterFailed(f"Kafka did not make the topic {name} in time.") from error

    def close(self) -> None:
        """End it; its data is thrown away."""
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
