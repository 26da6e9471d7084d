"""How the user service is built. Its routes are in `auth_routes` and `user_routes`."""

from __future__ import annotations

from reference_impl.services.user import auth_routes, user_routes
from reference_impl.services.user.accounts import Accounts
from reference_impl.services.user.keys import SigningKeys
from reference_impl.services.user.models import Base
from reference_impl.services.user.secrets import Passwords
from reference_impl.services.user.settings import UserSettings
from reference_impl.services.user.tokens import AccessTokens
from reference_impl.shared.database import Database
from reference_impl.shared.outbox import Outbox, Relay
from reference_impl.shared.routes import gathered
from reference_impl.shared.runtime import Chore, Context, Service

NAME = "user"
OUTBOX = Outbox.on(Base.metadata, NAME)


def build(context: Context) -> Service:
    """The user service on its own database."""
    settings = UserSettings.of(context.settings)
    database = Database.of(context.settings, NAME, Base.metadata)
    accounts = Accounts(database, OUTBOX, Passwords(settings), settings)
    keys = SigningKeys(database, settings, context.faults)
    tokens = AccessTokens(keys, settings.access_seconds)
    routes = gathered(
        auth_routes.router(accounts, keys, tokens), user_routes.users(accounts), user_routes.api_keys(accounts)
    )
    chores = (
        Chore("signing keys", 30.0, keys.rotate_when_due),
        Chore("expired sessions and tokens", 300.0, accounts.prune),
    )
    return Service(NAME, routes, database, Relay(OUTBOX, database, context.bus), chores=chores)
