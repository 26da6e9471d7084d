"""WebSockets through the gateway."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import aiohttp
import pytest
from aiohttp import web

from .conftest import OTHER_TOKEN, PORTAL, TOKEN, World

InWorld = Callable[[Callable[[World], Awaitable[None]]], None]
PROTOCOL = "v1.kernel.websocket.jupyter.org"


def with_echo(world: World) -> list[int | None]:
    """Let Jupyter echo at /channels; returns the codes with which the browser's side ended."""
    closed: list[int | None] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(protocols=[PROTOCOL], max_msg_size=0)
        await socket.prepare(request)
        while True:
            message = await socket.receive()
            if message.data == "end":
                await socket.close(code=4001)
            elif message.data == "break":
                assert request.transport is not None
                request.transport.abort()
            elif message.type is aiohttp.WSMsgType.TEXT:
                await socket.send_str(message.data)
            elif message.type is aiohttp.WSMsgType.BINARY:
                await socket.send_bytes(message.data)
            else:
                closed.append(message.data)
                return socket

    world.answers["/channels"] = answer
    return closed


def test_text_and_bytes_pass_both_ways(in_world: InWorld) -> None:
    async def check(world: World) -> None:
        with_echo(world)
        async with world.client.ws_connect(
            f"{world.base}/channels", origin=world.origin, max_msg_size=0
        ) as socket:
            await socket.send_str("hello")
            assert await socket.receive_str() == "hello"
            large = bytes(5_000_000)
            await socket.send_bytes(large)
            assert await socket.receive_bytes() == large

    in_world(check)


def test_jupyters_subprotocol_is_agreed_on(in_world: InWorld) -> None:
    async def check(world: World) -> None:
        with_echo(world)
        async with world.client.ws_connect(
            f"{world.base}/channels", origin=world.origin, protocols=["other", PROTOCOL]
        ) as socket:
            assert socket.protocol == PROTOCOL
        assert world.asked[0].headers["Host"] == world.origin.removeprefix("http://")
        assert world.asked[0].headers["Origin"] == world.origin

    in_world(check)


def test_the_browsers_end_ends_jupyters(in_world: InWorld) -> None:
    async def check(world: World) -> None:
        closed = with_echo(world)
        socket = await world.client.ws_connect(f"{world.base}/channels", origin=world.origin)
        await socket.close(code=4100)
        for _ in range(3_000):
            if closed:
                break
            await asyncio.sleep(0.02)
        assert closed == [4100]

    in_world(check)


def test_jupyters_end_ends_the_browsers_with_its_code(in_world: InWorld) -> None:
    async def check(world: World) -> None:
        with_echo(world)
        async with world.client.ws_connect(f"{world.base}/channels", origin=world.origin) as socket:
            await socket.send_str("end")
            message = await socket.receive(timeout=60)
            assert message.type is aiohttp.WSMsgType.CLOSE
            assert socket.close_code == 4001

    in_world(check)


def test_a_connection_that_breaks_is_one_that_the_browser_makes_again(in_world: InWorld) -> None:
    """Jupyter's front end stays disconnected after the codes 1000 and 1001, and connects again after all others."""

    async def check(world: World) -> None:
        with_echo(world)
        async with world.client.ws_connect(f"{world.base}/channels", origin=world.origin) as socket:
            await socket.send_str("break")
            message = await socket.receive(timeout=60)
            assert message.type is aiohttp.WSMsgType.CLOSE
            assert socket.close_code == 1012

    in_world(check)


@pytest.mark.parametrize("origin", [None, PORTAL, "null"])
def test_a_foreign_origin_gets_no_websocket(in_world: InWorld, origin: str | None) -> None:
    async def check(world: World) -> None:
        with_echo(world)
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await world.client.ws_connect(f"{world.base}/channels", origin=origin)
        assert caught.value.status == 403
        assert world.asked == []

    in_world(check)


def test_a_wrong_token_gets_no_websocket(in_world: InWorld) -> None:
    async def check(world: World) -> None:
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await world.client.ws_connect(f"/s/box1/{OTHER_TOKEN}/channels", origin=world.origin)
        assert caught.value.status == 404

    in_world(check)


def test_a_websocket_that_jupyter_refuses_is_refused(in_world: InWorld) -> None:
    async def check(world: World) -> None:
        async def unknown(request: web.Request) -> web.Response:
            return web.Response(status=404)

        world.answers["/channels"] = unknown
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await world.client.ws_connect(f"{world.base}/channels", origin=world.origin)
        assert caught.value.status == 404
        assert TOKEN not in str(caught.value.headers)

    in_world(check)


def test_a_message_beyond_the_limit_ends_the_connection(
    in_world: InWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sandboxes.gateway import websocket_proxy

    monkeypatch.setattr(websocket_proxy, "MAX_BODY_BYTES", 1000)

    async def check(world: World) -> None:
        with_echo(world)
        async with world.client.ws_connect(f"{world.base}/channels", origin=world.origin) as socket:
            await socket.send_bytes(bytes(2000))
            message = await socket.receive(timeout=60)
            assert message.type in {aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED}

    in_world(check)
