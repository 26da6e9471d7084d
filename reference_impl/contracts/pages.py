"""The pages that the gateway puts together, in OpenAPI. Their parts are views of services, named here as those publish them."""

from __future__ import annotations

from typing import Any

from reference_impl.shared.problems import responses

Document = dict[str, Any]


def _view(name: str) -> Document:
    return {"$ref": f"#/components/schemas/{name}"}


def _views(name: str, text: str) -> Document:
    return {"type": "array", "description": text, "items": _view(name)}


def _page(name: str, summary: str, place: str, title: str, parts: Document) -> Document:
    degraded = {
        "type": "array",
        "description": "The parts that could not be had now; they are left out.",
        "items": {"type": "string", "enum": sorted(parts)},
    }
    schema = {
        "type": "object",
        "title": title,
        "properties": parts | {"degraded": degraded},
        "required": [*parts, "degraded"],
    }
    answer = {"description": "Successful Response", "content": {"application/json": {"schema": schema}}}
    return {
        "operationId": f"{name}_page",
        "summary": summary,
        "description": "Asks several services at once. Without the first part there is no page, and its error is the page's.",
        "tags": ["pages"],
        "parameters": [{"in": "path", "description": place}],
        "responses": {"200": answer} | {str(status): said for status, said in responses(404, 422).items()},
    }


OPERATIONS: dict[str, Document] = {
    "/pages/product/{sku}": _page(
        "product",
        "A product, its stock, and others like it",
        "The product's stock keeping unit.",
        "ProductPage",
        {
            "product": _view("ProductV2"),
            "stock": {"anyOf": [_view("StockView"), {"type": "null"}]},
            "related": _views("ProductV2", "Others of its first category, at most six."),
        },
    ),
    "/pages/order/{id}": _page(
        "order",
        "An order, where its parcels are, and what was bought",
        "The order's id.",
        "OrderPage",
        {
            "order": _view("OrderView"),
            "products": _views("ProductView", "What its lines are about."),
            "shipments": _views("ShipmentView", "Where its parcels are."),
        },
    ),
}
"""By the path in the routing table."""
