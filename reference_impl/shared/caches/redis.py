"""A cache in Redis: shared by every process. What must not be torn apart is one Lua script, which Redis runs alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from reference_impl.shared.cache import Cache, CacheUnavailable, check

PREFIX = "meridian:"
TIMEOUT_SECONDS = 0.5
MOST_CONNECTIONS = 50

_SWAP = """
local found = redis.call('GET', KEYS[1])
if ARGV[1] == '0' then
    if found then return 0 end
elseif found ~= ARGV[2] then
    return 0
end
redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4])
return 1
"""
_INCREMENT = """
local number = redis.call('INCRBY', KEYS[1], ARGV[1])
if redis.call('PTTL', KEYS[1]) < 0 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return number
"""
# The lock and its token are one step: with two, an owner that sleeps between them would get a token above its successor's.
# A counter alone would begin again at 1 when Redis has lost its memory; the clock in microseconds does not.
_LOCK = """
if not redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return false end
local time = redis.call('TIME')
local token = math.max(tonumber(redis.call('GET', KEYS[2]) or '0'), time[1] * 1000000 + time[2] - 1)
redis.call('SET', KEYS[2], string.format('%.0f', token))
return redis.call('INCR', KEYS[2])
"""
_UNLOCK = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
"""
_FILL = """
if redis.call('GET', KEYS[2]) ~= ARGV[3] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""


class RedisCache(Cache):
    """For many processes. Nothing is tried twice here: a call that timed out may have taken effect."""

    def __init__(self, url: str, *, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        pool = redis.BlockingConnectionPool.from_url(
            url,
            max_connections=MOST_CONNECTIONS,
            timeout=timeout_seconds,
            socket_timeout=timeout_seconds,
            socket_connect_timeout=timeout_seconds,
            retry=Retry(NoBackoff(), 0),
        )
        self._redis = redis.Redis(connection_pool=pool)
        self._swap, self._increment, self._lock, self._unlock, self._fill = map(
            self._redis.register_script, (_SWAP, _INCREMENT, _LOCK, _UNLOCK, _FILL)
        )

    def get(self, key: str) -> bytes | None:
        check(key)
        with _translated():
            return cast("bytes | None", self._redis.get(_value(key)))

    def set(self, key: str, value: bytes, ttl_seconds: float) -> None:
        check(key, value, ttl_seconds)
        with _translated():
            self._redis.set(_value(key), value, px=_milliseconds(ttl_seconds))

    def delete(self, *keys: str) -> None:
        with _translated():
            if keys:
                self._redis.delete(*map(_value, keys))

    def swap(self, key: str, expected: bytes | None, value: bytes, ttl_seconds: float) -> bool:
        check(key, value, ttl_seconds)
        known = (0, b"") if expected is None else (1, expected)
        return bool(self._run(self._swap, [_value(key)], [*known, value, _milliseconds(ttl_seconds)]))

    def increment(self, key: str, by: int = 1, *, ttl_seconds: float) -> int:
        check(key, ttl_seconds=ttl_seconds)
        return int(self._run(self._increment, [_value(key)], [by, _milliseconds(ttl_seconds)]))

    def lock(self, name: str, owner: str, ttl_seconds: float) -> int | None:
        check(name, ttl_seconds=ttl_seconds)
        keys = [_lock_key(name), PREFIX + "fencing-token"]
        token = self._run(self._lock, keys, [owner, _milliseconds(ttl_seconds)])
        return None if token is None else int(token)

    def unlock(self, name: str, owner: str) -> bool:
        return bool(self._run(self._unlock, [_lock_key(name)], [owner]))

    def fill(self, key: str, value: bytes, ttl_seconds: float, *, lock: str, owner: str) -> bool:
        check(key, value, ttl_seconds)
        arguments = [value, _milliseconds(ttl_seconds), owner]
        return bool(self._run(self._fill, [_value(key), _lock_key(lock)], arguments))

    def invalidate(self, *keys: str) -> None:
        with _translated():
            if keys:
                self._redis.delete(*map(_lock_key, keys), *map(_value, keys))

    def ping(self) -> None:
        with _translated():
            self._redis.ping()

    def close(self) -> None:
        self._redis.close()
        self._redis.connection_pool.disconnect()

    def _run(self, script: Any, keys: list[str], arguments: list[Any]) -> Any:
        with _translated():
            return script(keys=keys, args=arguments)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except redis.RedisError as error:
        raise CacheUnavailable(
            f"Redis does not answer as it should: {type(error).__name__}: {error}"
        ) from error


def _value(key: str) -> str:
    return f"{PREFIX}value:{key}"


def _lock_key(name: str) -> str:
    return f"{PREFIX}lock:{name}"


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))
