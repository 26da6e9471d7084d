"""Answers kept for the next who asks, by the rules of RFC 9111 for a shared cache, in the memory of this process.

Only routes that the table marks are cached. Their requests go to the service without the caller's identity, so an answer can't
depend on who asked first. A stale answer with an ETag is revalidated: the service says 304, and the body is not sent again.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from reference_impl.services.gateway.headers import Headers, first

LARGEST_BODY_BYTES = 262_144
STALE_SECONDS = 60.0
"""So long an answer serves beyond its time while nobody answers anew."""
OVERHEAD_BYTES = 1024
"""What an entry takes besides its body, roughly."""


@dataclass(frozen=True)
class Entry:
    """One kept answer."""

    headers: Headers
    body: bytes
    vary: Mapping[bytes, bytes | None]
    """The request's headers that the answer depends on, with the values it was given for."""
    stored_at: float
    fresh_seconds: float

    @property
    def etag(self) -> bytes | None:
        """How the service names this version."""
        return first(self.headers, b"etag")

    def fits(self, headers: Headers) -> bool:
        """Whether it answers a request with these headers."""
        return all(first(headers, name) == value for name, value in self.vary.items())


class ResponseCache:
    """Answers by target, those used least recently leaving first. Belongs to one event loop."""

    def __init__(self, most_bytes: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most_bytes = most_bytes
        self._clock = clock
        self._bytes = 0
        self._entries: OrderedDict[str, list[Entry]] = OrderedDict()

    def find(self, target: str, headers: Headers) -> Entry | None:
        """The answer for this request, fresh or not."""
        entry = next((entry for entry in self._entries.get(target, ()) if entry.fits(headers)), None)
        if entry is not None:
            self._entries.move_to_end(target)
        return entry

    def age(self, entry: Entry) -> float:
        """Seconds since the service said so."""
        return self._clock() - entry.stored_at

    def fresh(self, entry: Entry) -> bool:
        """Whether it may be used without asking."""
        return self.age(entry) < entry.fresh_seconds

    def bearable(self, entry: Entry) -> bool:
        """Whether it may be used when the service can't be asked (RFC 5861)."""
        directives = parse(first(entry.headers, b"cache-control"))
        strict = {"must-revalidate", "proxy-revalidate", "no-cache"} & set(directives)
        return not strict and self.age(entry) < entry.fresh_seconds + STALE_SECONDS

    def store(
        self, target: str, asked: Headers, answered: Headers, body: bytes, default_seconds: float
    ) -> Entry | None:
        """Keep an answer with status 200 if it may be kept."""
        directives = parse(first(answered, b"cache-control"))
        vary = first(answered, b"vary") or b""
        forbidden = {"no-store", "private"} & set(directives)
        if forbidden or vary.strip() == b"*" or first(answered, b"set-cookie") is not None:
            self.drop(target, asked)
            return None
        names = [name.strip().lower() for name in vary.split(b",") if name.strip()]
        seconds = _fresh_seconds(directives, default_seconds)
        if not seconds and first(answered, b"etag") is None:
            return None
        entry = Entry(answered, body, {name: first(asked, name) for name in names}, self._clock(), seconds)
        if len(body) > LARGEST_BODY_BYTES or _size(entry) > self._most_bytes:
            return None
        self.drop(target, asked)
        self._entries.setdefault(target, []).append(entry)
        self._entries.move_to_end(target)
        self._bytes += _size(entry)
        while self._bytes > self._most_bytes:
            _, dropped = self._entries.popitem(last=False)
            self._bytes -= sum(_size(entry) for entry in dropped)
        return entry

    def renew(self, target: str, entry: Entry, answered: Headers, default_seconds: float) -> Entry:
        """The service said 304: the answer is good again, with what is new in its headers."""
        said = parse(first(answered, b"cache-control") or first(entry.headers, b"cache-control"))
        renewed = replace(entry, stored_at=self._clock(), fresh_seconds=_fresh_seconds(said, default_seconds))
        kept = self._entries.get(target, [])
        if entry in kept:
            kept[kept.index(entry)] = renewed
        return renewed

    def drop(self, target: str, headers: Headers) -> None:
        """Forget the answer for this request."""
        kept = self._entries.get(target, [])
        for entry in [entry for entry in kept if entry.fits(headers)]:
            kept.remove(entry)
            self._bytes -= _size(entry)
        if not kept:
            self._entries.pop(target, None)


def parse(cache_control: bytes | None) -> dict[str, str]:
    """The directives of a Cache-Control header."""
    parts = (part.strip().partition("=") for part in (cache_control or b"").decode("latin-1").split(","))
    return {name.lower(): value.strip('"') for name, _, value in parts if name}


def matches(if_none_match: bytes | None, etag: bytes | None) -> bool:
    """Whether the caller has this version already (compared weakly)."""
    if if_none_match is None or etag is None:
        return False
    offered = [_weak(part) for part in if_none_match.split(b",")]
    return b"*" in offered or _weak(etag) in offered


def _weak(etag: bytes) -> bytes:
    return etag.strip().removeprefix(b"W/")


def _fresh_seconds(directives: Mapping[str, str], default: float) -> float:
    if "no-cache" in directives:
        return 0.0
    for name in ("s-maxage", "max-age"):
        if name in directives:
            return float(directives[name]) if directives[name].isdigit() else 0.0
    return default


def _size(entry: Entry) -> int:
    return len(entry.body) + OVERHEAD_BYTES
