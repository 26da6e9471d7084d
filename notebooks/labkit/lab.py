"""The lab that a notebook belongs to: its services, and checking it.

from labkit import lab

lab.start("never-oversell")          first cell: are the services there? On a laptop it starts them.
connection = lab.connect()           a new connection to the lab's PostgreSQL
with lab.borrow() as connection:     one from a pool; what is not committed is rolled back when it is given back
client = lab.meridian()              an HTTP client of the lab's commerce platform
client = lab.redis()                 a client of the lab's Redis
consumer = Consumer(lab.kafka(group="payments"))      what confluent_kafka's clients are made with
proxy = lab.proxy("redis")           a proxy with switches in front of a service (labkit.chaos)
lab.hint("optimistic-lock")          on a laptop: the next hint of a task
lab.go("test", "./pool")             the go command in the lab's module; a cell that begins with %%go NAME writes a file of it
lab.check()                          on a laptop: grade the saved notebook and show the result of each task
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labkit import checking, clients, found, golang, hints, services
from labkit.chaos import Proxy
from labkit.golang import go
from labkit.pool import POOL, open_connection
from labkit.report import Report

if TYPE_CHECKING:
    import httpx
    import psycopg
    import redis as redis_package

__all__ = [
    "LabError", "borrow", "check", "connect", "go", "hint", "in_sandbox", "kafka", "meridian", "proxy", "redis", "start",
]  # fmt: skip


class LabError(RuntimeError):
    """Something about the lab does not work; the message says what to do."""


def start(slug: str) -> None:
    """Make sure that the services of the lab are there, and say which they are. Safe to run again."""
    os.environ.setdefault("LAB_SLUG", slug)
    variables: Collection[str] = os.environ
    if not in_sandbox():
        os.environ["LAB_SLUG"] = slug
        try:
            # Only what the lab started: others of these variables may be the machine's own.
            variables = services.ensure(slug)
        except services.ServicesError as error:
            raise LabError(str(error)) from None
    checking.watch_cells()
    golang.install()
    try:
        said = found.services(variables)
    except found.NotThere as error:
        raise LabError(str(error)) from None
    place = "in your sandbox" if in_sandbox() else "on this machine"
    print(f"Lab {slug}, {place}. Ready: {'; '.join(said) or 'no services needed'}.")


def connect(through: Proxy | None = None) -> psycopg.Connection:
    """A new connection to the lab's PostgreSQL, `through` a proxy if one is given. You commit, you close."""
    url = _variable("DATABASE_URL", "PostgreSQL")
    return open_connection(url, (through.host, through.port) if through is not None else None)


@contextmanager
def borrow() -> Iterator[psycopg.Connection]:
    """A connection from a pool of at most 40; on giving it back, whatever was not committed is rolled back."""
    with POOL.borrow(_variable("DATABASE_URL", "PostgreSQL")) as connection:
        yield connection


def meridian(timeout: float = 10.0, through: Proxy | None = None) -> httpx.Client:
    """An HTTP client of the lab's commerce platform; close it, or use it in a `with` block. From any thread."""
    with _told():
        return clients.meridian_client(timeout, through)


def redis(timeout: float = 2.0, *, text: bool = True, through: Proxy | None = None) -> redis_package.Redis:
    """A client of the lab's Redis, for any number of threads. It gives up after `timeout` seconds, and retries nothing by itself.

    With `text` values come back as str, without as bytes.
    """
    with _told():
        return clients.redis_client(timeout, text=text, through=through)


def kafka(group: str | None = None) -> dict[str, Any]:
    """What confluent_kafka's clients are made with: `Producer(lab.kafka())`, `Consumer(lab.kafka(group="payments"))`.

    A consumer begins at the earliest record, commits only when told to, and is given up by its group after two seconds without
    a sign of life. Change what you like: `{**lab.kafka(), "linger.ms": 50}`.
    """
    with _told():
        return clients.kafka_configuration(group)


def proxy(service: str) -> Proxy:
    """A proxy in front of aws, meridian, postgres or redis, whose switches break the connection (`labkit.chaos`). Close it."""
    with _told():
        return Proxy(clients.address(service))


def hint(task: str) -> None:
    """Show the next of a task's three hints. In a sandbox of the portal they stand beside the notebook, below the task."""
    if in_sandbox():
        print(
            "In the portal, the hints stand beside the notebook: open the task there and press its hint button."
        )
        return
    try:
        hints.show_next(_variable("LAB_SLUG", "the lab"), task)
    except hints.NoHint as error:
        raise LabError(str(error)) from None


def check(notebook: str | Path | None = None) -> Report | None:
    """Grade the saved notebook the way the portal does, and show the result of each task. Save first (Ctrl+S).

    In a sandbox of the portal nothing is graded here: use the Check button beside the notebook.
    """
    if in_sandbox():
        print(
            "In the portal, press Check beside the notebook: it grades in a fresh sandbox and shows each task there."
        )
        return None
    try:
        report = checking.check(notebook, _variable("LAB_SLUG", "the lab"))
    except checking.CheckingError as error:
        raise LabError(str(error)) from None
    report.show()
    return report


def in_sandbox() -> bool:
    """Whether this notebook runs in a sandbox of the portal or of the grader."""
    return os.environ.get("LAB_SANDBOX") == "1"


def _variable(name: str, what: str) -> str:
    with _told():
        return clients.variable(name, what)


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except clients.NoService as error:
        raise LabError(str(error)) from None
