"""Which headers pass the gateway, and which it sets itself.

Jupyter is the learner's: what it answers may have been written by their code, and their code is somebody else's
problem only if a header lets it be. So requests lose what belongs to the browser's other places, and of answers
only the listed headers pass.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from multidict import CIMultiDict

HOP_BY_HOP = frozenset(
    ("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te",
     "trailer", "transfer-encoding", "upgrade")
)  # fmt: skip
# Cookies ignore ports: those of every other program on the host name would arrive. A Referer could hold another
# sandbox's token.
NEVER_TO_SANDBOX = HOP_BY_HOP | {
    "accept-encoding",  # the socket is faster than zlib, and pages must be readable to be given the bridge
    "authorization",
    "content-encoding",  # the server has undone it
    "cookie",
    "expect",
    "forwarded",
    "referer",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
}
NEVER_TO_SANDBOX_SOCKET = NEVER_TO_SANDBOX | {
    "sec-websocket-accept",
    "sec-websocket-extensions",
    "sec-websocket-key",
    "sec-websocket-protocol",
    "sec-websocket-version",
}
# Not in it, on purpose: Set-Cookie, Service-Worker-Allowed, Clear-Site-Data, WWW-Authenticate,
# Access-Control-*, Link, Refresh.
FROM_SANDBOX = frozenset(
    ("accept-ranges", "allow", "cache-control", "content-disposition", "content-encoding", "content-language",
     "content-length", "content-range", "content-type", "date", "etag", "expires", "last-modified", "location",
     "pragma", "retry-after", "vary")
)  # fmt: skip
HASHED_NAME = re.compile(
    r"/static/[^?]*\.[0-9a-f]{16,}\.[a-z0-9]+(?:\?|$)|/static/[^?]*/[0-9a-f]{16,}\.[a-z0-9]+(?:\?|$)"
)
FOREVER = "max-age=31536000, immutable"


def to_sandbox(headers: Mapping[str, str], *, websocket: bool = False) -> CIMultiDict[str]:
    """The headers of a request as Jupyter gets them; Host passes, since Jupyter compares a WebSocket's Origin
    with it.
    """
    never = NEVER_TO_SANDBOX_SOCKET if websocket else NEVER_TO_SANDBOX
    named = {name.strip().lower() for name in headers.get("Connection", "").split(",")}
    passed: CIMultiDict[str] = CIMultiDict()
    for name, value in headers.items():
        if name.lower() not in never and name.lower() not in named:
            passed.add(name, value)
    if "Content-Encoding" in headers:
        passed.popall("Content-Length", None)
    return passed


def from_sandbox(headers: Mapping[str, str], rest: str) -> CIMultiDict[str]:
    """The headers of Jupyter's answer to `rest` as the browser gets them, the gateway's own not yet added."""
    passed: CIMultiDict[str] = CIMultiDict()
    for name, value in headers.items():
        if name.lower() in FROM_SANDBOX:
            passed.add(name, value)
    if HASHED_NAME.search(rest):
        passed["Cache-Control"] = f"private, {FOREVER}"
    else:
        passed.setdefault("Cache-Control", "no-store")
    sandboxed = sandbox_directive(headers)
    if sandboxed:
        passed["Content-Security-Policy"] = sandboxed
    return passed


def add_own(headers: CIMultiDict[str], portal_origin: str) -> None:
    """Give an answer what every answer of the gateway carries.

    Only the portal, and a notebook that shows a file of its own, may frame it. No address leaves it as a referrer, and a
    page opened from it keeps no handle on it, nor it on the page: a sandbox's script can't reach into the portal's frames.
    """
    headers.add("Content-Security-Policy", f"frame-ancestors {portal_origin} 'self'")
    headers["Referrer-Policy"] = "no-referrer"
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Cross-Origin-Resource-Policy"] = "same-origin"
    headers["Cross-Origin-Opener-Policy"] = "same-origin"


def sandbox_directive(headers: Mapping[str, str]) -> str | None:
    """Jupyter's `sandbox …` directive: it keeps a file of the workspace that is HTML from acting as the notebook's page."""
    for directive in re.split(r"[;,]", headers.get("Content-Security-Policy", "")):
        words = directive.split()
        if words and words[0].lower() == "sandbox":
            return " ".join(
                ["sandbox", *(word for word in words[1:] if re.fullmatch(r"allow-[a-z-]{1,60}", word))]
            )
    return None


def own_origin(origins: Iterable[str], scheme: str, host: str, public_origin: str | None) -> bool:
    """Whether the Origin headers of a request are one, and the gateway's own."""
    return list(origins) == [public_origin or f"{scheme}://{host}"]
