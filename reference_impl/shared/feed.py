"""The event feed: the log of events over HTTP, for consumers outside the process.

It promises what the bus promises: each event at least once, in an order that is only usually the right one. A reader keeps
its own cursor; reading from an older one is how it replays.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, Field

from reference_impl.shared.bus import EventLog
from reference_impl.shared.dead_letters import Keeper, Limit, oldest
from reference_impl.shared.events import Event
from reference_impl.shared.problems import Problem, responses

LONGEST_WAIT_SECONDS = 10.0
MOST_WAITING = 64


class FeedPage(BaseModel):
    """Some events, and where to go on."""

    events: list[Event]
    next: Annotated[int, Field(description="Pass it as `after` to go on behind these events.")]
    end: Annotated[
        int, Field(description="The cursor of the newest event: `next == end` when nothing is left.")
    ]


class ParkedEvent(BaseModel):
    """An event that one consumer gave up on."""

    consumer: str
    error: str
    event: Event


class Feed:
    """The routes, and the waiting behind them."""

    def __init__(self, log: EventLog, keepers: Sequence[Keeper]) -> None:
        self._log = log
        self._keepers = keepers
        self._waiting = 0
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Answer everybody who waits, and let nobody wait any more. Call it from the event loop."""
        self._stopping.set()

    def router(self) -> APIRouter:
        """The feed over HTTP."""
        routes = APIRouter(prefix="/events", tags=["events"])

        @routes.get(
            "",
            summary="Read events after a cursor, waiting for new ones if asked to",
            responses=responses(422, 503),
        )
        async def read_events(
            after: Annotated[int, Query(ge=0, le=2**53, description="The cursor: 0 is the beginning.")] = 0,
            limit: Limit = 100,
            wait: Annotated[
                float, Query(ge=0, le=LONGEST_WAIT_SECONDS, description="Seconds to wait for news.")
            ] = 0.0,
        ) -> FeedPage:
            if wait and self._log.end() <= after:
                await self._wait(after, wait)
            found = await run_in_threadpool(self._log.read, after, limit)
            return FeedPage(
                events=[delivery.event for delivery in found],
                next=found[-1].position if found else after,
                end=self._log.end(),
            )

        @routes.get("/parked", summary="Events that a consumer gave up on, oldest first")
        def read_parked(
            limit: Limit = 100,
        ) -> list[ParkedEvent]:
            return [
                ParkedEvent(consumer=letter.consumer, error=letter.error, event=letter.event)
                for letter in oldest(self._keepers, limit)
            ]

        return routes

    async def _wait(self, after: int, seconds: float) -> None:
        if self._waiting >= MOST_WAITING:
            raise Problem(503, "busy", "Too many readers wait already", "Ask again without `wait`, or later.")
        loop = asyncio.get_running_loop()
        news = asyncio.Event()

        def tell() -> None:
            loop.call_soon_threadsafe(news.set)

        unsubscribe = self._log.on_append(tell)
        self._waiting += 1
        stopping = asyncio.ensure_future(self._stopping.wait())
        try:
            deadline = loop.time() + seconds
            while self._log.end() <= after and not self._stopping.is_set() and loop.time() < deadline:
                arrived = asyncio.ensure_future(news.wait())
                await asyncio.wait(
                    {arrived, stopping}, timeout=deadline - loop.time(), return_when=asyncio.FIRST_COMPLETED
                )
                arrived.cancel()
                news.clear()
        finally:
            stopping.cancel()
            self._waiting -= 1
            unsubscribe()
