"""Questions written in the browser: drafts, review by another instructor, publication, history."""

from portal.features.authoring import editor_routes, exchange_routes, review_routes, routes
from portal.features.authoring.blueprint import blueprint
from portal.features.authoring.publishing import try_to_write_out, write_out

__all__ = [
    "blueprint",
    "editor_routes",
    "exchange_routes",
    "review_routes",
    "routes",
    "try_to_write_out",
    "write_out",
]
