"""Redis on every driver, by redis-py: from the learner's code and from outside."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from sandboxes.interface import Driver, Limits, Sandbox, SandboxSpec
from tests.contract.sandboxes.conftest import quiet
from tests.contract.sandboxes.notebooks import execute

pytestmark = pytest.mark.redis

REFUSALS = (
    "no permissions to run",
    "command not allowed",
    "is not allowed from script",
    "can't run this command",
)
LEARNER = """
import os, redis, time
db = redis.from_url(os.environ["REDIS_URL"], decode_responses=True)
def ask(*words):
    try:
        return db.execute_command(*words)
    except redis.RedisError as error:
        return f"{type(error).__name__}: {error}"
def by_socket(key):
    with redis.Redis(unix_socket_path=os.environ["REDIS_SOCKET"], decode_responses=True) as other:
        return other.get(key)
def group(stream):
    db.xgroup_create(stream, "g", id="0", mkstream=True)
    db.xadd(stream, {"n": 1})
    read = db.xreadgroup("g", "me", {stream: ">"})
    [[number, fields]] = (read[stream][0] if isinstance(read, dict) else read[0][1])
    return [fields, db.xack(stream, "g", number)]
def transfer():
    with db.pipeline(transaction=True) as pipe:
        pipe.set("from", 1).incrby("to", 4)
        return pipe.execute()
def expired():
    with db.pubsub() as events:
        events.psubscribe("__keyevent@0__:expired")
        db.set("short", 1, px=1)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            db.get("short")
            message = events.get_message(ignore_subscribe_messages=True, timeout=0.5)
            if message:
                return message["data"]
def by_the_helpers():
    import contextlib, io
    from labkit import lab
    with contextlib.redirect_stdout(io.StringIO()) as said:
        lab.start("a-lab")
    with lab.proxy("redis") as proxy:
        lab.redis(through=proxy, timeout=30).set("through", "a proxy")
        proxy.refuse = True
        try:
            refused = lab.redis(through=proxy, timeout=30).get("through")
        except redis.ConnectionError as error:
            refused = "refused" in str(error)
    return [said.getvalue(), lab.redis(timeout=30).get("through"), refused]
def fill(count):
    for number in range(count):
        db.set(f"filler:{number}", "x" * 100_000)
    return db.info("stats")["evicted_keys"]
"""


@pytest.fixture(scope="module")
def shared(driver: Driver, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    options = {"maxmemory": "8mb", "maxmemory_policy": "allkeys-lru", "notify_keyspace_events": "Ex"}
    sandbox = driver.start(
        SandboxSpec(
            workspace=tmp_path_factory.mktemp("redis"),
            services={"redis": options},
            limits=Limits(memory_mb=512, pids=100),
            jupyter=False,
        ),
        quiet,
    )
    execute(sandbox, LEARNER)
    yield sandbox
    sandbox.stop()


@pytest.fixture
def grader(shared: Sandbox) -> Iterator[redis.Redis]:
    endpoint = shared.endpoint("redis")
    with redis.Redis(
        unix_socket_path=str(endpoint.socket), db=int(endpoint.facts["db"]), decode_responses=True
    ) as client:
        yield client


def test_the_grader_and_the_learner_see_one_database(shared: Sandbox, grader: redis.Redis) -> None:
    assert shared.call("ask", "SET", "hers", "1")
    assert grader.get("hers") == "1"
    grader.hset("ours", mapping={"a": "b"})
    assert shared.call("ask", "HGET", "ours", "a") == "b"
    assert shared.call("by_socket", "hers") == "1"


def test_what_applications_use_is_open(shared: Sandbox) -> None:
    assert shared.call("ask", "EVAL", "return redis.call('INCR', KEYS[1]) + ARGV[1]", 1, "count", 41) == 42
    assert shared.call("group", "orders") == [{"n": "1"}, 1]
    assert shared.call("transfer") == [True, 4]
    assert shared.call("ask", "CONFIG", "GET", "appendonly") == {"appendonly": "no"}
    assert shared.call("ask", "ACL", "WHOAMI") == "default"


def test_the_helpers_find_it_and_can_break_the_connection(shared: Sandbox) -> None:
    said, through, refused = shared.call("by_the_helpers", timeout=90.0)
    assert said.startswith("Lab a-lab, in your sandbox. Ready: Redis ")
    assert (through, refused) == ("a proxy", True)


def test_key_events_are_told_as_the_lab_asked(shared: Sandbox) -> None:
    assert shared.call("expired", timeout=90.0) == "short"


@pytest.mark.parametrize(
    "command",
    [
        "CONFIG SET dir /tmp",
        "CONFIG SET maxmemory 0",
        "CONFIG REWRITE",
        "ACL SETUSER default +@all",
        "ACL LOAD",
        "MODULE LOAD /tmp/x.so",
        "DEBUG SLEEP 0",
        "SHUTDOWN NOSAVE",
        "REPLICAOF 127.0.0.1 1",
        "SLAVEOF 127.0.0.1 1",
        "MIGRATE 127.0.0.1 1 key 0 10",
        "PSYNC ? -1",
    ],
)
def test_what_leads_out_of_the_service_is_closed(shared: Sandbox, grader: redis.Redis, command: str) -> None:
    script = ["EVAL", "return redis.call(unpack(ARGV))", 0]
    for way in (command.split(), [*script, *command.split()]):
        answer = str(shared.call("ask", *way))
        assert any(refusal in answer for refusal in REFUSALS), answer
    assert grader.ping()


def test_its_memory_is_bounded_by_the_labs_policy(shared: Sandbox, grader: redis.Redis) -> None:
    evicted = shared.call("fill", 150, timeout=90.0)
    assert isinstance(evicted, int)
    assert evicted > 0
    assert grader.info("memory")["used_memory_dataset"] < 8 * 1_048_576
    grader.flushdb()  # or the next tests' keys would be among those that make room
