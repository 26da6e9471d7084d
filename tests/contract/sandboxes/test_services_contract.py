"""What every driver promises about services: reachable from the learner's code and from outside, by real clients."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg
import pytest

from sandboxes.interface import Driver, Endpoint, Sandbox, SandboxSpec
from tests.contract.sandboxes.conftest import quiet, until
from tests.contract.sandboxes.notebooks import execute


def _connect(endpoint: Endpoint) -> psycopg.Connection:
    return psycopg.connect(host=str(endpoint.socket), **endpoint.facts)


def test_the_grader_and_the_learner_see_one_database(sandbox: Sandbox) -> None:
    execute(
        sandbox,
        """
        import os, psycopg
        def add(number):
            with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
                connection.execute("INSERT INTO numbers VALUES (%s)", [number])
        """,
    )
    with _connect(sandbox.endpoint("postgres")) as connection:
        connection.execute("DROP TABLE IF EXISTS numbers")
        connection.execute("CREATE TABLE numbers (number integer PRIMARY KEY)")
    outcomes = sandbox.call_many("add", [[number % 24] for number in range(32)], workers=32)
    assert sum(outcome.error is None for outcome in outcomes) == 24
    with _connect(sandbox.endpoint("postgres")) as connection:
        assert connection.execute("SELECT count(*), sum(number) FROM numbers").fetchone() == (24, 276)


def test_many_connections_fit(sandbox: Sandbox) -> None:
    endpoint = sandbox.endpoint("postgres")
    # PostgreSQL has a place again when its process has ended, not when the client has closed.
    with _connect(endpoint) as connection:
        connection.autocommit = True  # within a transaction it would always be told the same
        mine = "SELECT count(*) FROM pg_stat_activity WHERE usename = current_user"
        assert until(lambda: connection.execute(mine).fetchone() == (1,))
    connections = [_connect(endpoint) for _ in range(80)]
    try:
        assert {connection.execute("SELECT 1").fetchone() for connection in connections} == {(1,)}
    finally:
        for connection in connections:
            connection.close()


def test_a_service_that_was_not_asked_for_has_no_endpoint(sandbox: Sandbox) -> None:
    with pytest.raises(KeyError):
        sandbox.endpoint("meridian")


@pytest.fixture(scope="module")
def with_meridian(driver: Driver, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    sandbox = driver.start(
        SandboxSpec(workspace=tmp_path_factory.mktemp("meridian"), services={"meridian": {}}, jupyter=False),
        quiet,
    )
    yield sandbox
    sandbox.stop()


def test_meridian_answers_from_outside_and_from_within(with_meridian: Sandbox, tmp_path: Path) -> None:
    endpoint = with_meridian.endpoint("meridian")
    transport = httpx.HTTPTransport(uds=str(endpoint.socket))
    with httpx.Client(transport=transport, base_url=endpoint.facts["base_url"], timeout=60) as client:
        outside = client.get("/health/readiness")
    assert outside.status_code == 200
    execute(
        with_meridian,
        """
        import os, httpx
        def health():
            transport = httpx.HTTPTransport(uds=os.environ["MERIDIAN_SOCKET"])
            with httpx.Client(transport=transport, base_url=os.environ["MERIDIAN_URL"], timeout=60) as client:
                return client.get("/health/readiness").json()["state"]
        """,
    )
    assert with_meridian.call("health") == outside.json()["state"]
