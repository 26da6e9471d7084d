"""Errors as pages: every one says what to do next."""

from __future__ import annotations

import time

import structlog
from flask import Flask, Response, render_template, request
from flask_limiter import RateLimitExceeded
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException

from portal.errors import PortalError
from portal.extensions import limiter

log = structlog.get_logger("portal")
PAGES = frozenset({400, 403, 404, 413, 429, 500})


def init_error_handlers(app: Flask) -> None:
    """Register the handlers."""

    @app.errorhandler(PortalError)
    def _ours(error: PortalError) -> tuple[str, int]:
        log.info("request refused", reason=error.reason, detail=error.detail, path=request.path)
        return _page(error.status, error.message), error.status

    @app.errorhandler(CSRFError)
    def _csrf(error: CSRFError) -> tuple[str, int]:
        return _page(
            400, "This form was open for too long, or came from another site. Go back, reload and try again."
        ), 400

    @app.errorhandler(HTTPException)
    def _http(error: HTTPException) -> Response | tuple[str, int]:
        code = error.code or 500
        if code < 400:
            return error.get_response()  # type: ignore[return-value]
        response = app.make_response((_page(code, None, error), code))
        for name, value in error.get_headers():
            if name.lower() in {"allow", "retry-after"}:
                response.headers[name] = value
        return response

    @app.errorhandler(Exception)
    def _bug(error: Exception) -> tuple[str, int]:
        log.exception("unhandled error", path=request.path, exc_info=error)
        return _page(500, None), 500


def _page(status: int, message: str | None, error: HTTPException | None = None) -> str:
    template = f"errors/{status}.html" if status in PAGES else "errors/generic.html"
    return render_template(
        template, status=status, message=message, error=error, retry_after=_retry_after(error)
    )


def _retry_after(error: HTTPException | None) -> int | None:
    """Seconds after which a throttled request may be tried again."""
    if not isinstance(error, RateLimitExceeded) or limiter.current_limit is None:
        return None
    return max(1, int(limiter.current_limit.reset_at - time.time()) + 1)
