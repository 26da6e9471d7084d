"""The lab that a notebook belongs to: its services, and checking it.

from labkit import lab

lab.start("never-oversell")          first cell: are the services there? On a laptop it starts them.
connection = lab.connect()           a new connection to the lab's PostgreSQL
with lab.borrow() as connection:     one from a pool; what is not committed is rolled back when it is given back
client = lab.meridian()              an HTTP client of the lab's commerce platform
lab.check()                          on a laptop: grade the saved notebook and show the result of each task
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psycopg

from labkit import checking, services
from labkit.pool import POOL, open_connection
from labkit.report import Report

__all__ = ["LabError", "borrow", "check", "connect", "meridian", "start"]


class LabError(RuntimeError):
    """Something about the lab does not work; the message says what to do."""


def start(slug: str) -> None:
    """Make sure that the services of the lab are there, and say which they are. Safe to run again."""
    os.environ.setdefault("LAB_SLUG", slug)
    if not in_sandbox():
        os.environ["LAB_SLUG"] = slug
        try:
            services.ensure(slug)
        except services.ServicesError as error:
            raise LabError(str(error)) from None
    checking.watch_cells()
    found = []
    if os.environ.get("DATABASE_URL"):
        with connect() as connection:
            row = connection.execute("SELECT current_database(), split_part(version(), ' ', 2)").fetchone()
        assert row is not None
        found.append(f"PostgreSQL {row[1]}, database {row[0]}")
    if os.environ.get("MERIDIAN_SOCKET"):
        with meridian() as client:
            client.get("/health/readiness").raise_for_status()
        found.append("Meridian, the commerce platform")
    place = "in your sandbox" if in_sandbox() else "on this machine"
    print(f"Lab {slug}, {place}. Ready: {'; '.join(found) or 'no services needed'}.")


def connect() -> psycopg.Connection:
    """A new connection to the lab's PostgreSQL. You commit, you close."""
    url = _variable("DATABASE_URL", "PostgreSQL")
    return open_connection(url)


@contextmanager
def borrow() -> Iterator[psycopg.Connection]:
    """A connection from a pool of at most 40; on giving it back, whatever was not committed is rolled back."""
    with POOL.borrow(_variable("DATABASE_URL", "PostgreSQL")) as connection:
        yield connection


def meridian(timeout: float = 10.0) -> httpx.Client:
    """An HTTP client of the lab's commerce platform; close it, or use it in a `with` block."""
    socket = _variable("MERIDIAN_SOCKET", "Meridian")
    base_url = os.environ.get("MERIDIAN_URL", "http://meridian")
    # No TLS on a Unix socket; `verify=True` would read all certificates, 20 ms for each client.
    transport = httpx.HTTPTransport(uds=socket, verify=False)
    return httpx.Client(transport=transport, base_url=base_url, timeout=timeout)


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
    value = os.environ.get(name)
    if not value:
        raise LabError(f"{what} is not running for this notebook: run its first cell, `lab.start(…)`.")
    return value
