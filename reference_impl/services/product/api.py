"""The product service over HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import Field

from reference_impl.services.product.models import Base
from reference_impl.services.product.service import ProductService
from reference_impl.shared.database import Database
from reference_impl.shared.idempotency import IdempotencyKey, IdempotencyKeys, mark
from reference_impl.shared.problems import responses
from reference_impl.shared.runtime import Context, Service
from reference_impl.shared.types import After, Cents, Command, Currency, PageSize, Sku, SkuPath, View

KEYS = IdempotencyKeys.on(Base.metadata)


class NewProduct(Command):
    """A product to be added."""

    sku: Sku
    name: Annotated[str, Field(min_length=1, max_length=200)]
    description: Annotated[str, Field(max_length=2000)] = ""
    unit_price_cents: Cents
    currency: Currency = "USD"


class ProductView(View):
    """A product as others see it."""

    sku: str
    name: str
    description: str
    unit_price_cents: int
    currency: str


class ProductPage(View):
    """Some products, and where to go on."""

    products: list[ProductView]
    next: Annotated[int | None, Field(description="Pass it as `after`; null when this is the last page.")]


def build(context: Context) -> Service:
    """The product service on its own database."""
    database = Database.of(context.settings, "product", Base.metadata)
    routes = APIRouter(prefix="/products", tags=["products"])

    @routes.post("", status_code=201, summary="Add a product", responses=responses(409, 413, 422))
    def add_product(
        body: NewProduct, response: Response, idempotency_key: IdempotencyKey = None
    ) -> ProductView:
        with database.write() as session:
            view, replayed = KEYS.once(
                session,
                scope="POST /products",
                key=idempotency_key,
                request=body,
                answer=ProductView,
                act=lambda: ProductView.model_validate(ProductService(session).add(**body.model_dump())),
            )
        mark(response, replayed)
        return view

    @routes.get("", summary="List products", responses=responses(422))
    def list_products(
        after: After = 0,
        limit: PageSize = 50,
        skus: Annotated[
            str | None, Query(max_length=3500, description="Only these SKUs, separated by commas.")
        ] = None,
    ) -> ProductPage:
        wanted = None if skus is None else skus.split(",")
        with database.read() as session:
            found = ProductService(session).page(after=after, limit=limit, skus=wanted)
        more = found[-1].id if len(found) == limit else None
        return ProductPage(products=[ProductView.model_validate(product) for product in found], next=more)

    @routes.get("/{sku}", summary="One product", responses=responses(404, 422))
    def get_product(sku: SkuPath) -> ProductView:
        with database.read() as session:
            return ProductView.model_validate(ProductService(session).get(sku))

    return Service("product", routes, database)
