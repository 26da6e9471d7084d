"""Version 2 of the API: money as an object, categories inside, search, filters and cursors, changes that compare."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from pydantic import Field

from reference_impl.services.product import cursors, search
from reference_impl.services.product.catalogue import Catalogue, Sort, Wanted
from reference_impl.services.product.changes import Changes
from reference_impl.services.product.records import CategoryRecord, ProductRecord
from reference_impl.services.product.service import NewRow
from reference_impl.services.product.versions import current
from reference_impl.shared.auth import Principal, needs
from reference_impl.shared.conditional import IfMatch, etag, expected_version, not_modified
from reference_impl.shared.idempotency import IdempotencyKey, mark
from reference_impl.shared.problems import responses
from reference_impl.shared.types import (
    MOST_CENTS,
    NOT_NUL,
    Command,
    Currency,
    PageSize,
    Sku,
    SkuPath,
    View,
    each_sku_once,
)

TAG = "v2"
SLUG = r"^[a-z0-9][a-z0-9-]{0,39}$"
Slug = Annotated[str, Field(pattern=SLUG)]
Title = Annotated[str, Field(min_length=1, max_length=200, pattern=NOT_NUL)]
Description = Annotated[str, Field(max_length=2000, pattern=NOT_NUL)]
Slugs = Annotated[list[Slug], Field(max_length=10)]
Seller = Annotated[Principal, Depends(needs("vendor"))]


class Money(View):
    """An amount with its currency. Text, because a binary fraction is no amount of money."""

    amount: Annotated[str, Field(pattern=r"^(0|[1-9][0-9]{0,9})\.[0-9]{2}$", examples=["49.00"])]
    currency: Currency

    @classmethod
    def of(cls, cents: int, currency: str) -> Money:
        """So many hundredths."""
        return cls(amount=f"{cents // 100}.{cents % 100:02}", currency=currency)

    @property
    def cents(self) -> int:
        """In hundredths."""
        whole, _, hundredths = self.amount.partition(".")
        return int(whole) * 100 + int(hundredths)


class NewProductV2(Command):
    """A product to be added."""

    sku: Sku
    title: Title
    description: Description = ""
    price: Money
    categories: Slugs = Field(default_factory=list)
    vendor_id: Annotated[
        str | None, Field(max_length=64, pattern=NOT_NUL, description="Whose it is; a vendor's own without.")
    ] = None


class Batch(Command):
    """Products to be added; those whose SKU is taken are left as they are."""

    products: Annotated[
        list[NewProductV2],
        Field(min_length=1, max_length=200),
        each_sku_once("two products have the same SKU"),
    ]


class BatchAdded(View):
    """What a batch came to."""

    added: Annotated[list[str], Field(description="The SKUs that are new; the others were there.")]


class ProductPatch(Command):
    """What shall be different; what is not named stays."""

    title: Title | None = None
    description: Description | None = None
    price: Money | None = None
    categories: Slugs | None = None


class CategoryV2(View):
    """Where a product is filed."""

    slug: str
    name: str
    path: Annotated[str, Field(description="The slugs from the root, `/kitchen/kettles/`.")]


class NewCategory(Command):
    """A category to be added."""

    slug: Slug
    name: Annotated[str, Field(min_length=1, max_length=80, pattern=NOT_NUL)]
    parent: Slug | None = None


class CategoryTree(View):
    """A category and what is below it."""

    slug: str
    name: str
    children: list[CategoryTree]


class ProductV2(View):
    """A product as others see it."""

    sku: str
    title: str
    description: str
    price: Money
    categories: list[CategoryV2]
    vendor_id: str | None
    version: int
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, record: ProductRecord) -> ProductV2:
        """A record in the words of v2."""
        return cls(
            sku=record.sku,
            title=record.name,
            description=record.description,
            price=Money.of(record.unit_price_cents, record.currency),
            categories=[CategoryV2.model_validate(category) for category in record.categories],
            vendor_id=record.vendor_id,
            version=record.version,
            created_at=record.created_at,
            updated_at=record.updated_at,
        )


class ProductPageV2(View):
    """Some products, and where to go on."""

    items: list[ProductV2]
    next: Annotated[str | None, Field(description="Pass it as `cursor`; null when this is the last page.")]


def router(
    prefix: str,
    catalogue: Catalogue,
    changes: Changes,
    *,
    route_class: type[APIRoute] = APIRoute,
    response_class: type[JSONResponse] = JSONResponse,
    in_schema: bool = True,
) -> APIRouter:
    """The routes of v2 below this prefix."""
    routes = APIRouter(
        prefix=prefix,
        tags=["products"],
        dependencies=[Depends(current)],
        route_class=route_class,
        default_response_class=response_class,
        include_in_schema=in_schema,
    )

    @routes.post("", status_code=201, summary="Add a product", responses=responses(401, 403, 409, 413, 422))
    def add_product(
        body: NewProductV2, response: Response, who: Seller, idempotency_key: IdempotencyKey = None
    ) -> ProductV2:
        values = {
            "sku": body.sku,
            "name": body.title,
            "description": body.description,
            "unit_price_cents": body.price.cents,
            "currency": body.price.currency,
            "categories": body.categories,
            "vendor_id": body.vendor_id,
        }
        record, replayed = changes.add(who, body, values, idempotency_key)
        mark(response, replayed)
        response.headers["ETag"] = etag(record.version, TAG)
        return ProductV2.of(record)

    @routes.post(
        "/batch",
        summary="Add many products",
        description="Adds those whose SKU is not taken, all of them or none. Sent twice is the same as once.",
        responses=responses(401, 403, 413, 422),
    )
    def add_products(body: Batch, _who: Annotated[Principal, Depends(needs("admin"))]) -> BatchAdded:
        rows = [
            NewRow(
                sku=product.sku,
                name=product.title,
                description=product.description,
                unit_price_cents=product.price.cents,
                currency=product.price.currency,
                categories=product.categories,
                vendor_id=product.vendor_id,
            )
            for product in body.products
        ]
        return BatchAdded(added=changes.add_missing(rows))

    @routes.get("", summary="Search and list products", responses=responses(422, 503))
    def list_products(
        q: Annotated[
            str | None,
            Query(
                max_length=search.LONGEST,
                pattern=NOT_NUL,
                description='Words; `or`, `-word` and `"a phrase"` mean what they look like.',
            ),
        ] = None,
        category: Annotated[str | None, Query(pattern=SLUG, description="Filed there or below.")] = None,
        vendor: Annotated[
            str | None, Query(max_length=64, pattern=NOT_NUL, description="Only this vendor's.")
        ] = None,
        min_price_cents: Annotated[
            int | None, Query(ge=0, le=MOST_CENTS, description="Only from this price on, in cents.")
        ] = None,
        max_price_cents: Annotated[
            int | None, Query(ge=0, le=MOST_CENTS, description="Only up to this price, in cents.")
        ] = None,
        currency: Annotated[Currency | None, Query(description="Only prices in this currency.")] = None,
        sort: Annotated[
            Sort | None, Query(description="By relevance to `q`, else the oldest first, without it.")
        ] = None,
        limit: PageSize = 50,
        cursor: Annotated[
            str | None,
            Query(max_length=cursors.LONGEST, pattern=NOT_NUL, description="`next` of the page before."),
        ] = None,
    ) -> ProductPageV2:
        wanted = Wanted(q, category, vendor, min_price_cents, max_price_cents, currency, sort)
        records, more = catalogue.find(wanted, limit=limit, cursor=cursor)
        return ProductPageV2(items=[ProductV2.of(record) for record in records], next=more)

    @routes.get(
        "/{sku}",
        summary="One product",
        response_model=ProductV2,
        responses={304: {"description": "You have it already"}, **responses(404, 422, 503)},
    )
    def get_product(sku: SkuPath, request: Request, response: Response) -> Any:
        record = catalogue.read(sku)
        return not_modified(request, response, etag(record.version, TAG)) or ProductV2.of(record)

    @routes.patch("/{sku}", summary="Change a product", responses=responses(401, 403, 404, 412, 413, 422, 428))
    def change_product(
        sku: SkuPath, body: ProductPatch, response: Response, who: Seller, if_match: IfMatch = None
    ) -> ProductV2:
        values: dict[str, Any] = {}
        if body.title is not None:
            values["name"] = body.title
        if body.description is not None:
            values["description"] = body.description
        if body.price is not None:
            values |= {"unit_price_cents": body.price.cents, "currency": body.price.currency}
        record = changes.update(who, sku, expected_version(if_match, TAG), values, body.categories)
        response.headers["ETag"] = etag(record.version, TAG)
        return ProductV2.of(record)

    @routes.delete(
        "/{sku}", status_code=204, summary="Retire a product", responses=responses(401, 403, 404, 412, 422, 428)
    )
    def retire_product(sku: SkuPath, who: Seller, if_match: IfMatch = None) -> None:
        changes.retire(who, sku, expected_version(if_match, TAG))

    return routes


def category_router(catalogue: Catalogue, changes: Changes) -> APIRouter:
    """The tree of categories; v1 knows none."""
    routes = APIRouter(prefix="/v2/categories", tags=["products"], dependencies=[Depends(current)])

    @routes.get("", summary="The tree of categories")
    def list_categories() -> list[CategoryTree]:
        return _trees(catalogue.categories())

    @routes.post("", status_code=201, summary="Add a category", responses=responses(401, 403, 409, 413, 422))
    def add_category(body: NewCategory, _who: Annotated[Principal, Depends(needs("admin"))]) -> CategoryV2:
        return CategoryV2.model_validate(changes.add_category(**body.model_dump()))

    return routes


def _trees(categories: list[CategoryRecord]) -> list[CategoryTree]:
    """Parents come before their children, as `all_categories` has them."""
    roots: list[CategoryTree] = []
    by_path: dict[str, CategoryTree] = {}
    for category in categories:
        tree = by_path[category.path] = CategoryTree(slug=category.slug, name=category.name, children=[])
        above = by_path.get(category.path[: -len(category.slug) - 1])
        (above.children if above else roots).append(tree)
    return roots
