"""Jupyter's pages on their way to the browser, and its front end, served from here.

A sandbox's address has its secret in it, so whatever the browser caches under it is lost with the sandbox:
eight megabytes of JavaScript would be fetched and compiled again for each new one, through the learner's own
Jupyter. So the gateway serves the same files (their names are hashes of their content) from its own
installation under an address that stays, and points the pages there.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Mapping
from pathlib import Path

from aiohttp import web

from sandboxes.gateway import bridge, headers

PREFIX = "/jupyter/"
PAGES = re.compile(r"/(?:notebooks|tree|edit|consoles|terminals|lab|doc)(?:[/?]|$)")
MAX_PAGE_BYTES = 1_048_576
ASSET = re.compile(r"(?P<application>notebook|lab)/(?P<name>[A-Za-z0-9_][A-Za-z0-9_.-]{0,199})")
PACKAGES = {"notebook": "notebook", "lab": "jupyterlab"}


def installed() -> dict[str, Path]:
    """Where the front ends are on this machine, by the name that Jupyter gives them; none is needed."""
    found = {}
    for application, package in PACKAGES.items():
        spec = importlib.util.find_spec(package)
        if spec is not None and spec.origin is not None:
            directory = Path(spec.origin).resolve().parent / "static"
            if directory.is_dir():
                found[application] = directory
    return found


def is_page(method: str, rest: str, status: int, answer: Mapping[str, str]) -> bool:
    """Whether an answer is a page of Jupyter's application, and not a file of the learner's that happens to be
    HTML.
    """
    return (
        method == "GET"
        and status == 200
        and PAGES.match(rest) is not None
        and answer.get("Content-Type", "").partition(";")[0].strip().lower() == "text/html"
        and answer.get("Content-Encoding", "identity") == "identity"
    )


class Frontend:
    """Rewrites pages and serves assets."""

    def __init__(self, portal_origin: str, directories: Mapping[str, Path] | None = None) -> None:
        self._portal_origin = portal_origin
        self._directories = dict(installed() if directories is None else directories)

    def rewrite(self, page: bytes, base: str) -> bytes:
        """The page with the bridge in it, and with its assets from here where we have just the same."""
        page = _with_bridge(page, bridge.tag(self._portal_origin).encode())
        for application, directory in self._directories.items():
            theirs = f"{base}static/{application}".encode()
            main = re.search(re.escape(theirs) + rb"/(main\.[0-9a-f]{16,}\.js)", page)
            if main and (directory / main[1].decode()).is_file():
                page = re.sub(re.escape(theirs) + rb"(?=[/\"?])", f"{PREFIX}{application}".encode(), page)
        return page

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """One asset; raises HTTPNotFound."""
        match = ASSET.fullmatch(request.match_info["asset"])
        directory = self._directories.get(match["application"]) if match else None
        if match is None or directory is None or not (directory / match["name"]).is_file():
            raise web.HTTPNotFound
        hashed = re.search(r"(?:^|\.)[0-9a-f]{16,}\.", match["name"])
        caching = f"public, {headers.FOREVER}" if hashed else "public, max-age=3600"
        return web.FileResponse(directory / match["name"], headers={"Cache-Control": caching})


def _with_bridge(page: bytes, script: bytes) -> bytes:
    """The script as the head's first element: deferred scripts run in order, and it wants to listen before
    Jupyter starts.
    """
    head = re.search(rb"<head\b[^>]*>", page, re.IGNORECASE)
    if head is None:
        return page
    return page[: head.end()] + script + page[head.end() :]
