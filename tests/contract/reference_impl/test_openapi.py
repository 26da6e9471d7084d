"""The published contracts are what the code does, and say enough to use it."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from openapi_spec_validator import OpenAPIV31SpecValidator

from reference_impl.cli import main
from reference_impl.contracts import openapi as contract
from reference_impl.contracts import pages, public
from reference_impl.services.gateway.pages import PAGES
from reference_impl.services.gateway.routing import PREFIX, TABLE, Route
from reference_impl.shared.openapi import operations
from tests.unit.reference_impl.conftest import open_shop

SERVICES = contract.services()
EVENTS = "/events"
"""The log of all events: only the monolith has it."""
OPEN = ("/health", "/faults", "/metrics", "/dead-letters", EVENTS)


@functools.cache
def document(service: str) -> dict[str, Any]:
    """What is checked in."""
    found: dict[str, Any] = json.loads(contract.path(service).read_text())
    return found


def described() -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Each operation of each document with its name, and the document."""
    for service in SERVICES:
        for path, method, operation in operations(document(service)):
            yield f"{service}: {method} {path}", operation, document(service)


def resolved(said: Any, of: dict[str, Any]) -> Any:
    """What a reference within a document leads to."""
    while isinstance(said, dict) and "$ref" in said:
        found: Any = of
        for word in said["$ref"].removeprefix("#/").split("/"):
            found = found[word]
        said = found
    return said


def test_the_checked_in_documents_are_those_of_the_code() -> None:
    made = contract.documents()
    assert {file.stem for file in contract.OPENAPI.iterdir()} == set(made), "a document too many, or too few"
    for service, said in made.items():
        assert contract.path(service).read_text() == contract.text(said), (
            f"{service} is stale: run `python -m reference_impl openapi`"
        )


@pytest.mark.parametrize("service", SERVICES)
def test_a_document_is_valid(service: str) -> None:
    assert document(service)["openapi"].startswith("3.1")
    assert [error.message for error in OpenAPIV31SpecValidator(document(service)).iter_errors()] == []


def test_every_route_of_every_service_is_in_a_document(tmp_path: Path) -> None:
    shop = open_shop(data=tmp_path / "shop")
    app = shop.built.app
    shop.close()
    inside = {
        (path, method)
        for service in SERVICES
        for path, method, _ in operations(document(service))
        if not path.startswith(PREFIX + "/")
    }
    running = {(path, method) for path, method, _ in operations(app.openapi()) if not path.startswith(EVENTS)}
    assert inside == running
    hidden = {
        getattr(route, "path", "") for route in app.routes if not getattr(route, "include_in_schema", True)
    }
    # The framework's own, the gateway's proxy, and v2 under the address of v1 for who accepts it.
    assert hidden <= {
        "/openapi.json",
        f"{PREFIX}/{{path:path}}",
        "/products",
        "/products/batch",
        "/products/{sku}",
    }


def test_every_public_route_is_in_the_gateways_document() -> None:
    public_paths = {
        (path, method) for path, method, _ in operations(document("gateway")) if path.startswith(PREFIX + "/")
    }
    table = {
        (f"{PREFIX}/{route.version}{route.path}", method)
        for route in TABLE
        for method in route.methods.lower().split()
    }
    assert public_paths == table
    assert {path.split("/")[2] for path in pages.OPERATIONS} == set(PAGES)


def test_a_public_route_that_leads_nowhere_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(public, "TABLE", (Route("GET", "/no-such-thing", "order", ""),))
    documents = {name: document(name) for name in SERVICES}
    with pytest.raises(ValueError, match="leads to no operation of order"):
        public.document(documents.pop("gateway"), documents)


def test_two_schemas_of_one_name_are_noticed() -> None:
    one = {"components": {"schemas": {"Line": {"type": "object"}}}}
    other = {"components": {"schemas": {"Line": {"type": "string"}}}}
    with pytest.raises(ValueError, match="Line"):
        public._schemas([one, other])


def test_operation_ids_are_unique() -> None:
    for service in SERVICES:
        ids = [operation["operationId"] for _, _, operation in operations(document(service))]
        assert len(ids) == len(set(ids)), service


