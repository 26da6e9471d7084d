"""Headers and host rules that hold for every response."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Flask, Response, abort, g, redirect, request
from flask.typing import ResponseReturnValue

from portal.settings import Settings


def init_security(app: Flask, settings: Settings) -> None:
    """Set the response headers and keep the portal on its one origin."""
    sandbox = settings.sandbox_origin_effective
    host = urlsplit(settings.portal_origin_effective).netloc

    @app.before_request
    def _one_origin() -> ResponseReturnValue | None:
        # The portal must never be opened at the sandboxes' host name: its cookies would be theirs too.
        if request.host == host or request.path == "/healthz":
            return None
        if request.method in {"GET", "HEAD"}:
            return redirect(settings.portal_origin_effective + request.full_path.rstrip("?"), 302)
        abort(400)

    @app.after_request
    def _headers(response: Response) -> Response:
        inline_styles = " 'unsafe-inline'" if g.get("allow_inline_styles") else ""
        response.headers["Content-Security-Policy"] = (
            "default-src 'none'; script-src 'self'; "
            f"style-src 'self'{inline_styles}; img-src 'self' data:; font-src 'self'; connect-src 'self'; "
            f"frame-src {sandbox}; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; object-src 'none'"
        )
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "same-origin"
        response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
        response.headers["Permissions-Policy"] = "camera=(), microphone=(), geolocation=()"
        if settings.portal_origin_effective.startswith("https://"):
            response.headers["Strict-Transport-Security"] = "max-age=31536000"
        if response.mimetype == "text/html":
            response.headers.setdefault("Cache-Control", "no-store")
        return response
