"""What the pages are held against: a bare Flask page with a sign-in check and three queries.

The database is the portal's own, and so is the way to it: SQLAlchemy's pool, one session a request.
"""

from __future__ import annotations

import os

from flask import Flask, abort, render_template, session
from sqlalchemy import text

from portal.database import Database

PAGE = """<!doctype html>
<html lang="en"><head><title>{{ name }}</title></head><body><h1>{{ name }}</h1>
<p>{{ due }} questions are due.</p>
<ul>{% for lab, at in work %}<li>{{ lab }}: {{ at }}</li>{% endfor %}</ul></body></html>"""
URL, KEY = "BENCH_DATABASE_URL", "BENCH_SECRET_KEY"


def create_floor(url: str, key: str) -> Flask:
    """The page `/`, and `/in/<id>`, which signs somebody in."""
    app = Flask(__name__)
    app.secret_key = key
    database = Database(url)
    app.extensions["database"] = database
    template = app.jinja_env.from_string(PAGE)  # compiled once, as a template in a file is

    @app.get("/in/<int:user_id>")
    def sign_in(user_id: int) -> str:
        session["user_id"] = user_id
        return "signed in"

    @app.get("/")
    def page() -> str:
        user_id = session.get("user_id")
        if user_id is None:
            abort(401)
        with database.session() as db:
            known = db.execute(
                text("SELECT display_name FROM users WHERE id = :id AND active"), {"id": user_id}
            )
            name = known.scalar()
            if name is None:
                abort(401)
            due = db.execute(
                text("SELECT count(*) FROM (SELECT 1 FROM review_cards WHERE user_id = :id LIMIT 20) AS few"),
                {"id": user_id},
            ).scalar()
            work = db.execute(
                text("SELECT lab_id, created_at FROM submissions WHERE user_id = :id LIMIT 5"), {"id": user_id}
            ).all()
        return render_template(template, name=name, due=due, work=work)

    return app


def app() -> Flask:
    """What gunicorn serves."""
    return create_floor(os.environ[URL], os.environ[KEY])
