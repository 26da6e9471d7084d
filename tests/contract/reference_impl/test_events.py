"""What one service reads of an event is in what another service writes."""

from __future__ import annotations

import importlib
import inspect

import pytest
from pydantic import BaseModel

from reference_impl.shared.events import Payload, Reading

SERVICES = ("user", "product", "inventory", "order", "payment", "shipping", "notification")


def declared(base: type[BaseModel]) -> dict[tuple[str, str], type[BaseModel]]:
    """(service, class name) → class, of all that the services' `events.py` declare."""
    found = {}
    for service in SERVICES:
        module = importlib.import_module(f"reference_impl.services.{service}.events")
        for name, value in inspect.getmembers(module, inspect.isclass):
            if issubclass(value, base) and value.__module__ == module.__name__:
                found[service, name] = value
    return found


EMITTED = {name: model for (_, name), model in declared(Payload).items()}
READ = declared(Reading)


def test_no_two_services_emit_the_same_type() -> None:
    assert len(EMITTED) == len(declared(Payload))


@pytest.mark.parametrize(("service", "view"), READ)
def test_a_view_names_only_fields_that_are_written(service: str, view: str) -> None:
    payload = EMITTED[view.removesuffix("View")]
    for name, field in READ[service, view].model_fields.items():
        assert name in payload.model_fields, f"{service} reads {view}.{name}, which nobody writes"
        assert field.annotation == payload.model_fields[name].annotation


@pytest.mark.parametrize("name", EMITTED)
def test_every_payload_names_what_it_is_about(name: str) -> None:
    """Its order; or what has no order: its user, its product."""
    about = {"order_id", "user_id", "sku"} & set(EMITTED[name].model_fields)
    assert about
    assert all(EMITTED[name].model_fields[field].annotation is str for field in about)
