"""Pages of the reference code."""

from __future__ import annotations

from flask import Blueprint, render_template
from markupsafe import Markup

from portal.features.reference.service import source_file
from portal.kept_pages import kept_page

blueprint = Blueprint("reference", __name__, url_prefix="/code")


@blueprint.get("/<path:path>")
@kept_page()
def file(path: str) -> str:
    """One file of Meridian; `#line-12` leads to a line."""
    found = source_file(path[:300])
    return render_template("reference/file.html", file=found, source_html=Markup(found.html))  # noqa: S704 - escaped text
