"""The front-end bundle: logical names to files with a content hash."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

from flask import Flask, Response, request, url_for

from portal.errors import SettingsError

DIST = Path(__file__).parent / "static" / "dist"


@lru_cache(maxsize=1)
def manifest() -> dict[str, str]:
    """Logical name → file name. Raises SettingsError when the bundle was not built."""
    try:
        return json.loads((DIST / "manifest.json").read_text())
    except FileNotFoundError:
        raise SettingsError("The front end is not bundled yet: run `make assets`.") from None


def asset_url(name: str) -> str:
    """The URL of a bundled file, e.g. asset_url("app.js"). Raises KeyError for one that is not in the bundle."""
    return url_for("static", filename=f"dist/{manifest()[name]}")


def init_assets(app: Flask) -> None:
    """Offer `asset_url` to templates; let browsers keep what has a hash in its name."""
    app.jinja_env.globals["asset_url"] = asset_url

    @app.after_request
    def _cache(response: Response) -> Response:
        if request.path.startswith("/static/dist/") and response.status_code == 200:
            response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response
