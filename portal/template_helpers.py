"""Filters and globals that templates share."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, tzinfo

from flask import Flask, has_request_context
from flask_login import current_user
from flask_wtf.csrf import generate_csrf
from markupsafe import Markup, escape

from portal import markdown
from portal.days import clock_in, day_in


def init_template_helpers(app: Flask) -> None:
    """Register them."""
    app.jinja_env.filters["markdown"] = lambda text: Markup(markdown.render(text).html)  # noqa: S704 - sanitised
    app.jinja_env.filters["markdown_inline"] = lambda text: Markup(markdown.render_inline(text))  # noqa: S704 - sanitised
    app.jinja_env.filters["foreign"] = lambda text: Markup(markdown.render_foreign(text))  # noqa: S704 - sanitised
    app.jinja_env.filters["code_spans"] = code_spans
    app.jinja_env.filters["day"] = day
    app.jinja_env.filters["moment"] = moment
    app.jinja_env.filters["clock"] = clock
    app.jinja_env.filters["duration"] = duration
    app.jinja_env.globals["zone_name"] = zone_name
    app.jinja_env.globals["csrf_token"] = generate_csrf
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True


def code_spans(text: str) -> Markup:
    """Plain text, escaped, with `words in backticks` as code: for the grader's messages, which are no Markdown."""
    return Markup(re.sub(r"`([^`\n]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped first


def zone() -> tzinfo:
    """Where the reader's days begin: in their zone, and in UTC for who is not signed in."""
    if not has_request_context() or not current_user or not current_user.is_authenticated:
        return UTC
    return current_user.zone


def zone_name() -> str:
    """`Europe/Vienna`; what to name where days or times are shown."""
    return getattr(zone(), "key", "UTC")


def day(value: date | None) -> str:
    """`4 May 2026`, of a moment in the reader's zone; empty for None."""
    if value is None:
        return ""
    on = day_in(zone(), value) if isinstance(value, datetime) else value
    return f"{on.day} {on:%B %Y}"


def moment(value: datetime | None) -> str:
    """`4 May 2026, 14:05 CEST`, in the reader's zone; empty for None."""
    return f"{day(value)}, {clock(value)}" if value else ""


def clock(value: datetime | None) -> str:
    """`14:05 CEST`, in the reader's zone; empty for None."""
    return clock_in(zone(), value) if value else ""


def duration(seconds: float | None) -> str:
    """`45 s`, `3 min 5 s`, `2 h 10 min`; empty for None."""
    if seconds is None:
        return ""
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
