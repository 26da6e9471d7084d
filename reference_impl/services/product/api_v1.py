"""Version 1 of the API: as the first clients know it, and frozen. It ends; see `versions`."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import Field

from reference_impl.services.product.catalogue import Catalogue
from reference_impl.services.product.changes import Changes
from reference_impl.services.product.settings import ProductSettings
from reference_impl.services.product.versions import deprecated
from reference_impl.shared.auth import Principal, needs
from reference_impl.shared.conditional import etag, not_modified
from reference_impl.shared.idempotency import IdempotencyKey, mark
from reference_impl.shared.problems import responses
from reference_impl.shared.types import NOT_NUL, After, Cents, Command, Currency, PageSize, Sku, SkuPath, View


class NewProduct(Command):
    """A product to be added."""

    sku: Sku
    name: Annotated[str, Field(min_length=1, max_length=200, pattern=NOT_NUL)]
    description: Annotated[str, Field(max_length=2000, pattern=NOT_NUL)] = ""
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


def router(prefix: str, catalogue: Catalogue, changes: Changes, settings: ProductSettings) -> APIRouter:
    """The routes of v1 below this prefix."""
    routes = APIRouter(
        prefix=prefix, tags=["products"], dependencies=[Depends(deprecated(settings))], deprecated=True
    )

    @routes.post("", status_code=201, summary="Add a product", responses=responses(401, 403, 409, 413, 422))
    def add_product(
        body: NewProduct,
        response: Response,
        who: Annotated[Principal, Depends(needs("vendor"))],
        idempotency_key: IdempotencyKey = None,
    ) -> ProductView:
        record, replayed = changes.add(who, body, body.model_dump(), idempotency_key)
        mark(response, replayed)
        return ProductView.model_validate(record)

    @routes.get("", summary="List products", responses=responses(422))
    def list_products(
        after: After = 0,
        limit: PageSize = 50,
        skus: Annotated[
            str | None,
            Query(max_length=3500, pattern=NOT_NUL, description="Only these SKUs, separated by commas."),
        ] = None,
    ) -> ProductPage:
        wanted = None if skus is None else skus.split(",")
        found = catalogue.many(after=after, limit=limit, skus=wanted)
        more = found[-1].id if len(found) == limit else None
        return ProductPage(products=[ProductView.model_validate(product) for product in found], next=more)

    @routes.get(
        "/{sku}",
        summary="One product",
        response_model=ProductView,
        responses={304: {"description": "You have it already"}, **responses(404, 422, 503)},
    )
    def get_product(sku: SkuPath, request: Request, response: Response) -> Any:
        record = catalogue.read(sku)
        return not_modified(request, response, etag(record.version, "v1")) or ProductView.model_validate(record)

    return routes
