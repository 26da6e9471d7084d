"""What one service reads of an event is in what another service writes, and the AsyncAPI document says both."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from reference_impl.contracts import asyncapi
from reference_impl.shared.schemas import missing_upcasters, version_read_by
from tests.unit.reference_impl.conftest import open_shop

WRITTEN = asyncapi.written()
EMITTED = {kind: model for models in WRITTEN.values() for kind, model in models.items()}
READ = {(service, kind): view for service, views in asyncapi.read().items() for kind, view in views.items()}
DOCUMENT: dict[str, Any] = json.loads(asyncapi.ASYNCAPI.read_text())


def test_no_two_services_emit_the_same_type() -> None:
    assert len(EMITTED) == sum(len(models) for models in WRITTEN.values())


@pytest.mark.parametrize(("service", "kind"), READ)
def test_a_view_names_only_fields_that_are_written(service: str, kind: str) -> None:
    assert kind in EMITTED, f"{service} reads {kind}, which nobody writes"
    payload = EMITTED[kind]
    for name, field in READ[service, kind].model_fields.items():
        assert name in payload.model_fields, f"{service} reads {kind}.{name}, which nobody writes"
        assert field.annotation == payload.model_fields[name].annotation


@pytest.mark.parametrize(("service", "kind"), READ)
def test_a_view_reads_the_version_that_is_written_and_all_before_it(service: str, kind: str) -> None:
    view = READ[service, kind]
    assert version_read_by(view) == EMITTED[kind].version
    assert missing_upcasters(view) == []


STOCK_ONLY = {"InventoryAdjusted"}
"""Events of these services that may be about no order."""


@pytest.mark.parametrize(
    "kind",
    [
        kind
        for service in ("inventory", "order", "payment")
        for kind in WRITTEN[service]
        if kind not in STOCK_ONLY
    ],
)
def test_every_event_of_a_checkout_names_its_order(kind: str) -> None:
    assert EMITTED[kind].model_fields["order_id"].annotation is str


def test_the_checked_in_asyncapi_document_is_that_of_the_code() -> None:
    assert asyncapi.ASYNCAPI.read_text() == asyncapi.asyncapi(), (
        "stale: run `python -m reference_impl asyncapi`"
    )


def references(node: Any) -> Iterator[str]:
    """Every `$ref` below a node."""
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def resolved(reference: str) -> Any:
    node: Any = DOCUMENT
    for part in reference.removeprefix("#/").split("/"):
        node = node[part]
    return node


def test_every_reference_leads_somewhere() -> None:
    found = list(references(DOCUMENT))
    assert len(found) > 50
    for reference in found:
        assert resolved(reference), reference


def test_the_document_has_the_shape_of_asyncapi_3() -> None:
    assert set(DOCUMENT) == {"asyncapi", "info", "defaultContentType", "channels", "operations", "components"}
    assert DOCUMENT["asyncapi"] == "3.0.0"
    assert {"title", "version"} <= set(DOCUMENT["info"])
    for name, channel in DOCUMENT["channels"].items():
        assert channel["address"] == name
        assert channel["messages"]
    for name, operation in DOCUMENT["operations"].items():
        assert operation["action"] in ("send", "receive"), name
        offered = {f"{operation['channel']['$ref']}/messages/{kind}" for kind in resolved_channel(operation)}
        assert {message["$ref"] for message in operation["messages"]} <= offered, name
    for name, message in DOCUMENT["components"]["messages"].items():
        assert message["name"] == name
        assert message["summary"], f"{name} has no docstring"


def resolved_channel(operation: dict[str, Any]) -> list[str]:
    return list(resolved(operation["channel"]["$ref"])["messages"])


def test_every_service_has_an_operation_for_each_topic_it_reads_and_its_own() -> None:
    names = set(DOCUMENT["operations"])
    assert {f"{service}.send" for service in WRITTEN} <= names
    writer = {kind: service for service, models in WRITTEN.items() for kind in models}
    assert {f"{service}.receive.{writer[kind]}" for service, kind in READ} <= names


def validator(kind: str) -> jsonschema.Draft202012Validator:
    schema = {**resolved(f"#/components/messages/{kind}")["payload"], "components": DOCUMENT["components"]}
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("kind", EMITTED)
def test_every_payload_is_a_valid_json_schema(kind: str) -> None:
    jsonschema.Draft202012Validator.check_schema(resolved(f"#/components/schemas/{kind}"))


def test_the_events_of_real_checkouts_are_what_the_document_says(tmp_path: Path) -> None:
    shop = open_shop(data=tmp_path / "data", payment_window=0)
    try:
        shop.stock("A", 3)
        for lines, card in (({"A": 1}, "tok_visa"), ({"A": 1}, "tok_declined"), ({"A": 9}, "tok_visa")):
            shop.place(lines, card)
        shop.settle()
        found = shop.http.get("/events", params={"limit": 500}).json()["events"]
    finally:
        shop.close()
    assert len({event["type"] for event in found}) >= 9
    for event in found:
        validator(event["type"]).validate(event)
        with pytest.raises(jsonschema.ValidationError):
            validator(event["type"]).validate({**event, "version": 99})
