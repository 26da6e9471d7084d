"""A gateway that behaves like a real one: it keeps its own books, and its answers don't always get through."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from reference_impl.services.payment.gateway.cards import BY_FAULT, DECLINED
from reference_impl.services.payment.gateway.port import Charge, ChargeState, OutcomeUnknown, PaymentGateway
from reference_impl.services.payment.gateway.tables import GatewayCharge, GatewayNotice
from reference_impl.services.payment.settings import Webhooks
from reference_impl.shared.database import Database, insert_if_new
from reference_impl.shared.events import new_id, now
from reference_impl.shared.faults import Faults

NOTICE_SECONDS = (0.05, 0.4)
"""How long a webhook takes to leave the gateway."""

_CHARGE = select(GatewayCharge).where(GatewayCharge.key == bindparam("key")).with_for_update()
Step = Callable[[GatewayCharge], None]


class SimulatedGateway(PaymentGateway):
    """Answers by card token and fault flags. What it did, it remembers."""

    def __init__(
        self, database: Database, faults: Faults, stopping: threading.Event, webhooks: Webhooks
    ) -> None:
        self._database = database
        self._faults = faults
        self._stopping = stopping
        self._webhooks = webhooks

    def authorise(self, key: str, *, card: str, amount_cents: int, currency: str) -> Charge:
        self._faults.delay("payment.delay", self._stopping)
        declined = BY_FAULT if self._faults.hits("payment.decline", key) else DECLINED.get(card)
        values: dict[str, Any] = {
            "key": key,
            "state": ChargeState.DECLINED if declined else ChargeState.AUTHORISED,
            "reference": f"ch_{new_id()[:24]}",
            "code": declined.code if declined else None,
            "final": bool(declined and declined.final),
            "amount_cents": amount_cents,
            "currency": currency,
            "captures": 0,
        }
        return self._act("authorise", key, lambda charge: None, values)

    def capture(self, key: str) -> Charge:
        def take(charge: GatewayCharge) -> None:
            if charge.state is ChargeState.AUTHORISED:
                charge.state = ChargeState.CAPTURED
                charge.captures += 1

        return self._act("capture", key, take)

    def void(self, key: str) -> Charge:
        def free(charge: GatewayCharge) -> None:
            if charge.state is ChargeState.AUTHORISED:
                charge.state = ChargeState.VOIDED

        # An unknown key is remembered as voided: the authorisation that it belongs to may still be on its way.
        never: dict[str, Any] = {
            "key": key,
            "state": ChargeState.VOIDED,
            "reference": f"ch_{new_id()[:24]}",
            "code": None,
        }
        return self._act(
            "void", key, free, never | {"final": False, "amount_cents": 0, "currency": "", "captures": 0}
        )

    def refund(self, key: str) -> Charge:
        def give_back(charge: GatewayCharge) -> None:
            if charge.state is ChargeState.CAPTURED:
                charge.state = ChargeState.REFUNDED

        return self._act("refund", key, give_back)

    def find(self, key: str) -> Charge | None:
        with self._database.read() as session:
            charge = session.get(GatewayCharge, key)
            return None if charge is None else _seen(charge)

    def _act(self, what: str, key: str, step: Step, beginning: dict[str, Any] | None = None) -> Charge:
        """Do it once, whatever happens to the answer: that it was lost is only known to who waited for it."""
        lost = self._faults.hits("payment.lost-answers", f"{what} {key} {new_id()}")
        answer = self._write(what, key, step, beginning, lost)
        if lost:
            raise OutcomeUnknown(f"the gateway did not answer to {what} {key}")
        return answer

    def _write(self, what: str, key: str, step: Step, beginning: dict[str, Any] | None, lost: bool) -> Charge:
        with self._database.write() as session:
            if beginning is not None and self._begin(session, beginning):
                charge = GatewayCharge(**beginning)
            else:
                known = session.scalar(_CHARGE, {"key": key})
                if known is None:
                    raise ValueError(f"there is no charge {key} to {what}")
                charge = known
                step(charge)
            answer = _seen(charge)
            self._notify(session, what, answer, lost)
        return answer

    @staticmethod
    def _begin(session: Session, beginning: dict[str, Any]) -> bool:
        """Open a charge; False when it is there already. Waits for whoever opens it at the same moment."""
        return session.scalar(insert_if_new(session, GatewayCharge, "key"), beginning) is not None

    def _notify(self, session: Session, what: str, charge: Charge, lost: bool) -> None:
        doubled = self._faults.hits("payment.double-webhook", f"{what} {charge.key}")
        if not (lost or doubled or self._webhooks is Webhooks.ALL):
            return
        body = {
            "id": new_id(),
            "type": f"charge.{charge.state}",
            "key": charge.key,
            "state": charge.state.value,
        }
        least, most = NOTICE_SECONDS
        for copy in range(2 if doubled else 1):
            share = self._faults.dice("notice", f"{copy} {body['id']}")
            due = now() + timedelta(seconds=least + (most - least) * share)
            session.add(GatewayNotice(id=body["id"], body=body, due=due, attempts=0))


def _seen(charge: GatewayCharge) -> Charge:
    return Charge(
        key=charge.key,
        state=charge.state,
        reference=charge.reference,
        code=charge.code,
        final=charge.final,
    )
