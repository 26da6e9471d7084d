"""Accounts: signing up, in and out; roles; one-time links."""

from portal.features.accounts.routes import blueprint
from portal.features.accounts.service import AccountService

__all__ = ["AccountService", "blueprint"]
