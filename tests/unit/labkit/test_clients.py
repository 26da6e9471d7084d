"""Where clients connect to, with which limits, and what is said of the services that answer."""

from __future__ import annotations

import http.server
import os
import shutil
import subprocess
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from labkit import clients, found, lab
from labkit.lab import LabError

VARIABLES = (
    "DATABASE_URL", "PGHOST", "REDIS_URL", "REDIS_HOST", "REDIS_PORT", "REDIS_SOCKET", "KAFKA_BOOTSTRAP_SERVERS",
    "MERIDIAN_SOCKET", "AWS_ENDPOINT_URL", "LAB_SANDBOX", "LAB_SLUG",
)  # fmt: skip
PROXY = SimpleNamespace(host="127.0.0.1", port=7777)


@pytest.fixture(autouse=True)
def no_services(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    "door",
    [
        lab.connect,
        lab.meridian,
        lab.redis,
        lab.kafka,
        lambda: lab.proxy("redis"),
        lambda: lab.proxy("postgres"),
    ],
)
def test_before_the_first_cell_every_door_says_what_to_run(door: Any) -> None:
    with pytest.raises(LabError, match="run its first cell"):
        door()


def test_a_proxy_for_something_else_is_refused() -> None:
    with pytest.raises(LabError, match="takes aws, meridian, postgres or redis"):
        lab.proxy("kafka")


def test_redis_has_time_limits_and_retries_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "unix:///run/r.sock?db=0")
    client = lab.redis(timeout=0.5)
    options = client.connection_pool.connection_kwargs
    assert (options["path"], options["decode_responses"]) == ("/run/r.sock", True)
    assert (options["socket_timeout"], options["socket_connect_timeout"]) == (0.5, 0.5)
    assert options["retry"].get_retries() == 0
    through = lab.redis(text=False, through=PROXY).connection_pool.connection_kwargs
    assert (through["host"], through["port"], through["decode_responses"]) == ("127.0.0.1", 7777, False)


def test_kafkas_clients_take_the_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    confluent_kafka = pytest.importorskip("confluent_kafka")
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    consumer = lab.kafka(group="payments")
    assert (consumer["group.id"], consumer["session.timeout.ms"]) == ("payments", 2_000)
    assert consumer["heartbeat.interval.ms"] < consumer["session.timeout.ms"]
    assert "group.id" not in lab.kafka()
    # In a container without a network no name is resolved when the family is given, not even 127.0.0.1.
    assert "broker.address.family" not in {**consumer, **lab.kafka()}
    confluent_kafka.Consumer({**consumer, "log_level": 0}).close()
    confluent_kafka.Producer({**lab.kafka(), "log_level": 0})


def test_addresses_are_those_that_a_proxy_stands_in_front_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_SOCKET", "/run/r.sock")
    assert clients.address("redis") == "/run/r.sock"
    monkeypatch.setenv("REDIS_HOST", "127.0.0.1")
    monkeypatch.setenv("REDIS_PORT", "7000")
    monkeypatch.setenv("PGHOST", "/run/pg")
    monkeypatch.setenv("MERIDIAN_SOCKET", "/run/m.sock")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:7002")
    assert [clients.address(name) for name in ("redis", "postgres", "meridian", "aws")] == [
        ("127.0.0.1", 7000),
        "/run/pg/.s.PGSQL.5432",
        "/run/m.sock",
        ("127.0.0.1", 7002),
    ]


def test_the_database_is_reached_through_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    import psycopg

    seen: dict[str, Any] = {}
    monkeypatch.setattr(psycopg, "connect", lambda url, **options: seen.update(options))
    monkeypatch.setenv("DATABASE_URL", "postgresql://learner@/shop?host=/run/pg")
    lab.connect(through=PROXY)
    assert (seen["host"], seen["port"]) == ("127.0.0.1", 7777)


def test_the_platform_is_reached_through_a_proxy() -> None:
    with lab.meridian(through=PROXY) as client:
        assert str(client.base_url) == "http://127.0.0.1:7777"


def test_only_what_the_lab_started_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "go"
    program.write_text("#!/bin/sh\necho go version go1.27.3 linux/amd64\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("DATABASE_URL", "postgresql://somebody-elses")
    assert found.services({"GOTOOLCHAIN": "local"}) == ["Go 1.27.3"]


def test_a_service_that_does_not_answer_is_named_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    with pytest.raises(found.NotThere, match=r"^Redis does not answer \(ConnectionError.*Restart the kernel"):
        found.services(os.environ.keys() & {"REDIS_URL"})


def test_http_services_are_asked_directly(monkeypatch: pytest.MonkeyPatch) -> None:
    class Ready(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_: object) -> None:
            return None

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Ready)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    for name in ("PROMETHEUS_URL", "ENVOY_ADMIN_URL", "AWS_ENDPOINT_URL"):
        monkeypatch.setenv(name, url)
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    said = found.services({"PROMETHEUS_URL", "ENVOY_ADMIN_URL", "AWS_ENDPOINT_URL"})
    server.shutdown()
    assert said == ["AWS, region eu-west-1", "Prometheus", "Envoy"]


@pytest.mark.redis
def test_a_real_redis_is_named_by_its_version(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    server = shutil.which("redis-server")
    assert server
    socket = tmp_path / "r.sock"
    process = subprocess.Popen(
        [server, "--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", str(tmp_path)],
        stdout=subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if b"ready to accept" in line.lower():
                break
        monkeypatch.setenv("REDIS_URL", f"unix://{socket}?db=0")
        assert found.services({"REDIS_URL"})[0].startswith("Redis ")
        assert lab.redis().ping()
    finally:
        process.terminate()
        process.wait(60)
