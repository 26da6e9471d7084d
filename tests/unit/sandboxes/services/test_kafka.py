"""The service, and the real broker's branch as far as it goes without a Kafka: what it is told, and how it fails."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandboxes.services import check_services, kafka
from sandboxes.services.base import NotReady, Place, ServiceFailed, free_port
from sandboxes.services.kafka import Kafka, find_home, parse_topics
from sandboxes.services.kafka.broker import KafkaBroker, properties
from sandboxes.services.kafka.clients import ClusterFailed
from sandboxes.unix_http import UnixConnection

ROOT = Path(__file__).parents[4]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    (tmp_path / "run").mkdir()
    return Place(tmp_path / "run", tmp_path / "data" / "kafka", tmp_path / "cache", Path("/code"))


@pytest.fixture(autouse=True)
def _no_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KAFKA_HOME", raising=False)
    monkeypatch.delenv("JAVA_HOME", raising=False)


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder that looks like Kafka's, with scripts that note what they are told. Short, because a socket lives in it."""
    folder = Path(tempfile.mkdtemp(prefix="pgk-"))
    for name in ("kafka-storage.sh", "kafka-server-start.sh"):
        script(folder, name, 'echo "$0 $*" >> "$(dirname "$0")/../told"')
    java = folder / "java" / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.touch(mode=0o755)
    yield folder
    shutil.rmtree(folder)


def script(home: Path, name: str, body: str) -> None:
    file = home / "bin" / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(f"#!/bin/sh\n{body}\n")
    file.chmod(0o755)


def test_it_is_told_by_its_bootstrap_server(place: Place) -> None:
    service = Kafka({"topics": "a:2"}, place)
    assert service.environment() == {"KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{service.port}"}
    arguments = list(service.prepare().arguments)
    assert arguments[arguments.index("--port") + 1] == str(service.port)
    assert arguments[arguments.index("--topics") + 1] == "a:2"
    assert arguments[arguments.index("--home") + 1] == ""


def test_topics_are_read_with_their_partitions() -> None:
    assert parse_topics("orders:6, pay, a.b_c-d:64,") == {"orders": 6, "pay": 1, "a.b_c-d": 64}


@pytest.mark.parametrize(
    "options",
    [
        {"port": "1"},
        {"brokers": "0"},
        {"brokers": "6"},
        {"brokers": "many"},
        {"engine": "redpanda"},
        {"topics": "a:0"},
        {"topics": "a:65"},
        {"topics": "a b"},
        {"topics": "a:1:2"},
        {"topics": ".."},
        {"topics": "a,a:2"},
        {"topics": ",".join(f"t{number}" for number in range(51))},
    ],
)
def test_options_that_it_does_not_have_or_can_not_take_are_refused(options: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="kafka"):
        check_services({"kafka": options})


def test_the_engine_is_the_mock_unless_the_operator_brings_a_kafka(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert find_home("auto") is None
    with pytest.raises(ServiceFailed, match="set KAFKA_HOME"):
        find_home("kafka")
    monkeypatch.setenv("KAFKA_HOME", str(home))
    monkeypatch.setenv("JAVA_HOME", str(home / "java"))
    assert find_home("auto") == find_home("kafka") == home
    assert find_home("mock") is None


def test_a_folder_that_is_no_kafka_is_told_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_HOME", str(tmp_path))
    with pytest.raises(
        ServiceFailed, match=r"holds no bin/kafka-server-start\.sh and no bin/kafka-storage\.sh"
    ):
        find_home("auto")


def test_a_kafka_without_java_is_told(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_HOME", str(home))
    monkeypatch.setenv("JAVA_HOME", str(home / "nothing"))
    with pytest.raises(ServiceFailed, match="Java"):
        find_home("kafka")
    monkeypatch.delenv("JAVA_HOME")
    monkeypatch.setattr(kafka.shutil, "which", lambda name: None)
    with pytest.raises(ServiceFailed, match="Java"):
        find_home("kafka")


def test_a_real_broker_is_one_bounded_node_on_the_loopback(tmp_path: Path) -> None:
    lines = properties(9092, 9093, tmp_path).splitlines()
    for line in (
        "process.roles=broker,controller",
        "controller.quorum.voters=1@127.0.0.1:9093",
        "listeners=PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093",
        "advertised.listeners=PLAINTEXT://127.0.0.1:9092",
        f"log.dirs={tmp_path / 'log'}",
        "offsets.topic.replication.factor=1",
        "transaction.state.log.replication.factor=1",
        "transaction.state.log.min.isr=1",
        "log.retention.bytes=67108864",
    ):
        assert line in lines


def test_a_storage_that_can_not_be_laid_out_is_told_in_the_scripts_words(home: Path, tmp_path: Path) -> None:
    script(home, "kafka-storage.sh", "echo no space left; exit 3")
    with pytest.raises(ClusterFailed, match=r"kafka-storage\.sh failed with exit code 3: no space left"):
        KafkaBroker(home, tmp_path, free_port())


def test_a_broker_that_ends_while_it_starts_is_told(home: Path, tmp_path: Path) -> None:
    script(home, "kafka-server-start.sh", "exit 4")
    with pytest.raises(ClusterFailed, match="exit code 4"):
        KafkaBroker(home, tmp_path, free_port())
    told = (home / "told").read_text()
    assert f"format -t {told.split()[3]} -c {tmp_path / 'server.properties'}" in told
    assert len(told.split()[3]) == 22


def test_the_door_opens_with_the_broker_and_the_process_ends_with_it(home: Path, tmp_path: Path) -> None:
    """The mock stands in for Kafka behind Kafka's scripts: this is about the processes, not about the broker."""
    note = f'echo "$KAFKA_HEAP_OPTS|$LOG_DIR|$EXTRA_ARGS" > {home}/told; echo $$ > {home}/pid'
    port = '$(sed -n "s/^advertised.listeners=.*://p" "$1")'
    mock = f"exec {sys.executable} -m sandboxes.services.kafka.server --socket {home}/m --data {home} --port {port}"
    script(home, "kafka-server-start.sh", f"{note}\n{mock}")
    process = subprocess.Popen(
        [
            sys.executable, "-m", "sandboxes.services.kafka.server", "--socket", str(home / "d"),
            "--port", str(free_port()), "--data", str(tmp_path), "--home", str(home),
        ],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 60
        while not (home / "d").exists():
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        connection = UnixConnection(str(home / "d"), timeout=60)
        connection.request("GET", "/facts")
        facts = json.loads(connection.getresponse().read())
        connection.close()
        assert (facts["engine"], facts["transactions"]) == ("kafka", "isolated")
        assert (home / "told").read_text().strip() == f"-Xms64m -Xmx256m|{tmp_path}/scripts|-name kafkaServer"
        os.kill(int((home / "pid").read_text()), 9)
        assert process.wait(60) != 0
    finally:
        process.kill()
        process.wait(60)


def test_what_does_not_answer_is_not_ready(place: Place) -> None:
    with pytest.raises(NotReady, match="no answer"):
        Kafka({}, place).probe()
