"""compose.yaml, the Dockerfile and the registry of services say the same."""

from __future__ import annotations

import re
import socket
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import yaml

import reference_impl
from reference_impl.containers import healthy
from reference_impl.shared.settings import Settings
from reference_impl.topologies import registry
from reference_impl.topologies.parts.postgres import OPTIONS

FOLDER = Path(reference_impl.__file__).parent
COMPOSE: dict[str, Any] = yaml.safe_load((FOLDER / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = re.sub(r"\\\n\s*", "", (FOLDER / "Dockerfile").read_text())
STAGES = {
    found[2]: (found[1], found[3])
    for found in re.finditer(r"^FROM (\S+) AS (\S+)\n(.*?)(?=^FROM |\Z)", DOCKERFILE, re.M | re.S)
}
PORT = "8080"
HEALTHY = {"condition": "service_healthy"}
PARTS = {"postgres": "5432", "redis": "6379", "broker": "9092"}


def test_every_service_and_what_it_runs_on_is_there() -> None:
    assert set(SERVICES) == {entry.name for entry in registry.entries()} | set(PARTS) | {"tools"}


@pytest.mark.parametrize("name", [entry.name for entry in registry.entries()])
def test_a_service_listens_where_the_others_and_its_health_check_look(name: str) -> None:
    service = SERVICES[name]
    assert service["command"] == ["service", name, "--port", PORT]
    assert service["image"] == "meridian/service"
    assert "healthcheck" not in service  # that of the image
    settings = Settings(peer_url=service["environment"]["MERIDIAN_PEER_URL"])
    assert registry.entry(name).address(settings) == f"http://{name}:{PORT}"


def test_every_image_that_is_run_is_built_once() -> None:
    built = [(each["image"], each["build"]["target"]) for each in SERVICES.values() if "build" in each]
    assert sorted(built) == [(f"meridian/{stage}", stage) for stage in sorted({"service", *PARTS})]
    assert {each["image"] for each in SERVICES.values()} == {image for image, _ in built}
    assert {stage for _, stage in built} <= set(STAGES)


def test_only_the_gateway_opens_a_port_and_waits_for_all_others() -> None:
    assert {name for name, each in SERVICES.items() if "ports" in each} == {"gateway"}
    assert SERVICES["gateway"]["ports"] == [f"127.0.0.1:${{MERIDIAN_BASE_PORT:-8080}}:{PORT}"]
    assert {name for name, each in SERVICES.items() if each["networks"] != ["inside"]} == {"gateway"}
    assert COMPOSE["networks"]["inside"] == {"internal": True}
    others = {entry.name for entry in registry.entries()} - {"gateway"}
    assert SERVICES["gateway"]["depends_on"] == dict.fromkeys(others, HEALTHY)
    for name in others:
        assert SERVICES[name]["depends_on"] == dict.fromkeys(PARTS, HEALTHY)


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_every_container_is_bounded_and_may_do_little(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["init"] is True
    assert {"mem_limit", "pids_limit", "tmpfs"} <= set(service)


@pytest.mark.parametrize(("stage", "port"), [("service", PORT), *PARTS.items()])
def test_every_image_has_a_health_check_on_its_port_and_an_account(stage: str, port: str) -> None:
    below, text = STAGES[stage]
    assert f"EXPOSE {port}" in text
    check = re.search(r"HEALTHCHECK .*CMD (\[.*\])", text)
    assert check
    if stage in ("service", "broker"):
        assert f'"{port}"]' in check[1]
    everything = STAGES[below][1] + text if below in STAGES else text
    assert "USER 10001:10001" in everything


def test_passwords_are_asked_for_and_never_given() -> None:
    words = (FOLDER / "compose.yaml").read_text()
    for name in ("POSTGRES_PASSWORD", "REDIS_PASSWORD"):
        assert f"${{{name}:?" in words
        assert f"${{{name}:-" not in words


def test_every_variable_that_containers_get_is_a_setting() -> None:
    given = {
        name: re.sub(r"\$\{\w+(?::-(.*?)|:\?.*?)?\}", r"\1", value)
        for each in SERVICES.values()
        for name, value in each.get("environment", {}).items()
        if name.startswith("MERIDIAN_")
    }
    assert Settings.from_environment(given).kafka_bootstrap_servers == "broker:9092"


def test_postgres_gets_the_options_that_it_has_elsewhere() -> None:
    text = (FOLDER / "containers" / "start-postgres").read_text()
    given = {key: value.strip("'") for key, value in re.findall(r"-c (\w+)=(\S*)", text)}
    assert given == {**OPTIONS, "listen_addresses": "*"}


Serve = Callable[[bytes], int]


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    """Starts a server that answers whoever asks first; returns its port. Whoever asks is patient: it is a thread of ours."""
    monkeypatch.setattr(healthy, "SECONDS", 60.0)
    open_sockets = []

    def start(answer: bytes) -> int:
        server = socket.create_server(("127.0.0.1", 0))
        server.settimeout(60)
        open_sockets.append(server)

        def once() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1024)
                connection.sendall(answer)

        Thread(target=once, daemon=True).start()
        return int(server.getsockname()[1])

    yield start
    for each in open_sockets:
        each.close()


@pytest.mark.parametrize(
    ("kind", "answer", "code"),
    [
        ("http", b"HTTP/1.1 200 OK\r\n\r\n", 0),
        ("http", b"HTTP/1.1 503 Service Unavailable\r\n\r\n", 1),
        ("http", b"", 1),
        ("kafka", struct.pack(">iih", 6, 1, 0), 0),
        ("kafka", struct.pack(">iih", 6, 1, 35), 1),
        ("kafka", b"HTTP", 1),
    ],
)
def test_the_health_check_tells_well_from_ill(serve: Serve, kind: str, answer: bytes, code: int) -> None:
    assert healthy.main(kind, serve(answer)) == code


def test_the_health_check_fails_where_nobody_listens() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        assert healthy.main("http", probe.getsockname()[1]) == 1
