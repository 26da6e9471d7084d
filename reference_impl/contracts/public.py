"""The public door in OpenAPI: the gateway's routing table, in the words of the services behind it.

What an operation takes and answers is what its service says. The gateway adds what it does itself: addresses, who may call,
limits, errors of its own. A route that leads to no operation of its service has no document: ValueError.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping
from typing import Any

from reference_impl.contracts import pages
from reference_impl.services.gateway.routing import PLACES, PREFIX, TABLE, Access, Route
from reference_impl.shared.openapi import BEARER, operations
from reference_impl.shared.problems import responses

Document = dict[str, Any]

DESCRIPTION = """The public door of Meridian. Send an access token (`Authorization: Bearer`) or, where it is offered, an API key
(`X-API-Key`), never both. Headers of a request have 16 KiB together at most, bodies 64 KiB. `X-Request-Timeout` shortens
the time that is given to a request, in seconds; `X-Correlation-ID` names it in everything that comes of it."""

SECURITY = {
    "bearer": BEARER | {"description": "An access token, from `POST /api/v1/auth/token`. It lasts minutes."},
    "apiKey": {
        "type": "apiKey",
        "in": "header",
        "name": "X-API-Key",
        "description": "A key that a user made for a program, with the scopes that the operation names.",
    },
}
_NUMBER, _TEXT = {"type": "integer", "minimum": 0}, {"type": "string"}
HEADERS = {
    "X-Correlation-ID": ("The request's name in logs, events and traces.", _TEXT),
    "RateLimit-Limit": ("How many requests the limit allows.", _NUMBER),
    "RateLimit-Remaining": ("How many are left.", _NUMBER),
    "RateLimit-Reset": ("Seconds until there are more.", _NUMBER),
    "RateLimit-Policy": ("The limit, as `300;w=10`: so many in so many seconds.", _TEXT),
    "Retry-After": ("Seconds to wait before the next try.", _NUMBER),
    "Deprecation": ("Since when this version is deprecated (RFC 9745).", _TEXT),
    "Sunset": ("When this version will be gone (RFC 8594).", _TEXT),
    "Link": ("Where its successor is.", _TEXT),
}
_ALWAYS = ("X-Correlation-ID",)
_LIMITS = ("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset", "RateLimit-Policy")
_DEPRECATED = ("Deprecation", "Sunset", "Link")
_OURS_TO_SAY = {"x-forwarded-for"}
_IF_NONE_MATCH = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "description": "The ETag of what you have: 304 while it is still that.",
    "schema": {"type": "string", "maxLength": 500},
}


def document(own: Mapping[str, Any], services: Mapping[str, Any]) -> Document:
    """The gateway's document, of what its process answers itself and of the documents of the services behind it."""
    found: Document = copy.deepcopy(dict(own))
    found["info"] |= {"title": "Meridian", "description": DESCRIPTION.replace("\n", " ")}
    found["info"].pop("summary", None)
    schemas = _schemas([own, *services.values()])
    indexed = {name: _by_shape(service) for name, service in services.items()}
    for route in TABLE:
        path = f"{PREFIX}/{route.version}{route.path}"
        for method in route.methods.lower().split():
            operation = _operation(route, method, indexed)
            found["paths"].setdefault(path, {})[method] = operation
    found["components"] = {
        "securitySchemes": SECURITY,
        "headers": {name: {"description": text, "schema": schema} for name, (text, schema) in HEADERS.items()},
        "schemas": _reachable(found["paths"], schemas),
    }
    return found


