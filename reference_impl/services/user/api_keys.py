"""API keys: a program that acts for a user, with less than the user may do, until it is taken away.

A key reads `mk_<prefix>_<secret>`. The prefix finds the row and may be shown; of the secret only a hash is kept. A key never
reaches a service: the gateway exchanges it for an access token, so that there is one kind of proof inside.
"""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session as Connection

from reference_impl.services.user import metrics
from reference_impl.services.user.models import ApiKey, User
from reference_impl.services.user.secrets import digest
from reference_impl.services.user.settings import UserSettings
from reference_impl.shared.auth import Role
from reference_impl.shared.events import now
from reference_impl.shared.problems import Problem

NOTED_EVERY = timedelta(minutes=1)
_FORM = re.compile(r"mk_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")


class Scope(StrEnum):
    """What a key can be made for. Which route needs which one, the gateway's routing table says."""

    CATALOGUE_WRITE = "catalogue:write"
    INVENTORY_WRITE = "inventory:write"
    ORDERS_READ = "orders:read"
    ORDERS_WRITE = "orders:write"
    ACCOUNT_READ = "account:read"


@dataclass(frozen=True)
class Exchanged:
    """A key that is good, and who it acts for."""

    key: ApiKey
    owner: User

    @property
    def roles(self) -> list[str]:
        """The owner's roles; no key is an administrator."""
        return [role for role in self.owner.roles if role != Role.ADMIN]


class ApiKeys:
    """The keys, within one transaction of the caller's."""

    def __init__(
        self, connection: Connection, settings: UserSettings, clock: Callable[[], datetime] = now
    ) -> None:
        self._connection = connection
        self._settings = settings
        self._now = clock()

    def add(
        self, owner: User, *, name: str, scopes: Sequence[Scope], plan: str, expires_at: datetime | None
    ) -> tuple[ApiKey, str]:
        """A new key and its text, which is told this once. Raises Problem 409 when the owner has too many."""
        # The owner's row is the lock: two requests at once don't both take the last place.
        self._connection.scalars(select(User.number).where(User.id == owner.id).with_for_update()).one()
        if self._in_use(owner.id) >= self._settings.api_keys_each:
            detail = f"At most {self._settings.api_keys_each} are in use at once; revoke one first."
            raise Problem(409, "too-many-api-keys", "There are too many API keys", detail)
        prefix, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
        key = ApiKey(
            user_id=owner.id,
            name=name,
            prefix=prefix,
            secret_hash=digest(secret),
            scopes=sorted(scope.value for scope in set(scopes)),
            plan=plan,
            created_at=self._now,
            expires_at=expires_at,
        )
        self._connection.add(key)
        self._connection.flush()
        return key, f"mk_{prefix}_{secret}"

    def of(self, user_id: str) -> list[ApiKey]:
        """The keys of a user, latest first, revoked ones too."""
        query = select(ApiKey).where(ApiKey.user_id == user_id)
        return list(self._connection.scalars(query.order_by(ApiKey.created_at.desc(), ApiKey.id).limit(200)))

    def revoke(self, user_id: str, key_id: str) -> None:
        """Take a key away; once more does nothing. Raises Problem 404 when this user has no such key."""
        key = self._connection.scalar(select(ApiKey).where(ApiKey.id == key_id, ApiKey.user_id == user_id))
        if key is None:
            raise Problem(404, "unknown-api-key", "There is no such API key", "You have no key of this id.")
        key.revoked_at = key.revoked_at or self._now

    def exchange(self, text: str) -> Exchanged | None:
        """Who a key acts for; None, whatever is wrong with it."""
        form = _FORM.fullmatch(text)
        found = None
        if form is not None:
            query = select(ApiKey, User).join(User, User.id == ApiKey.user_id).where(ApiKey.prefix == form[1])
            found = self._connection.execute(query).one_or_none()
        if form is None or found is None or not self._good(found[0], form[2]):
            metrics.KEY_EXCHANGES.labels("refused").inc()
            return None
        key, owner = found
        metrics.KEY_EXCHANGES.labels("accepted").inc()
        return Exchanged(key, owner)

    def note_use(self, key: ApiKey) -> None:
        """Note that a key was used, at most once a minute."""
        self._connection.execute(
            update(ApiKey)
            .where(ApiKey.id == key.id, (ApiKey.used_at.is_(None)) | (ApiKey.used_at < self._now - NOTED_EVERY))
            .values(used_at=self._now)
        )

    def _good(self, key: ApiKey, secret: str) -> bool:
        same = hmac.compare_digest(key.secret_hash, digest(secret))
        return same and key.revoked_at is None and (key.expires_at is None or key.expires_at > self._now)

    def _in_use(self, user_id: str) -> int:
        query = select(func.count()).where(ApiKey.user_id == user_id, ApiKey.revoked_at.is_(None))
        query = query.where((ApiKey.expires_at.is_(None)) | (ApiKey.expires_at > self._now))
        return int(self._connection.scalar(query) or 0)
