"""The keys that sign access tokens, and their rotation.

The next key is published before it signs and the previous one after it signed, so that a rotation is never seen as a refusal
by somebody who keeps the public keys for a while.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from jwt.algorithms import ECAlgorithm
from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from reference_impl.services.user import metrics
from reference_impl.services.user.models import KeyState, SigningKey
from reference_impl.services.user.settings import UserSettings
from reference_impl.shared import logs
from reference_impl.shared.database import Database
from reference_impl.shared.events import new_id, now
from reference_impl.shared.faults import Faults
from reference_impl.shared.jwks import ALGORITHM

REREAD_SECONDS = 30
"""How long a process goes on with the key it has read: another one may rotate."""
_log = logs.logger("meridian.user")


@dataclass(frozen=True)
class Signer:
    """The key that signs now."""

    id: str
    private: Any


class SigningKeys:
    """The keys in the database, and the active one at hand."""

    def __init__(
        self,
        database: Database,
        settings: UserSettings,
        faults: Faults,
        clock: Callable[[], datetime] = now,
    ) -> None:
        self._database = database
        self._settings = settings
        self._faults = faults
        self._clock = clock
        self._lock = threading.Lock()
        self._signer: Signer | None = None
        self._read_at = clock()

    def signer(self) -> Signer:
        """The active key; made when there is none."""
        with self._lock:
            if self._signer is None or self._clock() - self._read_at >= timedelta(seconds=REREAD_SECONDS):
                self._signer = self._read_active()
                self._read_at = self._clock()
            return self._signer

    def jwks(self) -> dict[str, list[dict[str, str]]]:
        """Every public key by which a valid token may be signed. The fault `user.expired-key` leaves the active one out."""
        self.signer()
        with self._database.read() as session:
            keys = session.scalars(select(SigningKey).order_by(SigningKey.changed_at, SigningKey.id)).all()
        hidden = self._faults.value("user.expired-key") > 0
        return {"keys": [key.public_jwk for key in keys if not (hidden and key.state is KeyState.ACTIVE)]}

    def rotate(self) -> None:
        """Sign with the next key from now on."""
        self.signer()
        with self._database.write() as session:
            active = session.scalars(
                select(SigningKey).where(SigningKey.state == KeyState.ACTIVE).with_for_update()
            ).one()
            self._advance(session, active)
        self._forget()

    def rotate_when_due(self) -> bool:
        """Rotate when the active key is old enough, and delete keys that nothing valid was signed with."""
        self.signer()
        rotated = False
        with self._database.write() as session:
            active = session.scalars(
                select(SigningKey).where(SigningKey.state == KeyState.ACTIVE).with_for_update()
            ).one()
            if self._clock() - active.changed_at >= timedelta(seconds=self._settings.rotation_seconds):
                self._advance(session, active)
                rotated = True
            # A token lives so long, and another process may have signed with the key a little after its time.
            kept = timedelta(seconds=self._settings.access_seconds + 2 * REREAD_SECONDS)
            session.execute(
                delete(SigningKey).where(
                    SigningKey.state == KeyState.PREVIOUS, SigningKey.changed_at < self._clock() - kept
                )
            )
        if rotated:
            self._forget()
        return rotated

    def _advance(self, session: Session, active: SigningKey) -> None:
        following = session.scalars(select(SigningKey).where(SigningKey.state == KeyState.NEXT)).one()
        active.state, active.changed_at = KeyState.PREVIOUS, self._clock()
        session.flush()
        following.state, following.changed_at = KeyState.ACTIVE, self._clock()
        session.flush()
        session.add(self._new(KeyState.NEXT))
        metrics.KEY_ROTATIONS.inc()
        _log.info("signing key rotated", active=following.id, previous=active.id)

    def _forget(self) -> None:
        with self._lock:
            self._signer = None

    def _read_active(self) -> Signer:
        query = select(SigningKey).where(SigningKey.state == KeyState.ACTIVE)
        with self._database.read() as session:
            active = session.scalar(query)
        if active is None:
            try:
                with self._database.write() as session:
                    session.add_all([self._new(KeyState.ACTIVE), self._new(KeyState.NEXT)])
            except IntegrityError:
                _log.info("another process made the first keys")
            with self._database.read() as session:
                active = session.scalars(query).one()
        password = self._settings.signing_key_password.encode() or None
        return Signer(active.id, load_pem_private_key(active.private_pem.encode(), password))

    def _new(self, state: KeyState) -> SigningKey:
        private = ec.generate_private_key(ec.SECP256R1())
        password = self._settings.signing_key_password.encode()
        encryption: KeySerializationEncryption = (
            BestAvailableEncryption(password) if password else NoEncryption()
        )
        identifier = new_id()
        public = json.loads(ECAlgorithm.to_jwk(private.public_key()))
        return SigningKey(
            id=identifier,
            state=state,
            private_pem=private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption).decode(),
            public_jwk=public | {"kid": identifier, "use": "sig", "alg": ALGORITHM},
            changed_at=self._clock(),
        )