def test_every_operation_says_what_it_does_and_how_it_fails() -> None:
    for name, operation, of in described():
        assert operation["summary"], name
        assert operation["tags"], name
        errors = {
            status: resolved(answer, of)
            for status, answer in operation["responses"].items()
            if status.startswith(("4", "5"))
        }
        wanted = {"504"} | ({"422"} if "requestBody" in operation else set())
        assert wanted <= set(errors), name
        for status, answer in errors.items():
            if name.endswith("/health/readiness") or " head " in name:
                continue
            assert set(answer["content"]) == {"application/problem+json"}, f"{name} {status}"


def test_every_parameter_in_an_address_is_explained() -> None:
    for name, operation, of in described():
        for item in operation.get("parameters", []):
            said = resolved(item, of)
            assert said.get("description") or said["schema"].get("description"), f"{name} {said['name']}"


def test_the_public_door_says_who_may_enter_and_how_often() -> None:
    of = document("gateway")
    for path, method, operation in operations(of):
        if not path.startswith(PREFIX + "/"):
            continue
        name = f"{method} {path}"
        assert {"401", "429", "502", "503", "504"} <= set(operation["responses"]), name
        assert operation["security"], name
        assert {} in operation["security"] or "403" in operation["responses"], name
        well = next(answer for status, answer in operation["responses"].items() if status < "400")
        assert "RateLimit-Remaining" in resolved(well, of)["headers"], name
        limited = resolved(operation["responses"]["429"], of)["headers"]
        assert "Retry-After" in limited, name
        assert ("Sunset" in resolved(well, of)["headers"]) == bool(operation.get("deprecated")), name


def texts(
    schema: Any, of: dict[str, Any], seen: frozenset[str] = frozenset()
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema of a text in what comes in, with where it stands."""
    reference = schema.get("$ref", "")
    if reference in seen:
        return
    schema, seen = resolved(schema, of), seen | {reference} if reference else seen
    if schema.get("type") == "string":
        yield reference, schema
    inner = [*schema.get("properties", {}).items()]
    inner += [(key, item) for key in ("anyOf", "oneOf", "allOf") for item in schema.get(key, [])]
    inner += [("items", schema["items"])] if "items" in schema else []
    for key, item in inner:
        for where, text in texts(item, of, seen):
            yield f"{reference} {key} {where}", text


def coming_in() -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Every schema that a request is held against, with where it stands and its document."""
    for name, operation, of in described():
        for item in operation.get("parameters", []):
            yield f"{name} {item['in']} {item['name']}", item["schema"], of
        for content in operation.get("requestBody", {}).get("content", {}).values():
            yield f"{name} body", content["schema"], of


def test_everything_that_comes_in_is_bounded() -> None:
    for name, schema, of in coming_in():
        for variant in schema.get("anyOf", [schema]):
            if variant.get("type") == "integer":
                assert "maximum" in variant, name
        for where, text in texts(schema, of):
            bounded = {"enum", "const", "maxLength", "pattern"} & set(text)
            assert bounded or text.get("format") in ("date", "date-time", "time"), f"{name} {where}"


def test_no_text_that_comes_in_may_hold_a_nul() -> None:
    """PostgreSQL stores none, so that one that got through would be a 500."""
    for name, schema, of in coming_in():
        if " header " in name:
            continue  # no server lets one through
        for where, text in texts(schema, of):
            # Passwords and tokens are never stored, only what is computed from them.
            apart = {"enum", "const"} & set(text) or text.get("format") in (
                "date",
                "date-time",
                "time",
                "password",
            )
            assert apart or not re.search(text.get("pattern", ""), "a\0b"), f"{name} {where}"


def test_the_command_writes_and_checks_one_document_or_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contract, "OPENAPI", tmp_path / "openapi")
    stale = CliRunner().invoke(main, ["openapi", "payment", "--check"])
    assert (stale.exit_code, "payment.json is stale" in stale.output) == (1, True), stale.output
    assert CliRunner().invoke(main, ["openapi", "payment"]).exit_code == 0
    assert [file.name for file in (tmp_path / "openapi").iterdir()] == ["payment.json"]
    assert CliRunner().invoke(main, ["openapi", "payment", "--check"]).exit_code == 0
    unknown = CliRunner().invoke(main, ["openapi", "payments"])
    assert unknown.exit_code == 2
    assert "there is no service payments" in unknown.output
