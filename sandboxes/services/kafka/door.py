"""The grader's door to a cluster whose ports it can't reach: HTTP and JSON on a Unix socket.

GET  /facts                          which engine, and what it does and does not do
GET  /topics                         {"topics": {name: {"partitions": {number: {"first", "next"}}}}}
POST /topics                         {"name", "partitions", "replication"?}; 409 when it is there
POST /topics/{topic}/records         {"records": [{"value", "key"?, "headers"?, "partition"?}]} → where each went, in order:
                                     {"records": [{"partition", "offset"}]}
GET  /topics/{topic}/records         ?isolation=read_committed|read_uncommitted&limit=N → {"records": […], "complete"}
GET  /groups/{group}/offsets         ?topic= → {"offsets": {topic: {partition: {"committed", "end", "lag"}}}}
GET  /groups/{group}                 {"state", "members"}; 501 where the engine does not tell

Keys, values and headers' values are text, null, or {"base64": …} for bytes that are not UTF-8. What goes wrong is {"error": …}.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import re
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any, TypeVar

from aiohttp import web

from sandboxes.services.kafka import PARTITIONS, TOPIC_NAME
from sandboxes.services.kafka.clients import (
    ISOLATION,
    READ_RECORDS,
    Clients,
    ClusterFailed,
    NoSuchTopic,
    Record,
    TopicExists,
    Unsupported,
)

BODY_BYTES = 8 * 1_048_576
RECORDS_AT_ONCE = 1_000
HEADERS = 50
WORKERS = 4
WAITING = 16
GROUP_CHARACTERS = 200

Result = TypeVar("Result")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Door:
    """The routes above for one cluster."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="door")
        self._busy = 0

    def app(self) -> web.Application:
        """The application to serve."""
        app = web.Application(client_max_size=BODY_BYTES, middlewares=[_errors])
        app.add_routes(
            [
                web.get("/facts", self._facts),
                web.get("/topics", self._topics),
                web.post("/topics", self._create),
                web.post("/topics/{topic}/records", self._produce),
                web.get("/topics/{topic}/records", self._read),
                web.get("/groups/{group}/offsets", self._offsets),
                web.get("/groups/{group}", self._group),
            ]
        )
        return app

    async def _ask(self, question: Callable[..., Result], *arguments: Any) -> Result:
        if self._busy >= WORKERS + WAITING:
            raise web.HTTPServiceUnavailable(text="Too many questions at once: ask again in a moment.")
        self._busy += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, question, *arguments)
        finally:
            self._busy -= 1

    async def _facts(self, request: web.Request) -> web.StreamResponse:
        return web.json_response(dict(self._clients.cluster.facts))

    async def _topics(self, request: web.Request) -> web.StreamResponse:
        def look() -> dict[str, Any]:
            return {
                topic: {
                    "partitions": {
                        number: {"first": first, "next": after} for number, (first, after) in ends.items()
                    }
                }
                for topic, ends in self._clients.offsets(self._clients.topics()).items()
            }

        return web.json_response({"topics": await self._ask(look)})

    async def _create(self, request: web.Request) -> web.StreamResponse:
        body = await _body(request)
        name, partitions, replication = body.get("name"), body.get("partitions", 1), body.get("replication", 1)
        if not isinstance(name, str) or not re.fullmatch(TOPIC_NAME, name):
            raise ValueError("name has to be letters, digits, '.', '_' and '-', at most 200")
        _whole(partitions, "partitions", 1, PARTITIONS)
        _whole(replication, "replication", 1, 5)
        await self._ask(self._clients.cluster.create_topic, name, partitions, replication)
        return web.json_response({"name": name, "partitions": partitions}, status=201)

    async def _produce(self, request: web.Request) -> web.StreamResponse:
        records = (await _body(request)).get("records")
        if not isinstance(records, list) or not 0 < len(records) <= RECORDS_AT_ONCE:
            raise ValueError(f"records has to be a list of 1 to {RECORDS_AT_ONCE} records")
        went = await self._ask(
            self._clients.produce, request.match_info["topic"], [_record(each) for each in records]
        )
        return web.json_response({"records": went})

    async def _read(self, request: web.Request) -> web.StreamResponse:
        isolation = request.query.get("isolation", "read_committed")
        limit = request.query.get("limit", str(READ_RECORDS))
        if isolation not in ISOLATION:
            raise ValueError(f"isolation is one of {', '.join(ISOLATION)}")
        if not re.fullmatch(r"[0-9]{1,6}", limit):
            raise ValueError("limit has to be a number")
        reading = await self._ask(
            self._clients.read, request.match_info["topic"], isolation, min(int(limit), READ_RECORDS)
        )
        return web.json_response(asdict(reading))

    async def _offsets(self, request: web.Request) -> web.StreamResponse:
        group, only = _group_name(request), request.query.get("topic")

        def look() -> dict[str, Any]:
            topics = self._clients.topics()
            if only is not None and only not in topics:
                raise NoSuchTopic(f"There is no topic {only}.")
            return self._clients.committed(group, topics if only is None else {only: topics[only]})

        return web.json_response({"offsets": await self._ask(look)})

    async def _group(self, request: web.Request) -> web.StreamResponse:
        return web.json_response(await self._ask(self._clients.group, _group_name(request)))


@web.middleware
async def _errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    kinds: list[tuple[type[Exception], int]] = [
        (ValueError, 400),
        (NoSuchTopic, 404),
        (TopicExists, 409),
        (Unsupported, 501),
        (ClusterFailed, 502),
    ]
    try:
        return await handler(request)
    except web.HTTPException as error:
        return web.json_response({"error": error.text or error.reason}, status=error.status)
    except tuple(kind for kind, _ in kinds) as error:
        status = next(status for kind, status in kinds if isinstance(error, kind))
        return web.json_response({"error": str(error)}, status=status)


async def _body(request: web.Request) -> dict[str, Any]:
    try:
        body = json.loads(await request.read())
    except (ValueError, RecursionError) as error:
        raise ValueError("the body has to be JSON") from error
    if not isinstance(body, dict):
        raise ValueError("the body has to be an object")
    return body


def _whole(value: Any, name: str, least: int, most: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise ValueError(f"{name} has to be a number from {least} to {most}")


def _group_name(request: web.Request) -> str:
    group = request.match_info["group"]
    if len(group) > GROUP_CHARACTERS:
        raise ValueError(f"a group's name has at most {GROUP_CHARACTERS} characters")
    return group


def _bytes(value: Any, name: str) -> bytes | None:
    if value is None:
        return None
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape")
    if isinstance(value, dict) and isinstance(value.get("base64"), str):
        try:
            return base64.b64decode(value["base64"], validate=True)
        except binascii.Error as error:
            raise ValueError(f"{name} is no base64") from error
    raise ValueError(f'{name} has to be text, null or {{"base64": …}}')


def _record(document: Any) -> Record:
    if not isinstance(document, dict):
        raise ValueError("a record has to be an object")
    headers = document.get("headers", [])
    if not isinstance(headers, list) or len(headers) > HEADERS:
        raise ValueError(f"headers has to be a list of at most {HEADERS} pairs")
    if not all(isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], str) for pair in headers):
        raise ValueError("a header has to be a name and a value")
    partition = document.get("partition")
    if partition is not None:
        _whole(partition, "partition", 0, 100_000)
    return Record(
        value=_bytes(document.get("value"), "value"),
        key=_bytes(document.get("key"), "key"),
        headers=[(name, _bytes(value, "a header")) for name, value in headers],
        partition=partition,
    )
