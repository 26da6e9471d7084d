"""The orchestrated checkout as a table: at which step, which answer leads where. Pure: it is tested by itself.

The way there, and the way back from each step when the order is cancelled at it::

    RESERVE ──► AUTHORISE ──► CAPTURE ──► CONFIRM ──► SHIP ──► DONE
       │          │   ▲ │        │  │        │          │        │
       │          │   │ ▼        │  │        │          │        │ (paid)
       │          │ ANOTHER_CARD ◄──┘        │          ▼        ▼
       │          │     │        │           │     STOP_SHIPMENT ──► DONE (too late: it has left)
       │          ▼     │        ▼           ▼          │
       │        RETURN_MONEY ◄───────────────────────────
       │          │     │
       ▼          ▼     ▼
       RELEASE ◄─────────          ──► DONE

CAPTURE is the pivot: before it the way back is free, after it the way back costs a refund.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from reference_impl.services.order.history.fold import OrderState, OrderStatus


class Step(StrEnum):
    """Whose answer a saga waits for."""

    RESERVE = "reserve"
    AUTHORISE = "authorise"
    ANOTHER_CARD = "another_card"
    """The customer's: nothing is sent, and there is a time to it."""
    CAPTURE = "capture"
    CONFIRM = "confirm"
    """Inventory's, that what is confirmed has become sold."""
    SHIP = "ship"
    STOP_SHIPMENT = "stop_shipment"
    RETURN_MONEY = "return_money"
    RELEASE = "release"
    DONE = "done"


class SagaState(StrEnum):
    """Which way a saga goes."""

    RUNNING = "running"
    COMPENSATING = "compensating"
    FINISHED = "finished"


MOVES: Mapping[tuple[Step, str], Step] = {
    (Step.RESERVE, "InventoryReserved"): Step.AUTHORISE,
    (Step.RESERVE, "InventoryRejected"): Step.DONE,
    (Step.AUTHORISE, "PaymentAuthorised"): Step.CAPTURE,
    (Step.AUTHORISE, "PaymentDeclined"): Step.ANOTHER_CARD,
    (Step.CAPTURE, "PaymentDeclined"): Step.ANOTHER_CARD,
    (Step.CAPTURE, "PaymentCaptured"): Step.CONFIRM,
    (Step.CONFIRM, "InventorySold"): Step.SHIP,
    (Step.SHIP, "ShipmentCreated"): Step.DONE,
    (Step.SHIP, "ShipmentDispatched"): Step.DONE,
    (Step.SHIP, "ShipmentDelivered"): Step.DONE,
    (Step.STOP_SHIPMENT, "ShipmentCancelled"): Step.RETURN_MONEY,
    (Step.STOP_SHIPMENT, "ShipmentDispatched"): Step.DONE,
    (Step.STOP_SHIPMENT, "ShipmentDelivered"): Step.DONE,
    (Step.RETURN_MONEY, "PaymentVoided"): Step.RELEASE,
    (Step.RETURN_MONEY, "PaymentRefunded"): Step.RELEASE,
    (Step.RELEASE, "InventoryReleased"): Step.DONE,
}
"""(step, answer) → next step. Any other answer is late, or comes twice, and changes nothing."""

WAY_BACK: Mapping[Step, Step] = {
    Step.RESERVE: Step.RELEASE,
    Step.AUTHORISE: Step.RETURN_MONEY,
    Step.ANOTHER_CARD: Step.RELEASE,
    Step.CAPTURE: Step.RETURN_MONEY,
    Step.CONFIRM: Step.RETURN_MONEY,
}
"""Step at which the order was cancelled → the first step of undoing what was done, or may have been."""

FOR_EVER = frozenset({Step.CONFIRM, Step.SHIP, Step.STOP_SHIPMENT, Step.RETURN_MONEY, Step.RELEASE})
"""Steps that are sent until somebody answers: behind the pivot and on the way back there is nothing else to try."""


def next_step(step: Step, reply: str, after: OrderState, *, shipping: bool, keep_stock: bool) -> Step | None:
    """Where an answer leads, given what it made of the order; None when the answer is not the one that was waited for.

    `keep_stock`: a consumer outside releases what a declined order held.
    """
    following = MOVES.get((step, reply))
    if following is Step.SHIP and not shipping:
        return Step.DONE
    if following is Step.ANOTHER_CARD and after.status is OrderStatus.CANCELLED:
        return turned_back(following, after, shipping=shipping, keep_stock=keep_stock)
    return following


def turned_back(step: Step, after: OrderState, *, shipping: bool, keep_stock: bool) -> Step:
    """Where a saga goes whose order is cancelled, or shall be, while it is at this step."""
    if after.status is OrderStatus.CANCELLING:
        return Step.STOP_SHIPMENT
    if step in (Step.SHIP, Step.DONE):
        return Step.RETURN_MONEY
    if step is Step.ANOTHER_CARD and keep_stock:
        return Step.DONE
    return WAY_BACK[step]


def may_be_shipping(step: Step, *, shipping: bool) -> bool:
    """Whether the parcel may be on its way: shipping was told to send it, so only shipping knows."""
    return shipping and step in (Step.SHIP, Step.DONE)


def state_at(step: Step) -> SagaState:
    """Which way a saga goes that is at this step."""
    if step is Step.DONE:
        return SagaState.FINISHED
    back = (Step.STOP_SHIPMENT, Step.RETURN_MONEY, Step.RELEASE)
    return SagaState.COMPENSATING if step in back else SagaState.RUNNING
