"""How the product service is built."""

from __future__ import annotations

from collections.abc import Callable

from reference_impl.services.product import api_v1, api_v2
from reference_impl.services.product.catalogue import Catalogue
from reference_impl.services.product.changes import Changes
from reference_impl.services.product.events import ProductPriceChangedView, ProductUpdatedView
from reference_impl.services.product.models import Base
from reference_impl.services.product.settings import ProductSettings
from reference_impl.services.product.versions import AcceptsV2, V2Json
from reference_impl.shared.consumer import Consumer
from reference_impl.shared.database import Database
from reference_impl.shared.events import Event
from reference_impl.shared.idempotency import IdempotencyKeys
from reference_impl.shared.inbox import Inbox
from reference_impl.shared.outbox import Outbox, Relay
from reference_impl.shared.routes import gathered
from reference_impl.shared.runtime import Context, Service

NAME = "product"
OUTBOX = Outbox.on(Base.metadata, NAME)
INBOX = Inbox.on(Base.metadata)
KEYS = IdempotencyKeys.on(Base.metadata)


def build(context: Context) -> Service:
    """The product service on its own database."""
    settings = ProductSettings.of(context.settings)
    database = Database.of(context.settings, NAME, Base.metadata)
    catalogue = Catalogue(database, OUTBOX, context.cache, context.faults, cache_seconds=settings.cache_seconds)
    changes = Changes(database, OUTBOX, KEYS, catalogue)
    routes = gathered(
        # Who accepts v2 is looked at first; `/products` is v1 for everybody else.
        api_v2.router(
            "/products", catalogue, changes, route_class=AcceptsV2, response_class=V2Json, in_schema=False
        ),
        api_v1.router("/products", catalogue, changes, settings),
        api_v1.router("/v1/products", catalogue, changes, settings),
        api_v2.router("/v2/products", catalogue, changes),
        api_v2.category_router(catalogue, changes),
    )
    consumer = Consumer(NAME, _handlers(catalogue), bus=context.bus, database=database, inbox=INBOX)
    return Service(NAME, routes, database, Relay(OUTBOX, database, context.bus), consumer)


def _handlers(catalogue: Catalogue) -> dict[str, Callable[[Event], None]]:
    """The service listens to itself: what died between its commit and its cache is made good by the event.

    Forgetting twice is the same as forgetting once, so these events need no note in the inbox.
    """
    return {
        "ProductUpdated": lambda event: catalogue.forget(event.read(ProductUpdatedView).sku),
        "ProductPriceChanged": lambda event: catalogue.forget(event.read(ProductPriceChangedView).sku),
    }
