"""What the agent answers on its socket: JSON over HTTP, one handler a question.

    GET  /status                                                     the document of `StatusBoard`
    POST /execute    {notebook, total_seconds, cell_seconds, output_bytes} → {outcome, detail, errors, notebook}
    POST /call       {function, arguments, seconds}                   → {text}
    POST /call-many  {function, calls, workers, seconds}              → {calls: [{text | error, milliseconds}]}
    POST /value      {expression, seconds}                            → {text}
    POST /run        {command, seconds}                               → {exit_code, output}
    GET  /files?path=…&max_bytes=…                                    → bytes
    PUT  /files?path=…   bytes                                        → {}

`text` is the JSON text of a value. Everything else is `AgentError.document()`, with a status of 400 and above.
"""

from __future__ import annotations

import ast
import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from socket import socket
from typing import TYPE_CHECKING, Any

from aiohttp import web

from sandboxes.agent.commands import run_command
from sandboxes.agent.workspace import read_file, write_file
from sandboxes.interface import ExecutionLimits
from sandboxes.protocol import CALLS, FILE_BYTES, NOTEBOOK_BYTES, VALUE_BYTES, WORKERS, AgentError, ErrorKind

if TYPE_CHECKING:
    from sandboxes.agent.learner_side import LearnerSide

MAX_SECONDS = 3_600.0
MAX_OUTPUT_BYTES = 16 * 1_048_576
WAITING = 16
"""Requests that may wait for the kernel."""
GRACE_SECONDS = 5.0
"""What the bridge gets on top of a call's own deadline to say that it passed."""

STATUS_OF = {
    ErrorKind.TIMEOUT: 504,
    ErrorKind.KERNEL_DIED: 409,
    ErrorKind.LEARNER_CODE: 422,
    ErrorKind.TOO_LARGE: 413,
    ErrorKind.NOT_FOUND: 404,
    ErrorKind.INVALID: 400,
    ErrorKind.BUSY: 429,
    ErrorKind.BROKEN: 500,
}

log = logging.getLogger("sandboxes.agent")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@contextlib.asynccontextmanager
async def serve(agent: LearnerSide, place: Path | socket) -> AsyncIterator[None]:
    """Answer on a Unix socket, bound already or to be made at a path, for as long as the context lasts."""
    app = web.Application(client_max_size=max(NOTEBOOK_BYTES, FILE_BYTES) + 65_536, middlewares=[_errors])
    desk = _Desk(agent)
    app.router.add_get("/status", desk.status)
    app.router.add_post("/execute", desk.execute)
    app.router.add_post("/call", desk.call)
    app.router.add_post("/call-many", desk.call_many)
    app.router.add_post("/value", desk.value)
    app.router.add_post("/run", desk.run)
    app.router.add_get("/files", desk.read)
    app.router.add_put("/files", desk.write)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.2)
    await runner.setup()
    try:
        if isinstance(place, Path):
            place.unlink(missing_ok=True)
            await web.UnixSite(runner, str(place)).start()
        else:
            await web.SockSite(runner, place).start()
        yield
    finally:
        await runner.cleanup()


@web.middleware
async def _errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except AgentError as error:
        failure = error
    except web.HTTPRequestEntityTooLarge:
        failure = AgentError(ErrorKind.TOO_LARGE, "The request is too large.")
    except web.HTTPException:
        raise
    except Exception as error:
        log.exception("%s failed", request.path)
        failure = AgentError(ErrorKind.BROKEN, f"The sandbox could not do that: {error!r}")
    return web.json_response(failure.document(), status=STATUS_OF[failure.kind])


