"""What the OpenAPI document of a process says of all its operations alike: what the edge answers, and who may call.

A route names the errors that are its own; those that come from around it are the same for all, and are added here::

    400, 413, 422   a body that can't be read, is too large, is not valid
    401, 503        a token that is not believed, or can't be verified now
    503, 504        the database is busy; the time that the caller waits was over
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from reference_impl.shared.auth import visitor
from reference_impl.shared.problems import ProblemDetails, responses

Document = dict[str, Any]

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
BEARER = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "JWT",
    "description": "An access token of the user service (`POST /auth/token`). Without one the caller is from inside, as long "
    "as the network is trusted (`MERIDIAN_TRUST_NETWORK`).",
}
_WITHOUT_DATABASE = {"health", "faults", "metrics"}


def install(app: FastAPI) -> None:
    """Let the application's document be complete; it is made when somebody asks for it."""
    framework = app.openapi

    def complete() -> Document:
        if app.openapi_schema is None:
            _complete(framework(), dict(_asking_who(app)))
        return framework()

    app.openapi = complete  # type: ignore[method-assign]


def operations(document: Document) -> Iterator[tuple[str, str, Document]]:
    """Each operation of a document: path, method, and what is said of it."""
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                yield path, method, item[method]


def _complete(document: Document, asking_who: dict[tuple[str, str], bool]) -> None:
    for path, method, operation in operations(document):
        common = {504}
        if not _WITHOUT_DATABASE.intersection(operation.get("tags", ())):
            common.add(503)
        if "requestBody" in operation:
            common |= {400, 413, 422}
        if operation.get("parameters"):
            common.add(422)
        if asking_who.get((path, method)):
            common |= {401, 503}
            operation["security"] = [{"bearer": []}, {}]
        said = operation["responses"]
        if "HTTPValidationError" in str(said.get("422")):
            del said["422"]  # the framework's guess; ours is a problem
        for status, response in responses(*common).items():
            said.setdefault(str(status), response)
        operation["responses"] = dict(sorted(said.items()))
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas["ProblemDetails"] = ProblemDetails.model_json_schema()
    components["securitySchemes"] = {"bearer": BEARER}


def _asking_who(app: FastAPI) -> Iterator[tuple[tuple[str, str], bool]]:
    """Path and method of each route, and whether it wants to know who calls."""
    for route in app.routes:
        if isinstance(route, APIRoute) and route.include_in_schema:
            asks = any(dependency.call is visitor for dependency in _flat(route.dependant))
            for method in route.methods or ():
                yield (route.path_format, method.lower()), asks


def _flat(dependant: Dependant) -> Iterator[Dependant]:
    for dependency in dependant.dependencies:
        yield dependency
        yield from _flat(dependency)
