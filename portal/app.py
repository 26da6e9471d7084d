"""The portal's table of contents."""

from __future__ import annotations

from flask import Flask

from portal.assets import init_assets
from portal.content import Content, ContentSource
from portal.database import Database
from portal.error_handlers import init_error_handlers
from portal.extensions import Portal, csrf, init_transactions, limiter, login_manager
from portal.features import (
    accounts,
    admin,
    authoring,
    home,
    insights,
    lab_sessions,
    plan,
    portfolio,
    practice,
    reference,
    reviews,
    roadmap,
    scorecard,
    search,
)
from portal.guards import init_body_limits, init_guards
from portal.jobs import Jobs, QueuedJobs, make_huey
from portal.kept import Store
from portal.kept_pages import init_kept_pages
from portal.security import init_security
from portal.settings import Settings
from portal.tasks import register
from portal.template_helpers import init_template_helpers


def create_app(settings: Settings, *, content: Content | None = None, jobs: Jobs | None = None) -> Flask:
    """The Flask application for these settings. Tests may give jobs, and the content that the instance's own is laid over."""
    app = Flask(__name__, static_folder="static", template_folder="templates")
    app.config.update(flask_config(settings))
    app.extensions["portal"] = Portal(
        settings=settings,
        database=Database(settings.database_url_effective),
        source=ContentSource.of(settings, content),
        jobs=jobs or QueuedJobs(lambda: register(make_huey(settings.instance_dir))),
        store=Store(settings.kept_mb * 1024 * 1024),
    )
    login_manager.init_app(app)
    init_body_limits(app, settings.import_mb * 1024 * 1024 + 64 * 1024)
    csrf.init_app(app)
    limiter.init_app(app)
    init_security(app, settings)
    init_guards(app)
    init_transactions(app)
    init_kept_pages(app)
    init_error_handlers(app)
    init_assets(app)
    init_template_helpers(app)
    for feature in (
        home,
        accounts,
        roadmap,
        plan,
        lab_sessions,
        practice,
        reviews,
        insights,
        portfolio,
        scorecard,
        authoring,
        reference,
        search,
        admin,
    ):
        app.register_blueprint(feature.blueprint)
    return app


def flask_config(settings: Settings) -> dict[str, object]:
    """Flask's own configuration keys, from our settings."""
    secure = settings.portal_origin_effective.startswith("https://")
    return {
        "SECRET_KEY": settings.load_secret_key(),
        "MAX_CONTENT_LENGTH": settings.max_request_bytes,
        "MAX_FORM_PARTS": 400,
        "SESSION_COOKIE_NAME": "__Host-session" if secure else "proving_ground_session",
        "SESSION_COOKIE_SECURE": secure,
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "PERMANENT_SESSION_LIFETIME": 14 * 24 * 3600,
        "SESSION_REFRESH_EACH_REQUEST": False,  # once a day is enough: portal.features.accounts sees to it
        "WTF_CSRF_TIME_LIMIT": None,
        "RATELIMIT_ENABLED": settings.rate_limits,
    }