class _Desk:
    """The handlers."""

    def __init__(self, agent: LearnerSide) -> None:
        self._agent = agent
        self._kernel_lock = asyncio.Lock()
        self._waiting = 0

    @contextlib.asynccontextmanager
    async def _kernel(self) -> AsyncIterator[None]:
        """One question at a time for the kernel, and not too many in the queue."""
        if self._waiting >= WAITING:
            raise AgentError(ErrorKind.BUSY, "Too many requests wait for the kernel.")
        self._waiting += 1
        try:
            async with self._kernel_lock:
                yield
        finally:
            self._waiting -= 1

    async def status(self, _request: web.Request) -> web.StreamResponse:
        return web.json_response(self._agent.status.document())

    async def execute(self, request: web.Request) -> web.StreamResponse:
        wish = await _body(request)
        limits = ExecutionLimits(
            total_seconds=_number(wish, "total_seconds", MAX_SECONDS),
            cell_seconds=_number(wish, "cell_seconds", MAX_SECONDS),
            output_bytes=int(_number(wish, "output_bytes", MAX_OUTPUT_BYTES)),
        )
        async with self._kernel():
            return web.json_response(await self._agent.kernels.execute(wish.get("notebook", {}), limits))

    async def call(self, request: web.Request) -> web.StreamResponse:
        wish = await _body(request, VALUE_BYTES)
        question = {"do": "call", "function": _name(wish), "arguments": _list(wish, "arguments")}
        return await self._ask(question, _number(wish, "seconds", MAX_SECONDS), ["text"])

    async def call_many(self, request: web.Request) -> web.StreamResponse:
        wish = await _body(request, VALUE_BYTES)
        seconds = _number(wish, "seconds", MAX_SECONDS)
        calls = _list(wish, "calls")
        if len(calls) > CALLS or not all(isinstance(arguments, list) for arguments in calls):
            raise AgentError(ErrorKind.INVALID, f"calls must be at most {CALLS} lists of arguments")
        question = {
            "do": "call_many",
            "function": _name(wish),
            "calls": calls,
            "workers": int(_number(wish, "workers", WORKERS)),
            "seconds": seconds,
        }
        return await self._ask(question, seconds + GRACE_SECONDS, ["calls"])

    async def value(self, request: web.Request) -> web.StreamResponse:
        wish = await _body(request, VALUE_BYTES)
        question = {"do": "value", "expression": _path_expression(wish.get("expression"))}
        return await self._ask(question, _number(wish, "seconds", MAX_SECONDS), ["text"])

    async def run(self, request: web.Request) -> web.StreamResponse:
        wish = await _body(request, VALUE_BYTES)
        command = _list(wish, "command")
        if not command or not all(isinstance(word, str) and "\0" not in word for word in command):
            raise AgentError(ErrorKind.INVALID, "command must be a list of words")
        agent = self._agent
        code, output = await run_command(
            agent.processes,
            command,
            agent.workspace,
            agent.learner_environment,
            _number(wish, "seconds", MAX_SECONDS),
        )
        return web.json_response({"exit_code": code, "output": output})

    async def read(self, request: web.Request) -> web.StreamResponse:
        path = request.query.get("path", "")
        limit = request.query.get("max_bytes", "0")
        if not limit.isascii() or not limit.isdigit():
            raise AgentError(ErrorKind.INVALID, "max_bytes must be a number")
        data = await asyncio.to_thread(read_file, self._agent.workspace, path, int(limit[:12]))
        return web.Response(body=data)

    async def write(self, request: web.Request) -> web.StreamResponse:
        path = request.query.get("path", "")
        await asyncio.to_thread(write_file, self._agent.workspace, path, await request.read())
        return web.json_response({})

    async def _ask(self, question: dict[str, Any], seconds: float, keep: list[str]) -> web.StreamResponse:
        async with self._kernel():
            document = await self._agent.kernels.ask(question, seconds)
        return web.json_response({key: document.get(key) for key in keep})


async def _body(request: web.Request, limit: int = NOTEBOOK_BYTES) -> dict[str, Any]:
    data = await request.read()
    if len(data) > limit + 65_536:
        raise AgentError(ErrorKind.TOO_LARGE, f"The request is larger than {limit} bytes.")
    try:
        wish = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise AgentError(ErrorKind.INVALID, f"The request is not JSON: {error}") from error
    if not isinstance(wish, dict):
        raise AgentError(ErrorKind.INVALID, "The request is not a JSON object.")
    return wish


def _number(wish: dict[str, Any], key: str, most: float) -> float:
    value = wish.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= most:
        raise AgentError(ErrorKind.INVALID, f"{key} must be a number above 0 and at most {most:g}")
    return float(value)


def _list(wish: dict[str, Any], key: str) -> list[Any]:
    value = wish.get(key)
    if not isinstance(value, list):
        raise AgentError(ErrorKind.INVALID, f"{key} must be a list")
    return value


def _name(wish: dict[str, Any]) -> str:
    name = wish.get("function")
    if not isinstance(name, str) or len(name) > 200 or not all(part.isidentifier() for part in name.split(".")):
        raise AgentError(ErrorKind.INVALID, "function must be a (dotted) name")
    return name


def _path_expression(text: Any) -> str:
    """The expression if it is nothing but a name with attributes and constant indexes. Raises AgentError."""
    if not isinstance(text, str) or len(text) > 500:
        raise AgentError(ErrorKind.INVALID, "expression must be a short text")
    try:
        node = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError) as error:
        raise AgentError(ErrorKind.INVALID, f"{text!r} is not a name with attributes and indexes") from error
    while not isinstance(node, ast.Name):
        constant_index = isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant | ast.UnaryOp)
        if not constant_index and not isinstance(node, ast.Attribute):
            raise AgentError(ErrorKind.INVALID, f"{text!r} is not a name with attributes and indexes")
        assert isinstance(node, ast.Subscript | ast.Attribute)
        node = node.value
    return text.strip()
