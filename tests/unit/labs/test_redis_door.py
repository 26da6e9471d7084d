"""The client with which a check looks into the sandbox's Redis."""

from __future__ import annotations

import contextlib
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import create_autospec

import pytest
import redis

from labs.checks import Check
from labs.judge import judge
from labs.redis_door import open_redis
from labs.report import TaskStatus
from labs.under_test import LabUnderTest, OutOfTime
from sandboxes.interface import Endpoint, Sandbox, TooLarge
from tests.fixtures.redis import ScratchRedis


@pytest.fixture
def endpoint(redis_server: ScratchRedis) -> Endpoint:
    redis_server.empty()
    return Endpoint("redis", Path(redis_server.url.removeprefix("unix://")), {"db": "0"})


@pytest.fixture
def lab(endpoint: Endpoint) -> LabUnderTest:
    sandbox = create_autospec(Sandbox)
    sandbox.endpoint.return_value = endpoint
    return LabUnderTest(sandbox, task="add", seed=3, deadline=time.monotonic() + 30)


@contextlib.contextmanager
def saying(answer: bytes) -> Iterator[Endpoint]:
    """Something that answers whatever it is asked with these bytes, for as long as somebody takes them."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder, socket.socket(socket.AF_UNIX) as listener:
        path = Path(folder) / "redis.sock"
        listener.bind(str(path))
        listener.listen()

        def work() -> None:
            with contextlib.suppress(OSError):
                connection, _ = listener.accept()
                with connection:
                    while connection.recv(4096):
                        connection.sendall(answer)

        threading.Thread(target=work, daemon=True).start()
        yield Endpoint("redis", path, {"db": "0"})


@pytest.mark.redis
def test_values_are_text_and_bytes_are_escaped(lab: LabUnderTest, redis_server: ScratchRedis) -> None:
    with redis.Redis.from_url(redis_server.url) as writer:
        writer.set("name", "Grüße")
        writer.set("raw", b"\xff\x00a")
    with lab.redis() as client:
        assert client.get("name") == "Grüße"
        assert client.get("raw") == "\\xff\x00a"


@pytest.mark.redis
def test_transactions_go_over_the_one_connection(lab: LabUnderTest) -> None:
    with lab.redis() as client:
        one = client.client_id()  # not by a count of connections: others of this process use the same server
        with client.pipeline() as pipe:
            pipe.watch("n")
            assert pipe.client_id() == one
            pipe.multi()
            assert pipe.incr("n").execute() == [1]
        assert client.eval("return redis.call('INCR', KEYS[1])", 1, "n") == 2
        assert client.client_id() == one


@pytest.mark.redis
def test_two_clients_can_be_open_at_once(lab: LabUnderTest) -> None:
    with lab.redis() as one, lab.redis() as other:
        one.set("k", "v")
        assert other.get("k") == "v"


@pytest.mark.redis
def test_more_than_is_read_is_too_large(endpoint: Endpoint) -> None:
    with open_redis(endpoint) as writer:
        writer.set("k", "x" * 200_000)
    with pytest.raises(TooLarge), open_redis(endpoint, max_bytes=100_000) as client:
        client.get("k")


@pytest.mark.redis
def test_who_does_not_answer_is_not_waited_for(endpoint: Endpoint) -> None:
    with open_redis(endpoint) as other:
        other.execute_command("CLIENT", "PAUSE", 60_000, "WRITE")
        try:
            with pytest.raises(redis.TimeoutError), open_redis(endpoint, timeout=0.2) as client:
                client.set("k", "v")
        finally:
            other.execute_command("CLIENT", "UNPAUSE")


def test_an_answer_of_endless_depth_is_too_large() -> None:
    with saying(b"*1\r\n" * 50_000) as endpoint, pytest.raises(TooLarge), open_redis(endpoint) as client:
        client.get("k")


def test_after_the_deadline_no_client_is_opened() -> None:
    lab = LabUnderTest(create_autospec(Sandbox), task="add", seed=3, deadline=0)
    with pytest.raises(OutOfTime), lab.redis():
        pass


def test_a_server_that_is_not_there_fails_the_task(tmp_path: Path) -> None:
    sandbox = create_autospec(Sandbox)
    sandbox.endpoint.return_value = Endpoint("redis", tmp_path / "redis.sock", {"db": "0"})
    lab = LabUnderTest(sandbox, task="add", seed=3, deadline=time.monotonic() + 30)

    def function(lab: LabUnderTest) -> None:
        with lab.redis() as client:
            client.get("k")

    verdict = judge(Check("add", function, "It adds."), lab)
    assert verdict.status is TaskStatus.FAILED
    assert "Redis in your sandbox does not answer" in verdict.message


@pytest.mark.redis
def test_a_key_of_another_type_is_told_and_not_quoted(lab: LabUnderTest) -> None:
    def function(lab: LabUnderTest) -> None:
        with lab.redis() as client:
            client.rpush("hidden", "value")
            client.get("hidden")

    verdict = judge(Check("add", function, "It adds."), lab)
    assert verdict.status is TaskStatus.FAILED
    assert "WRONGTYPE" in verdict.message
    assert "hidden" not in verdict.message
