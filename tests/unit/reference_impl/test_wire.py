"""HTTP over TCP: what is sent and received, and that callers learn whether a request can have had an effect."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import pytest

from reference_impl.shared.wire import Wire

ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nX-Odd: caf\xe9\r\n\r\nok"
)
Conversation = Callable[[socket.socket], None]
PATIENCE = 60.0


def heard(connection: socket.socket) -> bytes:
    """One request with all of its body."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    lengths = [
        line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")
    ]
    while lengths and len(body) < int(lengths[0]):
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


@contextmanager
def serving(*conversations: Conversation) -> Iterator[str]:
    """A server that has these conversations, one a connection, and then listens no more."""
    listening = socket.create_server(("127.0.0.1", 0))
    listening.settimeout(PATIENCE)
    held: list[socket.socket] = []

    def serve() -> None:
        for talk in conversations:
            connection, _ = listening.accept()
            connection.settimeout(PATIENCE)
            held.append(connection)
            talk(connection)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    for open_one in (listening, *held):
        open_one.close()
    thread.join(PATIENCE)


def send(*requests: httpx.Request) -> list[httpx.Response]:
    async def one_after_the_other() -> list[httpx.Response]:
        wire = Wire()
        answers = []
        try:
            for request in requests:
                answer = await wire.handle_async_request(request)
                await answer.aread()
                await answer.aclose()
                answers.append(answer)
        finally:
            await wire.aclose()
        return answers

    return asyncio.run(one_after_the_other())


def post(url: str, seconds: float = PATIENCE) -> httpx.Request:
    """A request whose answer is waited for so long."""
    timeout = dict.fromkeys(("connect", "write", "pool"), PATIENCE) | {"read": seconds}
    return httpx.Request("POST", f"{url}/a%2Fb?q=%20x", content=b"body", extensions={"timeout": timeout})


def test_a_request_and_its_answer_come_over_as_they_are() -> None:
    seen: list[bytes] = []

    def talk(connection: socket.socket) -> None:
        for _ in range(2):
            seen.append(heard(connection))
            connection.sendall(ANSWER)

    with serving(talk) as url:
        first, second = send(post(url), post(url))
    assert seen[0].startswith(b"POST /a%2Fb?q=%20x HTTP/1.1\r\n")
    assert seen[0].endswith(b"\r\n\r\nbody")
    assert seen[0].lower().count(b"content-length:") == 1
    assert b"cookie" not in seen[1].lower(), "what one caller was given is not for the next one"
    assert (first.status_code, first.content) == (second.status_code, second.content) == (200, b"ok")
    assert first.headers.get_list("set-cookie") == ["a=1", "b=2"]
    assert dict(first.headers.raw)[b"X-Odd"] == b"caf\xe9"


@pytest.mark.parametrize(
    ("said", "arrives"), [("café ✓".encode(), "café ✓".encode()), (b"caf\xe9", "café".encode())]
)
def test_a_header_arrives_as_it_was_said(said: bytes, arrives: bytes) -> None:
    seen: list[bytes] = []

    def talk(connection: socket.socket) -> None:
        seen.append(heard(connection))
        connection.sendall(ANSWER)

    with serving(talk) as url:
        send(httpx.Request("POST", url, headers=[(b"x-name", said)], content=b"body"))
    assert b"\r\nx-name: " + arrives + b"\r\n" in seen[0]


def test_nothing_was_sent_when_nobody_listens() -> None:
    with socket.socket() as taken:  # bound and not listening: nobody answers, and nobody else gets the port
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(httpx.ConnectError):
            send(post(f"http://127.0.0.1:{taken.getsockname()[1]}"))


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"", httpx.RemoteProtocolError),
        (b"HTTP/1.1 200 OK\r\nContent-Le", httpx.RemoteProtocolError),
        (b"SSH-2.0-OpenSSH\r\n\r\n", httpx.RemoteProtocolError),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", httpx.ReadError),
    ],
)
def test_whoever_breaks_off_may_have_done_it(answer: bytes, error: type[Exception]) -> None:
    def talk(connection: socket.socket) -> None:
        heard(connection)
        connection.sendall(answer)
        connection.close()

    with serving(talk) as url, pytest.raises(error) as raised:
        send(post(url))
    assert not isinstance(raised.value, httpx.ConnectError | httpx.ConnectTimeout)


def test_whoever_is_silent_may_have_done_it() -> None:
    with serving(lambda connection: (heard(connection), None)[1]) as url, pytest.raises(httpx.ReadTimeout):
        send(post(url, 0.2))


def kept_open(wire: Wire) -> bool:
    assert wire._session is not None
    assert wire._session.connector is not None
    return any(one.is_connected() for kept in wire._session.connector._conns.values() for one, _ in kept)


def test_a_connection_that_was_closed_meanwhile_is_not_used_again() -> None:
    closed = threading.Event()

    def once(connection: socket.socket) -> None:
        heard(connection)
        connection.sendall(ANSWER)
        connection.close()
        closed.set()

    def again(connection: socket.socket) -> None:
        heard(connection)
        connection.sendall(ANSWER)

    async def twice(url: str) -> list[int]:
        wire = Wire()
        codes = []
        for meanwhile in (True, False):
            answer = await wire.handle_async_request(post(url))
            await answer.aread()
            await answer.aclose()
            codes.append(answer.status_code)
            if meanwhile:
                assert await asyncio.to_thread(closed.wait, PATIENCE)
                async with asyncio.timeout(PATIENCE):
                    while kept_open(wire):  # until the end of the connection arrives
                        await asyncio.sleep(0.01)
        await wire.aclose()
        return codes

    with serving(once, again) as url:
        assert asyncio.run(twice(url)) == [200, 200]


def test_an_answer_that_nobody_reads_to_its_end_is_closed() -> None:
    ended = threading.Event()

    def talk(connection: socket.socket) -> None:
        heard(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 1000)
        while connection.recv(1000):
            pass
        ended.set()

    async def glance(url: str) -> None:
        wire = Wire()
        answer = await wire.handle_async_request(post(url))
        await answer.aclose()
        assert await asyncio.to_thread(ended.wait, PATIENCE)
        await wire.aclose()

    with serving(talk) as url:
        asyncio.run(glance(url))
