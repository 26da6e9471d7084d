"""What the Flask application is extended by: sign-in, CSRF, throttling, and one database session a request."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from flask import Flask, Response, current_app, g, has_request_context, request
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from flask_login import LoginManager
from flask_wtf import CSRFProtect

from portal.content import Content, ContentSource
from portal.database import Database
from portal.jobs import Jobs
from portal.kept import Store
from portal.revisions import RevisedSession
from portal.settings import Settings

login_manager = LoginManager()
csrf = CSRFProtect()
limiter = Limiter(get_remote_address, storage_uri="memory://", headers_enabled=True)


@dataclass(frozen=True)
class Portal:
    """What every request may use; made once by `create_app`."""

    settings: Settings
    database: Database
    source: ContentSource
    jobs: Jobs
    store: Store
    looks_told_at: dict[str, float] = field(default_factory=dict)
    """Lab → when the worker was last told that somebody looks at its page (monotonic seconds)."""

    @property
    def content(self) -> Content:
        """The content as it is for this request: what somebody publishes meanwhile is seen by the next one."""
        if not has_request_context():
            return self.source.current()
        if "content" not in g:
            g.content = self.source.current()
        return g.content


def portal() -> Portal:
    """The parts of the application that serves this request."""
    return current_app.extensions["portal"]


def db() -> RevisedSession:
    """This request's database session; it is committed after a response below 400, else rolled back."""
    if "db_session" not in g:
        g.db_session = portal().database.session()
    return g.db_session


def after_commit(action: Callable[[], object]) -> None:
    """Do something once this request's transaction is in the database, and only then."""
    g.setdefault("after_commit", []).append(action)


def init_transactions(app: Flask) -> None:
    """Commit at the edge of each request."""

    @app.after_request
    def _commit(response: Response) -> Response:
        session: RevisedSession | None = g.get("db_session")
        if session is not None:
            if response.status_code < 400:
                session.commit()
                for action in g.pop("after_commit", []):
                    action()
            else:
                session.rollback()
        return response

    @app.teardown_request
    def _close(_error: BaseException | None) -> None:
        session: RevisedSession | None = g.pop("db_session", None)
        if session is not None:
            session.close()


def throttle_key() -> str:
    """What sign-in attempts are counted by: the address and, apart from it, the account that is tried."""
    return f"{get_remote_address()}|{request.form.get('email', '').strip().lower()[:254]}"
