"""The AsyncAPI document of all events: who writes which on which topic, who reads them, and what they look like.

It is generated from what each service declares in its `events` module: `Payload` classes are what it writes, `<Type>View`
classes what it reads.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from reference_impl.shared.events import Event, Payload, Reading
from reference_impl.shared.schemas import declared, type_read_by, version_read_by
from reference_impl.topologies import registry

ASYNCAPI = Path(__file__).parent / "asyncapi.json"
VERSION = "3.0.0"
PREFIX = "meridian."
Document = dict[str, Any]


def asyncapi() -> str:
    """The AsyncAPI document of the code, as the text that is checked in."""
    return json.dumps(document(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def written() -> dict[str, dict[str, type[Payload]]]:
    """service → type → payload, of all that is written."""
    return _declared(Payload)


def read() -> dict[str, dict[str, type[Reading]]]:
    """service → type → view, of all that is read."""
    return {
        service: {type_read_by(view): view for view in views.values()}
        for service, views in _declared(Reading).items()
    }


def document() -> Document:
    """The AsyncAPI document of the code."""
    payloads = {
        kind: (service, model) for service, models in written().items() for kind, model in models.items()
    }
    schemas = _schemas([Event, *(model for _, model in payloads.values())])
    return {
        "asyncapi": VERSION,
        "info": {
            "title": "Meridian's events",
            "version": "1.0.0",
            "description": "Each event is delivered at least once to every group that reads it; those of one key usually in "
            "order. The version of a payload goes up when a field is removed or changes its meaning.",
        },
        "defaultContentType": "application/json",
        "channels": {_channel(service): _describe(service, models) for service, models in written().items()},
        "operations": _operations({kind: service for kind, (service, _) in payloads.items()}),
        "components": {
            "messages": {kind: _message(kind, model) for kind, (_, model) in payloads.items()},
            "schemas": schemas,
        },
    }


def _declared(base: type[Any]) -> dict[str, dict[str, type[Any]]]:
    found = {}
    for entry in registry.entries():
        name = f"{registry.PACKAGE}.{entry.name}.events"
        if importlib.util.find_spec(name) is not None:
            classes = declared(importlib.import_module(name), base)
            if classes:
                found[entry.name] = classes
    return found


def _channel(service: str) -> str:
    return f"{PREFIX}{service}"


def _describe(service: str, models: dict[str, type[Payload]]) -> Document:
    return {
        "address": _channel(service),
        "title": f"What the {service} service writes",
        "messages": {kind: {"$ref": f"#/components/messages/{kind}"} for kind in models},
        "bindings": {"kafka": {"topic": _channel(service), "bindingVersion": "0.5.0"}},
    }


def _operations(writers: dict[str, str]) -> Document:
    operations: Document = {}
    for service, models in written().items():
        operations[f"{service}.send"] = _operation("send", service, service, sorted(models))
    for service, views in read().items():
        for source in sorted({writers[kind] for kind in views if kind in writers}):
            kinds = sorted(kind for kind in views if writers.get(kind) == source)
            operation = _operation("receive", service, source, kinds)
            operation["bindings"] = {
                "kafka": {"groupId": {"type": "string", "const": service}, "bindingVersion": "0.5.0"}
            }
            older = {kind: version_read_by(views[kind]) for kind in kinds}
            operation["description"] = "Reads " + ", ".join(f"{kind} {older[kind]}" for kind in kinds) + "."
            operations[f"{service}.receive.{source}"] = operation
    return operations


def _operation(action: str, service: str, source: str, kinds: list[str]) -> Document:
    channel = f"#/channels/{_channel(source)}"
    return {
        "action": action,
        "title": f"{service} {'writes' if action == 'send' else 'reads'} {_channel(source)}",
        "channel": {"$ref": channel},
        "messages": [{"$ref": f"{channel}/messages/{kind}"} for kind in kinds],
    }


def _message(kind: str, model: type[Payload]) -> Document:
    fields = {
        "type": {"const": kind},
        "version": {"const": model.version},
        "payload": {"$ref": f"#/components/schemas/{kind}"},
    }
    return {
        "name": kind,
        "title": kind,
        "summary": (inspect.getdoc(model) or "").split("\n\n")[0].replace("\n", " "),
        "contentType": "application/json",
        "payload": {"allOf": [{"$ref": "#/components/schemas/Event"}, {"properties": fields}]},
        "bindings": {"kafka": {"key": {"type": "string"}, "bindingVersion": "0.5.0"}},
    }


def _schemas(models: list[type[BaseModel]]) -> Document:
    _, schema = models_json_schema(
        [(model, "serialization") for model in models], ref_template="#/components/schemas/{model}"
    )
    found: Document = schema["$defs"]
    return found
