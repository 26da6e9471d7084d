"""One-time sign-in links, made from the command line."""

from __future__ import annotations

from sqlalchemy import select

from portal.database import Database
from portal.errors import NotFound
from portal.features.accounts import AccountService
from portal.models import User
from portal.settings import Settings


def make_link(database: Database, settings: Settings, email: str | None = None) -> str:
    """A one-time sign-in link for that account, or for the owner. Raises NotFound."""
    with database.transaction() as session:
        service = AccountService(session)
        user = (
            session.scalar(select(User).where(User.email == email.strip().lower()))
            if email
            else service.owner()
        )
        if user is None:
            raise NotFound(f"There is no account {email}. Make one: python -m portal create-user {email}")
        session.flush()
        return link_url(settings, service.make_sign_in_link(user))


def link_url(settings: Settings, token: str) -> str:
    """The address of a one-time link."""
    return f"{settings.portal_origin_effective}/account/link/{token}"
