"""The operator's pages."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, url_for

from portal.extensions import after_commit, db, limiter, portal
from portal.features.admin import views
from portal.features.admin.service import OperatorService
from portal.guards import requires
from portal.kept_pages import kept_page
from portal.models import Role

blueprint = Blueprint("admin", __name__, url_prefix="/admin")

LIVE_SECONDS = 2
"""How old what is shown of the machine may be: however many look, it is gathered once in that time."""


@blueprint.get("/sandboxes")
@requires(Role.ADMIN)
@kept_page(seconds=LIVE_SECONDS)
def sandboxes() -> str:
    """What runs, what waits, what works and what failed."""
    return render_template("admin/sandboxes.html", **_page())


@blueprint.get("/sandboxes/live")
@requires(Role.ADMIN)
@limiter.exempt
@kept_page(seconds=LIVE_SECONDS)
def live() -> str:
    """The parts of the page that change."""
    return render_template("admin/_live.html", **_page())


@blueprint.post("/sandboxes/<int:session_id>/stop")
@requires(Role.ADMIN)
def stop(session_id: int) -> Any:
    """End somebody's sandbox; the files stay."""
    session = OperatorService(db()).stop_session(session_id)
    after_commit(lambda: portal().jobs.stop(session.id))
    flash("The sandbox is being stopped. The learner's files are kept.", "info")
    return redirect(url_for("admin.sandboxes"))


@blueprint.post("/sandboxes/reap")
@requires(Role.ADMIN)
@limiter.limit("6 per minute")
def reap() -> Any:
    """Have the worker remove what a crash left behind."""
    after_commit(portal().jobs.reap)
    flash("The worker removes what nobody uses any more. This page shows the result in some seconds.", "info")
    return redirect(url_for("admin.sandboxes"))


@blueprint.post("/sandboxes/examine")
@requires(Role.ADMIN)
@limiter.limit("6 per minute")
def examine() -> Any:
    """Have the worker run the checks of its machine again."""
    after_commit(portal().jobs.examine)
    flash("The worker runs the checks again. This page shows the result in some seconds.", "info")
    return redirect(url_for("admin.sandboxes"))


def _page() -> dict[str, Any]:
    return views.sandboxes_page(db(), portal().content)
