"""How the order service is put together."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from reference_impl.services.order import api, partitions, projections, reports
from reference_impl.services.order.catalogue import HttpCatalogue
from reference_impl.services.order.history.store import EventStore
from reference_impl.services.order.models import Base
from reference_impl.services.order.saga import Checkout, Terms, checkout
from reference_impl.services.order.settings import OrderSettings
from reference_impl.shared.consumer import Consumer
from reference_impl.shared.database import Database
from reference_impl.shared.events import Event
from reference_impl.shared.inbox import Inbox
from reference_impl.shared.outbox import Outbox, Relay
from reference_impl.shared.routes import gathered
from reference_impl.shared.runtime import Chore, Context, Service
from reference_impl.shared.settings import Compensation, Settings

NAME = "order"
OVERDUE_EVERY_SECONDS = 0.5
PROJECT_EVERY_SECONDS = 1.0
PARTITIONS_EVERY_SECONDS = 3600.0
LANES = 3
"""Orders that are led on at once."""
QUIET = timedelta(seconds=1)
"""An order that moved within this time is left to its checkout; the slower projections take it later."""
OUTBOX = Outbox.on(Base.metadata, NAME)
INBOX = Inbox.on(Base.metadata)


def build(context: Context) -> Service:
    """The order service on its own database."""
    settings = OrderSettings.of(context.settings)
    database = Database.of(context.settings, NAME, Base.metadata)
    partitions.make_ahead(database)
    leading = checkout(context.settings.saga, _terms(context.settings, settings), OUTBOX)
    handlers = _handlers(context, leading, database)
    consumer = Consumer(NAME, handlers, bus=context.bus, database=database, inbox=INBOX, lanes=LANES)
    routes = gathered(
        reports.routes(database, settings.snapshot_every),
        api.routes(database, leading, HttpCatalogue(context.peers), context.faults),
    )

    def overdue() -> None:
        with database.write() as session:
            leading.overdue(session)

    def project() -> None:
        full = True
        while full and not context.stopping.is_set():
            with database.write() as session:
                store = EventStore(session, settings.snapshot_every)
                full = projections.catch_up(session, store, QUIET) == projections.AT_ONCE

    return Service(
        NAME,
        routes,
        database,
        Relay(OUTBOX, database, context.bus),
        consumer,
        chores=(
            Chore("overdue", OVERDUE_EVERY_SECONDS, overdue),
            Chore("projections", PROJECT_EVERY_SECONDS, project),
            Chore("partitions", PARTITIONS_EVERY_SECONDS, lambda: partitions.make_ahead(database)),
        ),
    )


def _terms(platform: Settings, own: OrderSettings) -> Terms:
    builtin = platform.compensation is Compensation.BUILTIN
    return Terms(
        payment_window=timedelta(seconds=platform.payment_window) if builtin else None,
        pending_timeout=timedelta(seconds=platform.pending_timeout),
        step_timeout=timedelta(seconds=own.step_timeout),
        step_tries=own.step_tries,
        shipping=platform.shipping,
        snapshot_every=own.snapshot_every,
    )


def _handlers(context: Context, leading: Checkout, database: Database) -> dict[str, Callable[[Event], None]]:
    def lag() -> None:
        context.faults.delay("order.lag", context.stopping)

    def alone() -> bool:
        return context.faults.value("order.lag") > 0

    return {
        name: INBOX.once(database, effect, lag=lag, alone=alone) for name, effect in leading.replies().items()
    }