def _operation(
    route: Route, method: str, services: Mapping[str, Mapping[tuple[str, str], Document]]
) -> Document:
    asked = "get" if method == "head" else method
    if route.service == "gateway":
        said = copy.deepcopy(pages.OPERATIONS[route.path])
    else:
        key = asked, _shape(route.target + route.path)
        if key not in services[route.service]:
            raise ValueError(f"{route.methods} {route.path} leads to no operation of {route.service}")
        said = copy.deepcopy(services[route.service][key])
    said["operationId"] = f"{said['operationId']}_{route.version}{'_head' if method == 'head' else ''}"
    said["description"] = " ".join(filter(None, [said.get("description"), _who_may(route)]))
    said["parameters"] = [*_places(route, said), *_passed(said)]
    said["security"] = _security(route)
    said["responses"] = dict(sorted((said["responses"] | _own_answers(route, said)).items()))
    for status, answer in said["responses"].items():
        names = _headers(status, deprecated=bool(said.get("deprecated")))
        answer["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in names}
    if method == "head":
        said["summary"] += ", its headers only"
        for answer in said["responses"].values():
            answer.pop("content", None)
    return said


def _who_may(route: Route) -> str:
    if route.access is Access.PUBLIC:
        return "For everybody."
    roles = f" with the role {' or '.join(route.roles)}, or an admin" if route.roles else ""
    key = f"; an API key needs the scope {route.scope}." if route.scope else "; not for API keys."
    return f"For a user{roles}{key}"


def _security(route: Route) -> list[Document]:
    if route.access is Access.PUBLIC:
        return [{}, {"bearer": []}, {"apiKey": []}]
    keys = [{"apiKey": [route.scope]}] if route.scope else []
    return [{"bearer": list(route.roles)}, *keys]


def _own_answers(route: Route, said: Document) -> Document:
    """What the gateway may answer in place of the service."""
    statuses = {400, 401, 429, 431, 502, 503, 504}
    if route.access is not Access.PUBLIC:
        statuses.add(403)
    if "{" in route.path:
        statuses.add(404)
    if "requestBody" in said:
        statuses |= {408, 413}
    return {
        str(status): said["responses"].get(str(status), answer)
        for status, answer in responses(*statuses).items()
    }


def _places(route: Route, said: Document) -> list[Document]:
    """The parameters in the path, under the gateway's names and patterns."""
    texts = [item.get("description", "") for item in said.get("parameters", []) if item["in"] == "path"]
    return [
        {
            "name": place.strip("{}"),
            "in": "path",
            "required": True,
            "description": text,
            "schema": {"type": "string", "pattern": f"^{PLACES[place]}$"},
        }
        for place, text in zip(re.findall(r"\{\w+\}", route.path), texts, strict=True)
    ]


def _passed(said: Document) -> list[Document]:
    passed = [
        item
        for item in said.get("parameters", [])
        if item["in"] != "path" and item["name"].lower() not in _OURS_TO_SAY
    ]
    return [*passed, _IF_NONE_MATCH] if "304" in said["responses"] else passed


def _headers(status: str, *, deprecated: bool) -> list[str]:
    well = status < "400"
    names = [*_ALWAYS, *(_LIMITS if well or status == "429" else ())]
    names += ["Retry-After"] if status in ("429", "503") else []
    return names + (list(_DEPRECATED) if well and deprecated else [])


def _by_shape(service: Mapping[str, Any]) -> dict[tuple[str, str], Document]:
    """The operations of a service by method and path, the names of placeholders left out; ids without the path."""
    found = {}
    for path, method, operation in operations(dict(service)):
        ending = f"{re.sub(r'[^a-zA-Z0-9_]', '_', path)}_{method}"
        found[method, _shape(path)] = operation | {"operationId": operation["operationId"].removesuffix(ending)}
    return found


def _shape(path: str) -> str:
    return re.sub(r"\{\w+\}", "{}", path)


def _schemas(documents: list[Mapping[str, Any]]) -> Document:
    """The schemas of all services together. Raises ValueError when two mean different things by one name."""
    found: Document = {}
    for item in documents:
        for name, schema in item["components"]["schemas"].items():
            if found.setdefault(name, schema) != schema:
                raise ValueError(f"two services publish different schemas under the name {name}: rename one")
    return found


def _reachable(paths: Document, schemas: Document) -> Document:
    """Those of the schemas that the paths mention, and what these mention in turn."""
    names, waiting = set(), list(_mentioned(paths))
    while waiting:
        name = waiting.pop()
        if name not in names:
            names.add(name)
            waiting += _mentioned(schemas[name])
    return {name: schemas[name] for name in sorted(names)}


def _mentioned(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        reference = value.get("$ref")
        if isinstance(reference, str) and reference.startswith("#/components/schemas/"):
            yield reference.rpartition("/")[2]
        for item in value.values():
            yield from _mentioned(item)
    elif isinstance(value, list):
        for item in value:
            yield from _mentioned(item)
