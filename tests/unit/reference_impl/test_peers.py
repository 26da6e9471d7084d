"""How services ask one another: in one process and over TCP, with headers and a limit in time."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator

import httpx
import pytest
import uvicorn
from fastapi import FastAPI, Request

from reference_impl.shared import correlation
from reference_impl.shared.peers import Loopback, Network, Peers, UnknownPeer


def answering() -> FastAPI:
    app = FastAPI()

    @app.get("/echo")
    async def echo(request: Request) -> dict[str, str | None]:
        return {"correlation": request.headers.get(correlation.HEADER)}

    @app.get("/slow")
    async def slow() -> None:
        await asyncio.sleep(30)

    return app


@pytest.fixture(params=["loopback", "network"])
def peers(request: pytest.FixtureRequest) -> Iterator[Peers]:
    if request.param == "loopback":
        loopback = Loopback()
        loopback.connect(answering())
        yield loopback
        return
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(answering(), log_level="error", timeout_graceful_shutdown=0))
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    yield Network({"product": f"http://127.0.0.1:{listening.getsockname()[1]}"})
    server.should_exit = True
    thread.join(60)


async def ask(peers: Peers, path: str, timeout_seconds: float = 60.0) -> httpx.Response:
    async with peers.client("product", timeout_seconds=timeout_seconds) as client:
        return await client.get(path)


def test_what_is_being_worked_on_travels_along(peers: Peers) -> None:
    with correlation.working_on("abc-1"):
        assert asyncio.run(ask(peers, "/echo")).json() == {"correlation": "abc-1"}


def test_a_closed_client_and_an_ended_loop_close_nothing_for_others(peers: Peers) -> None:
    async def twice() -> list[int]:
        return [(await ask(peers, "/echo")).status_code for _ in range(2)]

    assert asyncio.run(twice()) == asyncio.run(twice()) == [200, 200]


def test_an_answer_that_does_not_come_is_given_up_in_time(peers: Peers) -> None:
    with pytest.raises(httpx.TimeoutException):
        asyncio.run(ask(peers, "/slow", 0.1))


def test_a_service_that_is_not_there_is_named() -> None:
    with pytest.raises(UnknownPeer, match="there are order, product"):
        Network({"product": "http://a", "order": "http://b"}).client("pruduct")
