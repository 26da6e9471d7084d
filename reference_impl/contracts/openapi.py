"""The OpenAPI documents, one for each service, as a service alone serves it; the gateway's describes the public door."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from reference_impl.contracts import public
from reference_impl.services.gateway.api import NAME as GATEWAY
from reference_impl.services.gateway.routing import PREFIX
from reference_impl.shared.buses.in_process import InProcessBus
from reference_impl.shared.openapi import operations
from reference_impl.shared.problems import MEDIA_TYPE
from reference_impl.shared.settings import Settings
from reference_impl.topologies import registry, single

OPENAPI = Path(__file__).parent / "openapi"
Document = dict[str, Any]


def services() -> list[str]:
    """The services that have a document."""
    return [entry.name for entry in registry.entries()]


def path(service: str) -> Path:
    """Where the document of a service is checked in."""
    return OPENAPI / f"{service}.json"


def openapi(service: str) -> str:
    """The document of one service, as the text that is checked in. Raises KeyError for an unknown one."""
    return text(documents(service)[service])


def text(document: Document) -> str:
    """A document as it is checked in: sorted, so that a difference is one of meaning."""
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def documents(*names: str) -> dict[str, Document]:
    """The documents of these services, or of all. Raises KeyError for an unknown one."""
    wanted = [registry.entry(name).name for name in names] or services()
    # The gateway's is made of those of the services that it leads to.
    needed = services() if GATEWAY in wanted else wanted
    with tempfile.TemporaryDirectory() as directory:
        own = {name: _own(name, Path(directory) / name) for name in needed}
    if GATEWAY in wanted:
        own[GATEWAY] = public.document(own.pop(GATEWAY), own)
    return {name: _hoisted(own[name]) for name in wanted}


def _hoisted(document: Document) -> Document:
    """The document with each kind of problem written down once, below `components`; an answer that differs stays in its place."""
    shared: Document = document["components"].setdefault("responses", {})
    # What most operations say comes first by far: the paths below the public door, and of a service all.
    for _path, _method, operation in sorted(
        operations(document), key=lambda item: not item[0].startswith(PREFIX)
    ):
        for status, answer in operation["responses"].items():
            name = f"Problem{status}"
            if MEDIA_TYPE in answer.get("content", {}) and shared.setdefault(name, answer) == answer:
                operation["responses"][status] = {"$ref": f"#/components/responses/{name}"}
    return document


def _own(service: str, data: Path) -> Document:
    data.mkdir()
    built = single.build(Settings(data=data), service, InProcessBus(data))
    document: Document = built.app.openapi()
    built.runtime.stop()
    return document
