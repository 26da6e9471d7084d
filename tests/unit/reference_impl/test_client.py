"""How the command line finds a Meridian, and which of its processes it asks."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import httpx
import pytest

from reference_impl.client import ANY_URL, Place, Unreachable, connect, locate, reach
from reference_impl.shared.settings import Settings
from reference_impl.topologies import registry
from reference_impl.topologies.ground import Ground, Phase, PlatformState, ProcessState


@pytest.fixture
def services() -> Iterator[dict[str, str]]:
    """Two services that answer with their own address and the path."""

    class Echo(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = f"{self.headers['Host']} {self.path}".encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    servers = [HTTPServer(("127.0.0.1", 0), Echo) for _ in range(2)]
    for server in servers:
        Thread(target=server.serve_forever, daemon=True).start()
    yield {
        name: f"http://127.0.0.1:{server.server_port}"
        for name, server in zip(("order", "inventory"), servers, strict=True)
    }
    for server in servers:
        server.shutdown()
        server.server_close()


def running(data: Path, topology: str, processes: dict[str, str], socket: Path | None = None) -> PlatformState:
    return PlatformState(
        topology=topology, pid=os.getpid(), phase=Phase.READY, url="http://127.0.0.1:9", socket=socket,
        started_at=datetime.now(UTC),
        processes=[
            ProcessState(name=name, kind="service", phase=Phase.READY, url=url) for name, url in processes.items()
        ],
    )  # fmt: skip


def test_what_is_given_wins_over_what_the_settings_say(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path, url="http://set", socket=Path("/set.sock"))
    assert locate(settings, url="http://given") == Place("http://given")
    assert locate(settings, uds=Path("/given.sock")).socket == Path("/given.sock")
    assert locate(settings).socket == Path("/set.sock")
    assert locate(Settings(data=tmp_path, url="http://set")) == Place("http://set")
    assert locate(Settings(data=tmp_path)) == Place("http://127.0.0.1:8080")


def test_a_request_goes_to_the_service_that_its_path_belongs_to(
    tmp_path: Path, services: dict[str, str]
) -> None:
    ground = Ground(tmp_path)
    with ground.hold():
        ground.write(running(tmp_path, "services", services))
        settings = Settings(data=tmp_path)
        place = locate(settings)
        assert place.bases() == list(services.values())
        with connect(settings) as client:
            for name, path in (("order", "/orders/7"), ("inventory", "/inventory")):
                host = services[name].removeprefix("http://")
                assert client.get(path, params={"a": 1}).text == f"{host} {path}?a=1"
            host = services["order"].removeprefix("http://")
            assert client.get(f"{services['order']}/faults").text == f"{host} /faults"
            with pytest.raises(httpx.ConnectError, match="/payments"):
                client.get("/payments")


def test_a_platform_that_lacks_one_service_is_not_reachable(tmp_path: Path, services: dict[str, str]) -> None:
    ground = Ground(tmp_path)
    with ground.hold():
        ground.write(running(tmp_path, "services", {**services, "payment": "http://127.0.0.1:9"}))
        with pytest.raises(Unreachable, match="reference_impl up"), connect(Settings(data=tmp_path)):
            pass


def test_where_only_the_gateway_answers_one_is_sent_inside(tmp_path: Path, services: dict[str, str]) -> None:
    processes = {"gateway": services["order"], "payment": "http://127.0.0.1:9"}
    ground = Ground(tmp_path)
    with ground.hold():
        ground.write(running(tmp_path, "services", processes))
        with pytest.raises(Unreachable, match="run --rm tools"), connect(Settings(data=tmp_path)):
            pass


@pytest.mark.parametrize(
    ("parts", "alone"), [(["gateway"], True), (["gateway", "order"], False), (None, False)]
)
def test_where_only_a_gateway_answers_the_services_are_behind_it(
    tmp_path: Path, parts: list[str] | None, alone: bool
) -> None:
    class Readiness(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b"hello"
            if parts is not None:
                body = json.dumps({"parts": [{"name": name} for name in parts]}).encode()
            self.send_response(503)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Readiness)
    Thread(target=server.serve_forever, daemon=True).start()
    port = server.server_port
    try:
        url = f"http://127.0.0.1:{port}"
        found = reach(Settings(data=tmp_path), url=url)
        elsewhere = reach(Settings(data=tmp_path, peer_url="http://{service}.shop:{port}"), url=url)
    finally:
        server.shutdown()
        server.server_close()
    if not alone:
        assert found == elsewhere == Place(url)
        return
    assert found.url == elsewhere.url == ANY_URL
    assert found.processes["gateway"] == url
    assert found.processes["order"] == f"http://127.0.0.1:{port + 4}"
    assert elsewhere.processes["order"] == "http://order.shop:8084"


def test_where_nobody_answers_the_place_stays_as_it_was_named(tmp_path: Path) -> None:
    assert reach(Settings(data=tmp_path), url="http://127.0.0.1:9") == Place("http://127.0.0.1:9")


def test_a_monolith_on_a_socket_is_found_by_its_directory(tmp_path: Path) -> None:
    ground = Ground(tmp_path)
    with ground.hold():
        socket = tmp_path / "m.sock"
        ground.write(running(tmp_path, "monolith", {"monolith": f"unix:{socket}"}, socket))
        place = locate(Settings(data=tmp_path))
    assert (place.socket, place.bases()) == (socket, [""])


def test_no_two_services_share_a_port_or_a_path() -> None:
    offsets = [entry.offset for entry in registry.ENTRIES]
    paths = [path for entry in registry.ENTRIES for path in entry.paths]
    assert len(set(offsets)) == len(offsets)
    assert len(set(paths)) == len(paths)


@pytest.mark.parametrize("entry", registry.entries(), ids=lambda entry: entry.name)
def test_every_path_of_a_service_is_in_the_registry(entry: registry.Entry, tmp_path: Path) -> None:
    from reference_impl.topologies import single

    built = single.build(Settings(data=tmp_path), entry.name)
    try:
        own = {path.split("/")[1] for path in built.app.openapi()["paths"]}
    finally:
        built.runtime.stop()
    assert own - {"faults", "health", "dead-letters", "metrics"} <= set(entry.paths)


def test_peers_are_found_where_the_settings_say() -> None:
    order = registry.entry("order")
    assert order.address(Settings(base_port=9000)) == "http://127.0.0.1:9004"
    assert order.address(Settings(peer_url="http://{service}:{port}")) == "http://order:8084"
    with pytest.raises(KeyError, match="there are"):
        registry.entry("ordr")
