"""Whole pages that are kept, see decision 0014.

A view that is marked by `kept_page` may be answered with what it answered before, while all it was made of is the same: the
address, the person with their rows, the content, the subjects that the mark names, and the clock to the minute.

What is kept of a page holds no CSRF token: it is cut at the tokens, and joined by those of the session that asks. A page
with a flash message is neither kept nor given, nor is one in whose making something was written.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from flask import Flask, Response, current_app, g, request, session
from flask.globals import request_ctx
from flask_login import current_user
from flask_wtf.csrf import generate_csrf
from sqlalchemy import select

from portal.extensions import db, portal
from portal.kept import version_of
from portal.models import SiteRevision, Subject

View = TypeVar("View", bound=Callable[..., Any])

SECONDS = 60
"""How long what depends on the clock may be behind: what is due, how long something lasts, whether the worker answers."""


_NUMBERS = select(SiteRevision.subject, SiteRevision.number)
"""All of them, for they are few: to name those that are wanted would take longer than to read them."""


@dataclass(frozen=True)
class Mark:
    """What a view's page is made of, beside its address, its person's rows and the content."""

    subjects: tuple[Subject, ...] = ()
    also: Callable[..., Hashable] | None = None
    """Given the view's arguments: what else the page is made of; None when it is not to be kept now."""
    seconds: int = SECONDS
    """How long the page may be behind the clock."""


@dataclass(frozen=True)
class Page:
    """A page, cut at its CSRF tokens."""

    parts: tuple[bytes, ...]
    inline_styles: bool


def kept_page(
    *subjects: Subject, also: Callable[..., Hashable] | None = None, seconds: int = SECONDS
) -> Callable[[View], View]:
    """The view's page may be kept. `subjects`: what it shows of others; `also`, `seconds`: see `Mark`. The view must be a
    function of what the mark says: what else it does, it does once in that time.
    """
    mark = Mark(subjects, also, seconds)

    def marked(view: View) -> View:
        view.kept = mark  # type: ignore[attr-defined]
        return view

    return marked


def init_kept_pages(app: Flask) -> None:
    """Answer with kept pages, and keep what is answered. Comes after the guards and the transactions."""

    @app.before_request
    def _answer() -> Response | None:
        mark: Mark | None = getattr(current_app.view_functions.get(request.endpoint or ""), "kept", None)
        if mark is None or request.method != "GET" or "_flashes" in session or not portal().store.most_bytes:
            return None
        key = _key(mark)
        page: Page | None = portal().store.get(key) if key is not None else None
        if page is None:
            g.page_key = key
            return None
        g.allow_inline_styles = page.inline_styles
        body = page.parts[0] if len(page.parts) == 1 else generate_csrf().encode().join(page.parts)
        return Response(body, mimetype="text/html")

    @app.after_request
    def _keep(response: Response) -> Response:
        key = g.pop("page_key", None)
        if (
            key is None
            or response.status_code != 200
            or response.mimetype != "text/html"
            or response.is_streamed
        ):
            return response
        if db().has_written or "_flashes" in session or getattr(request_ctx, "flashes", None):
            return response
        body = response.get_data()
        token: str | None = g.get("csrf_token")
        parts: Sequence[bytes] = body.split(token.encode()) if token else [body]
        page = Page(tuple(parts), bool(g.get("allow_inline_styles")))
        portal().store.put(key, page, len(body) + 1_000)
        return response


def _key(mark: Mark) -> Hashable:
    """None when the page is not to be kept."""
    also = mark.also(**(request.view_args or {})) if mark.also is not None else ()
    if also is None:
        return None
    person = version_of(current_user) if current_user.is_authenticated else None
    numbers: Hashable = ()
    if mark.subjects:
        found = {subject: number for subject, number in db().connection().execute(_NUMBERS)}
        numbers = tuple(found[subject] for subject in mark.subjects)
    return (
        "page",
        request.full_path,
        "HX-Request" in request.headers,
        person,
        portal().content.serial,
        int(time.time()) // mark.seconds,
        numbers,
        also,
    )
