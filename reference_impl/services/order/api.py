"""The order service over HTTP: orders, as customers see them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response
from fastapi.concurrency import run_in_threadpool

from reference_impl.services.order.catalogue import Catalogue, Price
from reference_impl.services.order.history.fold import OrderStatus
from reference_impl.services.order.models import Base, Order
from reference_impl.services.order.saga import Checkout
from reference_impl.services.order.service import OrderService, UnknownOrder
from reference_impl.services.order.views import (
    AnotherCard,
    Cancellation,
    FactView,
    HistoryView,
    NewOrder,
    OrderPage,
    OrderView,
)
from reference_impl.shared.auth import Caller, Principal, forbidden
from reference_impl.shared.database import Database
from reference_impl.shared.faults import Faults
from reference_impl.shared.idempotency import IdempotencyKey, IdempotencyKeys, mark
from reference_impl.shared.problems import responses
from reference_impl.shared.types import NOT_NUL, After, IdentifierPath, PageSize

KEYS = IdempotencyKeys.on(Base.metadata)

CustomerId = Annotated[str | None, Query(max_length=64, pattern=NOT_NUL, description="Only this customer's.")]


def routes(database: Database, checkout: Checkout, catalogue: Catalogue, faults: Faults) -> APIRouter:
    """The public routes."""
    router = APIRouter(prefix="/orders", tags=["orders"])

    def place(
        body: NewOrder, prices: dict[str, Price], key: str | None, who: Principal
    ) -> tuple[OrderView, bool]:
        with database.write() as session:
            return KEYS.once(
                session,
                scope=f"POST /orders {who.subject}",
                key=key,
                request=body,
                answer=OrderView,
                act=lambda: OrderView.model_validate(
                    checkout.place(
                        session,
                        body.items,
                        prices,
                        customer_id=_customer(who, body.customer_id),
                        card=body.card,
                    )
                ),
            )

    @router.post("", status_code=201, summary="Place an order", responses=responses(401, 403, 413, 422, 503))
    async def place_order(
        body: NewOrder, response: Response, who: Caller, idempotency_key: IdempotencyKey = None
    ) -> OrderView:
        _customer(who, body.customer_id)
        prices = dict(await catalogue.prices([line.sku for line in body.items]))
        view, replayed = await run_in_threadpool(place, body, prices, idempotency_key, who)
        mark(response, replayed)
        return view

    @router.get("", summary="List orders: a customer's own, or all", responses=responses(401, 403, 422))
    def list_orders(
        who: Caller,
        after: After = 0,
        limit: PageSize = 50,
        status: Annotated[OrderStatus | None, Query(description="Only those in this state.")] = None,
        customer_id: CustomerId = None,
    ) -> OrderPage:
        with database.read() as session:
            found = checkout.orders(session).page(
                after=after,
                limit=limit,
                status=status,
                customer_id=_customer(who, customer_id),
                chatty=faults.value("order.chatty") > 0,
            )
        more = found[-1].number if len(found) == limit else None
        return OrderPage(orders=[OrderView.model_validate(order) for order in found], next=more)

    @router.get("/{order_id}", summary="One order", responses=responses(401, 404, 422))
    def get_order(order_id: IdentifierPath, who: Caller) -> OrderView:
        with database.read() as session:
            return OrderView.model_validate(_own(checkout.orders(session), order_id, who))

    @router.get(
        "/{order_id}/events",
        summary="Everything that happened to an order",
        description="Its history, oldest first, in the words of today's versions. The order is the sum of these.",
        responses=responses(401, 404, 422),
    )
    def get_history(order_id: IdentifierPath, who: Caller) -> HistoryView:
        with database.read() as session:
            orders = checkout.orders(session)
            _own(orders, order_id, who)
            recorded = orders.history(order_id)
        return HistoryView(order_id=order_id, events=[FactView.of(item) for item in recorded])

    @router.post(
        "/{order_id}/payment",
        status_code=202,
        summary="Try another card after a decline",
        responses=responses(401, 404, 409, 413, 422),
    )
    def retry_payment(
        order_id: IdentifierPath,
        body: AnotherCard,
        response: Response,
        who: Caller,
        idempotency_key: IdempotencyKey = None,
    ) -> OrderView:
        with database.write() as session:
            _own(checkout.orders(session), order_id, who)
            view, replayed = KEYS.once(
                session,
                scope=f"payment {order_id}",
                key=idempotency_key,
                request=body,
                answer=OrderView,
                act=lambda: OrderView.model_validate(checkout.pay_again(session, order_id, body.card)),
            )
        mark(response, replayed)
        return view

    @router.post(
        "/{order_id}/cancellation",
        summary="Cancel an order that is not paid, or a paid one with a refund",
        description="Idempotent: an order that is cancelled already is returned as it is. 409 when a payment attempt is under "
        "way, when it is paid and `refund` is not true, and when it is shipped. With a shipping service a paid order is "
        "`cancelling` until shipping has said that it is still in the house.",
        responses=responses(401, 404, 409, 413, 422),
    )
    def cancel_order(order_id: IdentifierPath, body: Cancellation, who: Caller) -> OrderView:
        with database.write() as session:
            _own(checkout.orders(session), order_id, who)
            return OrderView.model_validate(checkout.cancel(session, order_id, body.reason, refund=body.refund))

    return router


def _customer(who: Principal, named: str | None) -> str | None:
    """The customer that a request is about: a customer himself, or whoever somebody inside names. Raises Problem 403."""
    if who.everything:
        return named
    if named is not None and not who.owns(named):
        raise forbidden("admin")
    return who.subject


def _own(orders: OrderService, order_id: str, who: Principal) -> Order:
    """An order that the caller may see. Others' orders are not there for him: 403 would say that they exist."""
    order = orders.get(order_id)
    if not who.owns(order.customer_id):
        raise UnknownOrder(order_id)
    return order
