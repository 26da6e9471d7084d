from __future__ import annotations

import asyncio
import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandboxes.agent.bond import (
    NEWS_BYTES,
    Entrance,
    FarLog,
    FarStatus,
    NewsLine,
    Orders,
    join,
    listen,
    read_news,
)
from sandboxes.interface import SandboxState
from sandboxes.protocol import AgentSpec

SPEC = AgentSpec("one", "/run", "/work", "/home", "/data", "/cache", "/s/one/token/")
ORDERS = Orders(SPEC, {"DATABASE_URL": "postgresql://x" + "y" * 100_000})


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="pgu-") as name:
        yield Path(name)


def test_whoever_joins_gets_the_orders_and_the_sockets_and_its_news_arrive(folder: Path) -> None:
    async def meet() -> list[dict[str, object]]:
        entrance = Entrance(folder / "join.sock", os.geteuid())
        joining = asyncio.create_task(asyncio.to_thread(join, folder / "join.sock", 60))
        reader = await entrance.admit(ORDERS, {"agent.sock": listen(folder / "agent.sock")})
        orders, sockets, connection = await joining
        assert (orders.services, orders.spec.web_path) == (ORDERS.services, SPEC.web_path)
        assert not (folder / "join.sock").exists()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(folder / "agent.sock"))
            sockets["agent.sock"].settimeout(60)
            sockets["agent.sock"].accept()[0].close()
        sockets["agent.sock"].close()
        news = await NewsLine.open(connection)
        FarStatus(news).become(SandboxState.READY, "a detail")
        log = FarLog(news, "jupyter", ("s3cret",))
        log.write(b"it said s3cret\n" + b"\xff" * 100_000 + b"\n")
        await news.close()
        return [read_news(line) async for line in reader]

    status, line, long = asyncio.run(meet())
    assert status == {"state": "ready", "detail": "a detail"}
    assert line == {"log": "jupyter", "line": "it said [hidden]"}
    assert str(long["line"]).endswith("[cut]")


def test_another_user_is_turned_away(folder: Path) -> None:
    async def meet() -> None:
        entrance = Entrance(folder / "join.sock", os.geteuid() + 1)
        waiting = asyncio.create_task(entrance.admit(ORDERS, {}))
        with pytest.raises((ValueError, OSError)):
            await asyncio.to_thread(join, folder / "join.sock", 60)
        assert not waiting.done()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)

    asyncio.run(meet())


def test_nothing_waits_for_a_keeper_that_never_comes(folder: Path) -> None:
    with pytest.raises(FileNotFoundError):
        join(folder / "join.sock", 0.1)


@pytest.mark.parametrize("line", [b"", b"{", b"[1]", b"3", b"[" * NEWS_BYTES, b"\xff\xfe"])
def test_what_is_no_news_is_passed_over(line: bytes) -> None:
    assert read_news(line) == {}
