"""The proxy with switches, in front of a service that echoes; and fault flags that are put back."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from labkit import chaos
from labkit.chaos import Proxy, fault

PATIENCE = 60.0


class Echo:
    """A service that sends back what it gets."""

    def __init__(self, listener: socket.socket) -> None:
        self.listener = listener
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(client,), daemon=True).start()

    def _answer(self, client: socket.socket) -> None:
        with client:
            try:
                while data := client.recv(65_536):
                    client.sendall(data)
            except OSError:
                pass

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


@pytest.fixture
def echo() -> Iterator[tuple[str, int]]:
    """The address of an echo on TCP."""
    service = Echo(socket.create_server(("127.0.0.1", 0)))
    yield service.listener.getsockname()
    service.close()


@pytest.fixture
def proxy(echo: tuple[str, int]) -> Iterator[Proxy]:
    """A proxy in front of it."""
    with Proxy(echo) as made:
        yield made


def client_of(proxy: Proxy, timeout: float = PATIENCE) -> socket.socket:
    return socket.create_connection((proxy.host, proxy.port), timeout)


def said(client: socket.socket, data: bytes) -> bytes:
    """What comes back for this."""
    client.sendall(data)
    answer = b""
    while len(answer) < len(data):
        piece = client.recv(65_536)
        if not piece:
            break
        answer += piece
    return answer


def until(condition: Any) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_without_a_switch_it_passes_everything_on(proxy: Proxy) -> None:
    data = bytes(range(256)) * 2_000
    with client_of(proxy) as first, client_of(proxy) as second:
        received: list[bytes] = []
        thread = threading.Thread(target=lambda: received.append(said(first, data)))
        thread.start()
        assert said(second, b"hello") == b"hello"
        thread.join(PATIENCE)
        assert received == [data]
        assert (proxy.accepted, proxy.open) == (2, 2)
    until(lambda: proxy.open == 0)


def test_a_unix_socket_can_stand_behind_it(tmp_path: Path) -> None:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "s"))
    listener.listen()
    service = Echo(listener)
    with Proxy(tmp_path / "s") as proxy, client_of(proxy) as client:
        assert said(client, b"hello") == b"hello"
    service.close()


def test_an_end_is_passed_on_after_what_was_said(proxy: Proxy) -> None:
    with client_of(proxy) as client:
        client.sendall(b"bye")
        client.shutdown(socket.SHUT_WR)
        assert client.recv(100) == b"bye"
        assert client.recv(100) == b""


def test_latency_delays_answers(proxy: Proxy) -> None:
    with client_of(proxy) as client, proxy.during(latency=0.2, jitter=0.05):
        begun = time.monotonic()
        assert said(client, b"x") == b"x"
        assert time.monotonic() - begun >= 0.2
    assert (proxy.latency, proxy.jitter) == (0.0, 0.0)


def test_bandwidth_is_bounded(proxy: Proxy) -> None:
    with client_of(proxy) as client, proxy.during(bandwidth=100_000):
        begun = time.monotonic()
        assert len(said(client, b"x" * 20_000)) == 20_000
        assert time.monotonic() - begun >= 0.19


def test_refused_is_refused_and_open_connections_go_on(proxy: Proxy) -> None:
    with client_of(proxy) as client:
        said(client, b"x")
        proxy.refuse = True
        with pytest.raises(ConnectionRefusedError):
            client_of(proxy)
        assert said(client, b"still here") == b"still here"
        proxy.refuse = False
        with client_of(proxy) as again:
            assert said(again, b"back") == b"back"


def test_reset_cuts_open_connections_and_new_ones(proxy: Proxy) -> None:
    with client_of(proxy) as client:
        said(client, b"x")
        with proxy.during(reset=True):
            with pytest.raises(ConnectionResetError):
                client.recv(10)
            with pytest.raises(ConnectionResetError), client_of(proxy) as another:
                another.recv(10)
    with client_of(proxy) as again:
        assert said(again, b"back") == b"back"


def test_cut_resets_only_what_is_open(proxy: Proxy) -> None:
    with client_of(proxy) as client:
        said(client, b"x")
        proxy.cut()
        with pytest.raises(ConnectionResetError):
            client.recv(10)
        with client_of(proxy) as again:
            assert said(again, b"back") == b"back"


def test_hang_keeps_everything_back_until_it_is_over(proxy: Proxy) -> None:
    with client_of(proxy, timeout=0.2) as client:
        proxy.hang = True
        client.sendall(b"hello")
        with pytest.raises(TimeoutError):
            client.recv(10)
        proxy.hang = False
        client.settimeout(PATIENCE)
        assert client.recv(10) == b"hello"


def test_closing_it_ends_every_connection_and_frees_the_port(echo: tuple[str, int]) -> None:
    proxy = Proxy(echo)
    proxy.hang = True
    with client_of(proxy) as client:
        client.sendall(b"x")
        until(lambda: proxy.open == 1)
        proxy.close()
        assert client.recv(10) == b""
    with pytest.raises(ConnectionRefusedError):
        client_of(proxy)
    until(lambda: proxy.open == 0)
    proxy.refuse = False
    proxy.close()


def test_connections_are_bounded(echo: tuple[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chaos, "MOST_CONNECTIONS", 2)
    with Proxy(echo) as proxy, client_of(proxy) as first, client_of(proxy) as second:
        assert (said(first, b"1"), said(second, b"2")) == (b"1", b"2")
        with pytest.raises(ConnectionResetError), client_of(proxy) as third:
            third.recv(10)


def test_nobody_behind_it_is_a_reset() -> None:
    with socket.socket() as taken:  # bound and not listening: nobody answers, and nobody else gets the port
        taken.bind(("127.0.0.1", 0))
        address = taken.getsockname()
        with Proxy(address) as proxy, pytest.raises(ConnectionResetError), client_of(proxy) as client:
            client.recv(10)


def test_a_switch_that_is_none_is_refused(proxy: Proxy) -> None:
    with pytest.raises(ValueError, match="no switch latncy"), proxy.during(latncy=1):
        pass


class Platform:
    """Fault flags over HTTP as Meridian has them."""

    def __init__(self) -> None:
        self.flags = {"payment.decline": 0.0, "inventory.latency": 0.0}
        self.client = httpx.Client(transport=httpx.MockTransport(self._answer), base_url="http://meridian")

    def _answer(self, request: httpx.Request) -> httpx.Response:
        name = request.url.path.removeprefix("/faults").lstrip("/")
        if request.method == "GET":
            return httpx.Response(
                200, json=[{"name": flag, "value": value} for flag, value in self.flags.items()]
            )
        if name not in self.flags:
            return httpx.Response(404)
        self.flags[name] = (
            httpx.Response(200, content=request.content).json()["value"] if request.method == "PUT" else 0.0
        )
        return httpx.Response(200)


def test_a_fault_is_put_back_to_what_it_was_whatever_happens() -> None:
    platform = Platform()
    seen: list[float] = []

    def declined() -> None:
        with fault(platform.client, "payment.decline", 1):
            seen.append(platform.flags["payment.decline"])
            raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        declined()
    assert seen == [1]
    assert platform.flags["payment.decline"] == 0
    platform.flags["inventory.latency"] = 0.3
    with fault(platform.client, "inventory.latency", 2):
        assert platform.flags["inventory.latency"] == 2
    assert platform.flags["inventory.latency"] == 0.3


def test_a_fault_that_there_is_not_is_an_error() -> None:
    with pytest.raises(httpx.HTTPStatusError), fault(Platform().client, "no.such", 1):
        pass
