"""The gateway's way of telling what became of a charge: a signed request, repeated until it is accepted."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import timedelta

import httpx
from sqlalchemy import delete, select, update

from reference_impl.services.payment import signatures
from reference_impl.services.payment.gateway.tables import GatewayNotice
from reference_impl.shared import logs
from reference_impl.shared.database import Database
from reference_impl.shared.events import now
from reference_impl.shared.peers import Peers

PATH = "/payments/webhooks/gateway"
AT_ONCE = 50
TIMEOUT_SECONDS = 5.0
MOST_ATTEMPTS = 12
_log = logs.logger("meridian.gateway")


class WebhookSender:
    """Delivers what is due, from the gateway's side of the wire."""

    def __init__(self, database: Database, peers: Peers, secret: str) -> None:
        self._database = database
        self._peers = peers
        self._secret = secret

    def run(self) -> int:
        """Deliver what is due, at most AT_ONCE notices; how many were accepted."""
        with self._database.read() as session:
            due = (
                select(GatewayNotice)
                .where(GatewayNotice.due <= now())
                .order_by(GatewayNotice.due)
                .limit(AT_ONCE)
            )
            notices = list(session.scalars(due))
        if not notices:
            return 0
        accepted = asyncio.run(self._deliver(notices))
        with self._database.write() as session:
            session.execute(delete(GatewayNotice).where(GatewayNotice.number.in_(accepted)))
            for notice in notices:
                if notice.number not in accepted:
                    again = {
                        "attempts": notice.attempts + 1,
                        "due": now() + timedelta(seconds=0.2 * 2**notice.attempts),
                    }
                    session.execute(
                        update(GatewayNotice).where(GatewayNotice.number == notice.number).values(again)
                    )
            session.execute(delete(GatewayNotice).where(GatewayNotice.attempts >= MOST_ATTEMPTS))
        return len(accepted)

    async def _deliver(self, notices: list[GatewayNotice]) -> set[int]:
        accepted: set[int] = set()
        try:
            async with self._peers.client("payment", timeout_seconds=TIMEOUT_SECONDS) as client:
                for notice in notices:
                    body = json.dumps(notice.body).encode()
                    headers = {
                        signatures.HEADER: signatures.sign(body, self._secret, time.time()),
                        "Content-Type": "application/json",
                    }
                    try:
                        (await client.post(PATH, content=body, headers=headers)).raise_for_status()
                    except httpx.HTTPError as error:
                        _log.warning("webhook not accepted", notice=notice.id, error=str(error))
                    else:
                        accepted.add(notice.number)
        finally:
            await self._peers.close()  # this loop ends here
        return accepted
