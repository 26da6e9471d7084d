"""Joins a browser's WebSocket to Jupyter's: kernels and terminals."""

from __future__ import annotations

import asyncio

import aiohttp
from aiohttp import web

from sandboxes.gateway import headers
from sandboxes.gateway.http_proxy import MAX_BODY_BYTES, target

HEARTBEAT_SECONDS = 30.0
HANDSHAKE_SECONDS = 20.0
CLOSE_SECONDS = 5.0
GOING_AWAY = 1001
BROKEN = 1012
"""For a side whose other side was lost without a word. After it Jupyter's front end connects again, after 1000 and 1001 never."""
NEVER_SENT = frozenset((1004, 1005, 1006, 1015))

Socket = web.WebSocketResponse | aiohttp.ClientWebSocketResponse


def wanted(request: web.Request) -> bool:
    """Whether a request asks for a WebSocket."""
    connection = {word.strip().lower() for word in request.headers.get("Connection", "").split(",")}
    return "upgrade" in connection or "upgrade" in {name.lower() for name in request.headers}


async def forward(request: web.Request, session: aiohttp.ClientSession) -> web.StreamResponse:
    """Serve the connection until either side ends it. Raises aiohttp.ClientError and TimeoutError before the
    handshake only.
    """
    offered = [
        word.strip() for word in request.headers.get("Sec-WebSocket-Protocol", "").split(",") if word.strip()
    ]
    async with asyncio.timeout(HANDSHAKE_SECONDS):
        jupyter = await session.ws_connect(
            target(request),
            protocols=offered,
            headers=headers.to_sandbox(request.headers, websocket=True),
            heartbeat=HEARTBEAT_SECONDS,
            max_msg_size=MAX_BODY_BYTES,
            timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_SECONDS),
        )
    browser = web.WebSocketResponse(
        protocols=[jupyter.protocol] if jupyter.protocol else [],
        heartbeat=HEARTBEAT_SECONDS,
        max_msg_size=MAX_BODY_BYTES,
        compress=False,
        timeout=CLOSE_SECONDS,
    )
    try:
        await browser.prepare(request)
        await asyncio.gather(_pump(browser, jupyter), _pump(jupyter, browser))
    finally:
        await jupyter.close(code=GOING_AWAY)
    return browser


async def _pump(source: Socket, sink: Socket) -> None:
    """Pass messages on until the source ends, then end the sink in the same way; that ends the other direction too.

    One message after the other, so that a slow sink slows the source and memory holds one message.
    """
    code = BROKEN
    try:
        while True:
            message = await source.receive()
            if message.type is aiohttp.WSMsgType.TEXT:
                await sink.send_str(message.data)
            elif message.type is aiohttp.WSMsgType.BINARY:
                await sink.send_bytes(message.data)
            else:
                told = message.data if message.type is aiohttp.WSMsgType.CLOSE else source.close_code
                code = _sendable(told)
                return
    except (ConnectionError, aiohttp.ClientError):
        return
    finally:
        await sink.close(code=code)


def _sendable(code: int | None) -> int:
    """The code if a close frame may carry it, else BROKEN."""
    if code is None or code in NEVER_SENT or not 1000 <= code <= 4999:
        return BROKEN
    return code
