"""Who may open which route: closed by default; a view says so when it is not for every signed-in person."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from flask import Flask, abort, current_app, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from portal.models import Role

View = TypeVar("View", bound=Callable[..., Any])


def public(view: View) -> View:
    """Anyone may open this view."""
    view.is_public = True  # type: ignore[attr-defined]
    return view


def requires(role: Role) -> Callable[[View], View]:
    """Only people who have at least this role may open the view."""

    def mark(view: View) -> View:
        view.required_role = role  # type: ignore[attr-defined]
        return view

    return mark


def takes_files(view: View) -> View:
    """The view takes a body as large as IMPORT_MB says, from people who may open it."""
    view.takes_files = True  # type: ignore[attr-defined]
    return view


def init_body_limits(app: Flask, most_bytes: int) -> None:
    """Let views that take files have larger bodies. Must come before whatever reads forms, such as the CSRF check."""

    @app.before_request
    def _limit() -> None:
        view = current_app.view_functions.get(request.endpoint or "")
        if request.method != "POST" or not getattr(view, "takes_files", False):
            return
        role: Role = getattr(view, "required_role", Role.LEARNER)
        if current_user.is_authenticated and current_user.has_role(role):
            request.max_content_length = most_bytes


def init_guards(app: Flask) -> None:
    """Check every request before its view runs."""

    @app.before_request
    def _guard() -> ResponseReturnValue | None:
        if request.endpoint is None or request.endpoint == "static":
            return None
        view = current_app.view_functions[request.endpoint]
        if getattr(view, "is_public", False):
            return None
        if not current_user.is_authenticated:
            if request.headers.get("HX-Request"):
                # A fragment can't show the sign-in page: let the whole page go there.
                return "", 401, {"HX-Redirect": url_for("accounts.sign_in")}
            target = request.full_path.rstrip("?") if request.method == "GET" else None
            return redirect(url_for("accounts.sign_in", next=target))
        role: Role = getattr(view, "required_role", Role.LEARNER)
        if not current_user.has_role(role):
            abort(403)
        return None
