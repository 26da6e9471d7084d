"""The gateway's own pages: small, without script of their own, and of use to whoever sees them."""

from __future__ import annotations

import base64
import hashlib
import html
from dataclasses import dataclass
from http import HTTPStatus

from aiohttp import web

from sandboxes.gateway import bridge

STYLE = """
:root { color-scheme: light dark; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; font: 16px/1.5 system-ui, sans-serif;
       background: #f6f8fb; color: #182433; }
main { max-width: 30rem; padding: 2rem; }
h1 { font-size: 1.25rem; margin: 0 0 .5rem; }
p { margin: 0 0 1rem; }
a { display: inline-block; padding: .5rem 1rem; border-radius: .375rem; background: #066fd1; color: #fff;
    text-decoration: none; }
a:focus-visible { outline: 3px solid #8bbcf0; outline-offset: 2px; }
@media (prefers-color-scheme: dark) { body { background: #151f2c; color: #dce1e7; } }
"""
_STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()


@dataclass(frozen=True)
class Problem:
    """Why a request was not passed on, in words for the learner."""

    status: HTTPStatus
    title: str
    text: str
    tells: str | None = None
    """What the bridge tells the portal when a page in the lab's frame shows this."""


NOT_FOUND = Problem(
    HTTPStatus.NOT_FOUND,
    "This sandbox is not here",
    "It has ended, or it isn't yours. Go back to the lab to start one; your files are kept.",
    tells="ended",
)
UNREACHABLE = Problem(
    HTTPStatus.BAD_GATEWAY,
    "The sandbox does not answer",
    "It may be starting, or it has just ended. Try again in a moment, or go back to the lab and start it anew.",
    tells="unavailable",
)
TOO_SLOW = Problem(
    HTTPStatus.GATEWAY_TIMEOUT,
    "The sandbox takes too long",
    "It is there but does not answer in time. Stop what runs in it, or go back to the lab and start it anew.",
)
BUSY = Problem(
    HTTPStatus.SERVICE_UNAVAILABLE,
    "The sandbox is busy",
    "Too many requests are open at one time. Close some tabs of this sandbox and try again.",
)
TOO_LARGE = Problem(
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "That is too large",
    "One file or notebook may have 50 MB at most. Clear large outputs, or split the file.",
)
FOREIGN = Problem(
    HTTPStatus.FORBIDDEN,
    "This request came from elsewhere",
    "Only the sandbox's own pages may change something in it. Open the notebook from the lab page.",
)
METHOD = Problem(
    HTTPStatus.METHOD_NOT_ALLOWED,
    "That can't be done here",
    "This address takes no requests of that kind. Go back to the lab.",
)


def answer(request: web.Request, problem: Problem, portal_origin: str) -> web.Response:
    """A problem as a page for a person, or as JSON for a script."""
    headers = {"Cache-Control": "no-store"}
    if "text/html" not in request.headers.get("Accept", ""):
        message = f"{problem.title}. {problem.text}"
        return web.json_response({"message": message}, status=problem.status, headers=headers)
    headers["Content-Security-Policy"] = (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; script-src 'self'; base-uri 'none'"
    )
    text = _page(problem, portal_origin)
    return web.Response(text=text, status=problem.status, content_type="text/html", headers=headers)


def _page(problem: Problem, portal_origin: str) -> str:
    script = bridge.tag(portal_origin, tells=problem.tells) if problem.tells else ""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(problem.title)}</title><style>{STYLE}</style>{script}</head>"
        f"<body><main><h1>{html.escape(problem.title)}</h1><p>{html.escape(problem.text)}</p>"
        f'<a href="{html.escape(portal_origin)}/" target="_top">Back to the labs</a></main></body></html>'
    )
