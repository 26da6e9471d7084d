"""Which sandboxes there are, and whose secret opens them: `<run directory>/routes/<id>.json`, written by the
drivers.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import stat
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path

SANDBOX_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
TOKEN = re.compile(r"[A-Za-z0-9_-]{16,128}")
PATH = re.compile(r"/s/(?P<id>[^/?#]+)/(?P<token>[^/?#]+)(?P<rest>[/?#].*)?", re.DOTALL)
DOT_SEGMENT = re.compile(r"(?:^|/)(?:\.|%2e){1,2}(?:/|$)", re.IGNORECASE)

MAX_FILE_BYTES = 4096
MAX_CACHED = 1024


@dataclass(frozen=True)
class Address:
    """A request's target, taken apart; nothing in it is checked against a sandbox yet."""

    sandbox_id: str
    token: str = field(repr=False)
    rest: str
    """What follows `/s/<id>/<token>`: empty, or a path that begins with '/', with its query."""

    @property
    def base(self) -> str:
        """`/s/<id>/<token>/`."""
        return f"/s/{self.sandbox_id}/{self.token}/"


@dataclass(frozen=True)
class Route:
    """A sandbox that runs, and where its Jupyter listens."""

    sandbox_id: str
    token_sha256: str = field(repr=False)
    jupyter_socket: Path

    def opens_with(self, token: str) -> bool:
        """Whether `token` is this sandbox's, compared in constant time."""
        return hmac.compare_digest(hashlib.sha256(token.encode()).hexdigest(), self.token_sha256)


@dataclass(frozen=True)
class _Cached:
    version: tuple[int, int, int]
    route: Route


def parse(raw_target: str) -> Address | None:
    """The address in a raw request target, or None when it can't be a sandbox's.

    Dot segments are refused: whatever listens behind the socket must not be asked for a path outside its base.
    """
    match = PATH.fullmatch(raw_target)
    if match is None or not SANDBOX_ID.fullmatch(match["id"]) or not TOKEN.fullmatch(match["token"]):
        return None
    rest = match["rest"] or ""
    if DOT_SEGMENT.search(re.split(r"[?#]", rest, maxsplit=1)[0]):
        return None
    return Address(match["id"], match["token"], rest)


class RouteTable:
    """Looks routes up in a directory; a file is read again only when it changed."""

    def __init__(self, run_dir: Path) -> None:
        self._directory = run_dir / "routes"
        self._cache: OrderedDict[str, _Cached] = OrderedDict()

    def find(self, address: Address) -> Route | None:
        """The route if the sandbox runs and the token is its own; else None, whichever of the two was wrong."""
        route = self._load(address.sandbox_id)
        if route is None or not route.opens_with(address.token):
            return None
        return route

    def _load(self, sandbox_id: str) -> Route | None:
        try:
            descriptor = os.open(
                self._directory / f"{sandbox_id}.json", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
            )
        except OSError:
            self._cache.pop(sandbox_id, None)
            return None
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(file.fileno())
            version = (status.st_mtime_ns, status.st_ino, status.st_size)
            cached = self._cache.get(sandbox_id)
            if cached is not None and cached.version == version:
                self._cache.move_to_end(sandbox_id)
                return cached.route
            if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_FILE_BYTES:
                return None
            route = _read(sandbox_id, file.read(MAX_FILE_BYTES))
        if route is None:
            self._cache.pop(sandbox_id, None)
            return None
        self._cache[sandbox_id] = _Cached(version, route)
        self._cache.move_to_end(sandbox_id)
        while len(self._cache) > MAX_CACHED:
            self._cache.popitem(last=False)
        return route


def _read(sandbox_id: str, data: bytes) -> Route | None:
    """The route in a file's bytes, or None when they aren't one for this sandbox."""
    try:
        content = json.loads(data)
        digest, socket = content["token_sha256"], Path(content["jupyter_socket"])
        named = content["id"]
    except (ValueError, KeyError, TypeError):
        return None
    if named != sandbox_id or not isinstance(digest, str) or not re.fullmatch(r"[0-9a-f]{64}", digest):
        return None
    return Route(sandbox_id, digest, socket) if socket.is_absolute() else None
