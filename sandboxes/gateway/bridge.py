"""The bridge: a script in Jupyter's pages through which the portal, on another origin, asks to save and to
change the theme.
"""

from __future__ import annotations

import hashlib
import html
from pathlib import Path

from aiohttp import web

from sandboxes.gateway import headers

PATH = "/bridge.js"
SCRIPT = (Path(__file__).resolve().parent / "assets" / "bridge.js").read_bytes()
VERSION = hashlib.sha256(SCRIPT).hexdigest()[:16]


def tag(portal_origin: str, tells: str | None = None) -> str:
    """The script element for a page; `tells` makes it only tell the portal that word."""
    extra = f' data-tells="{html.escape(tells)}"' if tells else ""
    portal = html.escape(portal_origin)
    return f'<script defer src="{PATH}?v={VERSION}" data-portal-origin="{portal}"{extra}></script>'


def serve(request: web.Request) -> web.Response:
    """The script itself; its address has no secret in it, and changes with its content."""
    caching = f"public, {headers.FOREVER}" if request.query.get("v") == VERSION else "no-cache"
    return web.Response(
        body=SCRIPT, content_type="text/javascript", charset="utf-8",
        headers={"Cache-Control": caching},
    )  # fmt: skip
