"""Redis in the sandbox, seen by a check: from outside, by the endpoint's socket, every wait and all that comes in bounded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from labs.bounded import MAX_BYTES, BoundedDoor
from sandboxes.interface import Endpoint, TooLarge

ANSWER_SECONDS = 5.0
"""How long a check waits for one answer: a script of the learner's may run without end."""


@contextmanager
def open_redis(
    endpoint: Endpoint, timeout: float = ANSWER_SECONDS, max_bytes: int = MAX_BYTES
) -> Iterator[redis.Redis]:
    """A client with one connection, closed at the end; `timeout` is in seconds, for each answer.

    Who listens (`monitor`, `pubsub`) or works in another thread at the same time opens another one. Keys and values are
    text; bytes that are no UTF-8 come as `\\xNN`. Nothing is tried twice. Raises TooLarge when Redis gave more than
    `max_bytes` in all or an answer that can't be taken apart, redis.RedisError for the rest.
    """
    with BoundedDoor(endpoint.socket, max_bytes) as door:
        client: redis.Redis = redis.Redis(
            unix_socket_path=str(door.folder / endpoint.socket.name),
            db=int(endpoint.facts.get("db", "0")),
            socket_timeout=timeout,
            socket_connect_timeout=timeout,
            retry=Retry(NoBackoff(), 0),
            # Answers of the older protocol, which has no messages that nobody asked for.
            protocol=2,
            decode_responses=True,
            encoding_errors="backslashreplace",
            # As many as the door lets through.
            max_connections=1,
        )
        try:
            yield client
        except redis.ConnectionError as error:
            if door.exceeded:
                raise TooLarge("Redis gave more than is read.") from error
            raise
        except RecursionError as error:
            raise TooLarge("Redis gave an answer that is nested too deeply.") from error
        finally:
            client.close()
