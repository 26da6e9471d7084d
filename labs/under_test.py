"""The narrow handle through which a check sees the learner's sandbox."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import httpx
import psycopg
import redis

from labs.bounded import BoundedDoor, BoundedTransport
from labs.kafka_under_test import KafkaUnderTest
from labs.raised import Telling
from labs.redis_door import open_redis
from sandboxes.interface import (
    JSON,
    AgentTimeout,
    CallOutcome,
    CommandResult,
    LearnerCodeError,
    Sandbox,
    TooLarge,
)

SQL_LOCK_SECONDS = 10
"""How long a check's own statement waits for a lock that the learner's code holds."""
SQL_STATEMENT_SECONDS = 20
POSTGRES_SOCKET = ".s.PGSQL.5432"
_NOT_STARTED = re.compile(r"^NotImplementedError\b")


class NotStarted(Exception):
    """The learner's code still raises NotImplementedError."""


class OutOfTime(Exception):
    """The time for all checks together is used up."""


class LabUnderTest:
    """The learner's sandbox, seen from outside, with hidden inputs drawn from the attempt's seed.

    Values are JSON in and JSON out, and whatever comes back was made by the learner's code. What the learner's code does wrong
    is raised as LearnerCodeError, AgentTimeout, KernelDied or TooLarge: a check need not catch them, they fail the task
    with a clear message. Of what the learner's code raised, only what can't tell a hidden input comes through (`labs.raised`).
    """

    def __init__(
        self,
        sandbox: Sandbox,
        *,
        task: str,
        seed: int,
        deadline: float,
        words: Collection[str] = (),
        fresh: Callable[[], Sandbox] | None = None,
    ) -> None:
        """`deadline` is a reading of time.monotonic(); `words` are the names in the notebook's code; `fresh` starts a sandbox in
        which the notebook does not run, or gives the one that it started before."""
        self._sandbox = sandbox
        self._fresh = fresh
        self._seed = seed
        self._deadline = deadline
        self.task = task
        self.telling = Telling(words)
        """What of an error's text may be told."""
        self.random = random.Random(f"{seed}:{task}")
        """The source of this task's hidden inputs; the same for the same attempt."""

    @property
    def seconds_left(self) -> float:
        """How long the checks may still run."""
        return self._deadline - time.monotonic()

    def call(self, function: str, *arguments: JSON, timeout: float = 10.0) -> JSON:
        """The result of a function that the notebook defined."""
        try:
            return self._sandbox.call(function, *arguments, timeout=self._at_most(timeout))
        except LearnerCodeError as error:
            if error.name == "NotImplementedError":
                raise NotStarted from error
            raise self._told(error) from error

    def call_many(
        self, function: str, calls: Sequence[Sequence[JSON]], *, workers: int = 32, timeout: float = 30.0
    ) -> list[CallOutcome]:
        """Call a function once for each argument list, from `workers` threads that start together; results in input order."""
        outcomes = self._sandbox.call_many(function, calls, workers=workers, timeout=self._at_most(timeout))
        if len(outcomes) != len(calls):
            raise AgentTimeout("Some of the calls of your function did not come back.")
        if any(outcome.error and _NOT_STARTED.match(outcome.error) for outcome in outcomes):
            raise NotStarted
        return [
            outcome if outcome.error is None else replace(outcome, error=self.telling.error(outcome.error))
            for outcome in outcomes
        ]

    def value(self, expression: str, timeout: float = 5.0) -> JSON:
        """The JSON value of a name (dotted or indexed) that the notebook defined."""
        try:
            return self._sandbox.value(expression, timeout=self._at_most(timeout))
        except LearnerCodeError as error:
            raise self._told(error) from error

    def run(self, command: Sequence[str], timeout: float = 30.0) -> CommandResult:
        """Run a command in the workspace."""
        return self._sandbox.run(command, timeout=self._at_most(timeout))

    def read(self, path: str, max_bytes: int = 1_048_576) -> bytes:
        """A file of the workspace. Raises FileNotFoundError."""
        self._at_most(1.0)
        return self._sandbox.read(path, max_bytes)

    def write(self, path: str, data: bytes) -> None:
        """Put a file into the workspace, replacing what is there."""
        self._at_most(1.0)
        self._sandbox.write(path, data)

    def apart(self) -> LabUnderTest:
        """This task's handle on a second sandbox of the lab, in which neither the notebook nor its processes ever ran.

        For programs that the learner wrote: what their notebook left running can't touch what is built and run there. It is
        started at its first use, and shared by the tasks of one grading; its workspace begins empty. Raises SandboxError.
        """
        if self._fresh is None:
            raise LookupError("this handle knows no driver that could start another sandbox")
        return LabUnderTest(
            self._fresh(), task=self.task, seed=self._seed, deadline=self._deadline, words=self.telling.words
        )

    @contextmanager
    def sql(self, *, autocommit: bool = False) -> Iterator[psycopg.Connection[Any]]:
        """A connection to the sandbox's PostgreSQL, from outside; committed when the block ends well, always closed.

        Its statements and its waits for locks are bounded, so that a lock held by the learner's code can't hold the check, and so
        is what it takes in: a view of the learner's may have rows without end. Raises TooLarge.
        """
        endpoint = self._sandbox.endpoint("postgres")
        with BoundedDoor(endpoint.socket / POSTGRES_SOCKET) as door:
            try:
                connection = psycopg.connect(
                    host=str(door.folder),
                    user=endpoint.facts.get("user", "learner"),
                    dbname=endpoint.facts.get("dbname", "learner"),
                    connect_timeout=max(2, int(self._at_most(5.0))),
                    options=f"-c statement_timeout={SQL_STATEMENT_SECONDS}s -c lock_timeout={SQL_LOCK_SECONDS}s",
                    application_name="check",
                    autocommit=autocommit,
                )
                with connection:
                    yield connection
            except psycopg.OperationalError as error:
                if door.exceeded:
                    raise TooLarge("The database gave more than is read.") from error
                raise

    @contextmanager
    def redis(self, timeout: float = 5.0) -> Iterator[redis.Redis]:
        """A client of the sandbox's Redis, from outside, with one connection; text in and text out.

        Each answer is waited for `timeout` seconds at most. Raises TooLarge and redis.RedisError; what the client promises is
        in `labs.redis_door`.
        """
        with open_redis(self._sandbox.endpoint("redis"), self._at_most(timeout)) as client:
            yield client

    @contextmanager
    def http(self, service: str, timeout: float = 10.0) -> Iterator[httpx.Client]:
        """An HTTP client of a service in the sandbox, from outside."""
        endpoint = self._sandbox.endpoint(service)
        with httpx.Client(
            # No TLS on a Unix socket; `verify=True` would read all certificates, 20 ms for each client.
            transport=BoundedTransport(httpx.HTTPTransport(uds=str(endpoint.socket), verify=False)),
            base_url=endpoint.facts.get("base_url", f"http://{service}"),
            timeout=self._at_most(timeout),
        ) as client:
            yield client

    @contextmanager
    def kafka(self, timeout: float = 20.0) -> Iterator[KafkaUnderTest]:
        """The sandbox's Kafka, from outside, by the door of the service."""
        with self.http("kafka", timeout) as client:
            yield KafkaUnderTest(client)

    def _told(self, error: LearnerCodeError) -> LearnerCodeError:
        return LearnerCodeError(self.telling.name(error.name), self.telling.text(error.detail))

    def _at_most(self, seconds: float) -> float:
        left = self.seconds_left
        if left <= 0:
            raise OutOfTime
        return min(seconds, left)
