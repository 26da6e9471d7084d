"""The order service over HTTP: what is made from the history a moment later, and what operators look at."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from sqlalchemy import select

from reference_impl.services.order import projections
from reference_impl.services.order.history.store import EventStore
from reference_impl.services.order.models import CustomerOrder, DailySales, Saga
from reference_impl.services.order.service import UnknownOrder
from reference_impl.services.order.views import (
    AuditPage,
    CustomerHistoryPage,
    CustomerOrderView,
    DailySalesView,
    DifferenceView,
    RebuildView,
    SagaView,
)
from reference_impl.shared.auth import Caller, Role, needs
from reference_impl.shared.database import Database
from reference_impl.shared.problems import responses
from reference_impl.shared.types import NOT_NUL, After, IdentifierPath, PageSize

OPERATORS = [Depends(needs(Role.ADMIN))]
MOST_DAYS = 400


def routes(database: Database, snapshot_every: int) -> APIRouter:
    """The routes; they have to come before `/orders/{order_id}`."""
    router = APIRouter(prefix="/orders", tags=["order reports"])

    @router.get(
        "/history",
        summary="A customer's orders, newest first",
        description="A projection that is written a moment after the orders: the last second may be missing.",
        responses=responses(401, 403, 422),
    )
    def customer_history(
        who: Caller,
        customer_id: Annotated[
            str | None, Query(max_length=64, pattern=NOT_NUL, description="Whose; your own without it.")
        ] = None,
        before: Annotated[
            str | None, Query(pattern=r"^[0-9a-f]{32}$", description="`next` of the page before.")
        ] = None,
        limit: PageSize = 50,
    ) -> CustomerHistoryPage:
        wanted = who.subject if customer_id is None else customer_id
        query = select(CustomerOrder).where(CustomerOrder.customer_id == wanted)
        if before is not None:
            query = query.where(CustomerOrder.order_id < before)
        with database.read() as session:
            # Ids grow with time, so they are the cursor and the order of the page at once.
            found = session.scalars(query.order_by(CustomerOrder.order_id.desc()).limit(limit)).all()
        visible = [CustomerOrderView.model_validate(row) for row in found if who.owns(row.customer_id)]
        return CustomerHistoryPage(orders=visible, next=visible[-1].order_id if len(visible) == limit else None)

    @router.get("/sales", summary="Sales by day", dependencies=OPERATORS, responses=responses(401, 403, 422))
    def daily_sales(
        since: Annotated[date | None, Query(description="Only from this day on.")] = None,
        until: Annotated[date | None, Query(description="Only up to this day, itself included.")] = None,
    ) -> list[DailySalesView]:
        query = select(DailySales).order_by(DailySales.day.desc(), DailySales.currency).limit(MOST_DAYS)
        if since is not None:
            query = query.where(DailySales.day >= since)
        if until is not None:
            query = query.where(DailySales.day <= until)
        with database.read() as session:
            return [DailySalesView.model_validate(row) for row in session.scalars(query)]

    @router.post(
        "/projections/rebuild",
        status_code=202,
        summary="Make the slower projections anew from the history",
        dependencies=OPERATORS,
        responses=responses(401, 403),
    )
    def rebuild() -> RebuildView:
        with database.write() as session:
            return RebuildView(orders=projections.rebuild(session, EventStore(session, snapshot_every)))

    @router.get(
        "/projections/audit",
        summary="Replay orders and compare them with their rows",
        description="The last page also adds the sales of all days up again.",
        dependencies=OPERATORS,
        responses=responses(401, 403, 422),
    )
    def audit(after: After = 0, limit: PageSize = 100) -> AuditPage:
        with database.read() as session:
            orders, differences = projections.audit(
                session, EventStore(session, snapshot_every), after=after, limit=limit
            )
            more = orders[-1].number if len(orders) == limit else None
            if more is None:
                differences += projections.audit_sales(session)
            return AuditPage(
                checked=len(orders),
                behind=projections.behind(session),
                differences=[DifferenceView.model_validate(item) for item in differences],
                next=more,
            )

    @router.get(
        "/{order_id}/saga",
        summary="How far an order's checkout has come",
        description="404 for an order that no saga leads, as in the choreographed variant.",
        dependencies=OPERATORS,
        responses=responses(401, 403, 404, 422),
    )
    def get_saga(order_id: IdentifierPath) -> SagaView:
        with database.read() as session:
            saga = session.get(Saga, order_id)
        if saga is None:
            raise UnknownOrder(order_id)
        return SagaView.model_validate(saga)

    return router
