"""What the gateway tells without being asked.

A webhook comes late, twice, and in any order, so what it says is not believed: it is a reason to look. The gateway's own
books, read under the charge's key, say how far the charge has really come.
"""

from __future__ import annotations

import time

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy.exc import NoResultFound

from reference_impl.services.payment import metrics, signatures
from reference_impl.services.payment.gateway import PaymentGateway
from reference_impl.services.payment.service import PaymentService
from reference_impl.services.payment.settings import PaymentSettings
from reference_impl.shared.database import Database
from reference_impl.shared.inbox import Inbox
from reference_impl.shared.problems import Problem


class Notice(BaseModel):
    """The part of a webhook that is of use."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str = Field(pattern=r"^[0-9a-f]{32}$")
    key: str = Field(pattern=r"^[0-9a-f]{32}:\d{1,4}$")


class Webhooks:
    """Takes the gateway's webhooks."""

    def __init__(
        self,
        settings: PaymentSettings,
        database: Database,
        inbox: Inbox,
        gateway: PaymentGateway,
        service: PaymentService,
    ) -> None:
        self._settings = settings
        self._database = database
        self._inbox = inbox
        self._gateway = gateway
        self._service = service

    def take(self, body: bytes, signature: str) -> bool:
        """Act on a webhook; False for one that was taken before. Raises Problem 401 for one that is not the gateway's, 422."""
        tolerance = self._settings.webhook_tolerance
        try:
            signatures.check(
                signature, body, self._settings.webhook_secret, at=time.time(), tolerance_seconds=tolerance
            )
            notice = Notice.model_validate_json(body)
        except Problem:
            metrics.WEBHOOKS.labels("refused").inc()
            raise
        except ValidationError as error:
            metrics.WEBHOOKS.labels("refused").inc()
            raise Problem(
                422, "invalid-webhook", "The webhook can't be read", str(error.errors()[0]["msg"])
            ) from error
        charge = self._gateway.find(notice.key)
        if charge is None:
            raise Problem(
                422, "unknown-charge", "There is no such charge", f"The gateway knows no {notice.key}."
            )
        try:
            with self._database.write() as session:
                fresh = self._inbox.note_id(session, notice.id)
                tasks = self._service.learn(session, charge) if fresh else []
        except NoResultFound:
            raise Problem(
                422, "unknown-charge", "There is no such charge", f"No payment has the key {notice.key}."
            ) from None
        metrics.WEBHOOKS.labels("taken" if fresh else "repeated").inc()
        self._service.advance(tasks)
        return fresh
