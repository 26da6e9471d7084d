"""Whatever a document allows and forbids, said to the running code: it answers as the document says, and never with a 500.

Each operation gets requests that the document allows and others that it forbids, made by schemathesis. Services are asked as
from inside, the gateway with the token of an administrator; both in front of a whole Meridian in this process.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import requests
import schemathesis
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from reference_impl.contracts import openapi as contract
from reference_impl.shared.openapi import operations
from tests.unit.reference_impl.conftest import Shop, open_shop

EXAMPLES = 6
"""For each operation of what is allowed, of what is allowed about things that exist, and of what is forbidden."""
CHECKS = [status_code_conformance, content_type_conformance, response_schema_conformance]
PROCESS = ("/dead-letters", "/faults", "/health", "/metrics")
"""What every process has: tested with one service."""
ANY_TEXT = (("/faults/{name}", "delete"), ("/preferences/{user_id}", "get"))
"""Nothing else is said, and nearly every text is allowed: what is forbidden can't be made by trying."""
NOT_READY = ("/health/readiness",)
"""Nothing runs in the background here, and it says so with 503."""
UNSAFE_HERE = ("/api/v1/auth/signing-keys/rotation",)
"""A new key is fetched at most every ten seconds: the tokens of the next tests would not be believed."""
MANY = "100000"
SETTINGS = {
    "user_hash_memory_kib": "64",
    "user_hash_rounds": "1",
    "gateway_limit_per_user": MANY,
    "gateway_limit_per_address": MANY,
    "gateway_limit_of_strict_routes": MANY,
}
ACCOUNT = {"email": "admin@example.org", "password": "correct horse battery"}


@functools.cache
def schema(service: str) -> Any:
    """The checked-in document, for schemathesis."""
    config = SchemathesisConfig.from_dict({"generation": {"with-security-parameters": False}})
    document = json.loads(contract.path(service).read_text())
    return schemathesis.openapi.from_dict(document, config=config)


def labels(*services: str) -> list[tuple[str, str, str]]:
    """Service, path and method of what is tested."""
    found = []
    for service in services:
        for path, method, _ in operations(json.loads(contract.path(service).read_text())):
            if path not in UNSAFE_HERE and (service == "inventory" or not path.startswith(PROCESS)):
                found.append((service, path, method))
    return found


class Asked:
    """A Meridian with a few things in it, whose ids are known."""

    def __init__(self, data: Path) -> None:
        self.shop: Shop = open_shop(data=data, sections=SETTINGS)
        post = self.shop.http.post
        user = post("/users", json=ACCOUNT | {"name": "Admin"}).raise_for_status().json()["id"]
        self.shop.http.put(f"/users/{user}/roles", json={"roles": ["admin", "vendor"]}).raise_for_status()
        self.shop.stock("TEA", 1_000_000)
        orders = [self.shop.place({"TEA": 1}) for _ in range(3)]
        self.shop.settle()
        shipment = self.shop.http.get("/shipments").raise_for_status().json()["shipments"]
        self.known = {
            "sku": "TEA",
            "order_id": orders[0],
            "user_id": user,
            "name": "consumer.lag",
            "shipment_id": shipment[0]["id"],
        }
        self.known_by_prefix = {
            "orders": orders[1],
            "pages": orders[2],
            "users": user,
            "preferences": user,
            "shipments": shipment[0]["id"],
        }

    def token(self) -> dict[str, str]:
        """A fresh token through the public door."""
        body = {"grant_type": "password"} | ACCOUNT
        answer = self.shop.http.post("/api/v1/auth/token", json=body).raise_for_status()
        return {"Authorization": f"Bearer {answer.json()['access_token']}"}

    def send(self, case: Any, headers: dict[str, str]) -> Any:
        """One request, and what came back as schemathesis takes it."""
        kwargs = case.as_transport_kwargs(base_url="http://meridian")
        prepared = requests.Request(
            **{key: value for key, value in kwargs.items() if key in _REQUEST}
        ).prepare()
        sent = {name: value for name, value in prepared.headers.items() if name.lower() != "content-length"}
        answer = self.shop.http.request(
            prepared.method or "GET", prepared.url or "", headers=sent | headers, content=prepared.body
        )
        answer.elapsed = timedelta()  # asked for, and not known of an application in the same process
        return answer

    def acquaint(self, case: Any) -> None:
        """Let a request be about things that exist."""
        for name in list(case.path_parameters or {}):
            prefix = case.path.removeprefix("/api/v1").split("/")[1]
            value = self.known.get(name) or self.known_by_prefix.get(prefix)
            if value is not None:
                case.path_parameters[name] = value
        if isinstance(case.body, dict):
            case.body = _with(case.body, "sku", "TEA")


_REQUEST = ("method", "url", "headers", "params", "data", "json", "cookies", "files")


def _with(value: Any, name: str, known: str) -> Any:
    """A body in which every field of this name has the known value; of lines that would then be the same, the first."""
    if isinstance(value, dict):
        return {key: known if key == name else _with(item, name, known) for key, item in value.items()}
    if isinstance(value, list):
        lines = any(isinstance(item, dict) and name in item for item in value)
        return [_with(item, name, known) for item in (value[:1] if lines else value)]
    return value


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    asked = Asked(tmp_path_factory.mktemp("services") / "data")
    yield asked
    asked.shop.close()


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    asked = Asked(tmp_path_factory.mktemp("door") / "data")
    yield asked
    asked.shop.close()


SERVICES = [name for name in contract.services() if name != "gateway"]


@pytest.mark.parametrize(("service", "path", "method"), labels(*SERVICES))
def test_a_service_answers_as_its_document_says(behind: Asked, service: str, path: str, method: str) -> None:
    _converse(behind, schema(service)[path][method], {})


@pytest.mark.parametrize(("service", "path", "method"), labels("gateway"))
def test_the_public_door_answers_as_its_document_says(
    door: Asked, service: str, path: str, method: str
) -> None:
    _converse(door, schema(service)[path][method], door.token())


def _converse(asked: Asked, operation: Any, headers: dict[str, str]) -> None:
    """Say what is allowed, and what is not."""
    checks = CHECKS if operation.path in NOT_READY else [not_a_server_error, *CHECKS]

    def known(case: Any) -> None:
        asked.acquaint(case)
        allowed(case)

    def allowed(case: Any) -> None:
        try:
            case.validate_response(asked.send(case, headers), checks=checks)
        finally:
            asked.shop.faults.clear()

    for function in (allowed, known):
        _given(operation.as_strategy(GenerationMode.POSITIVE), function)()
    silent = not (operation.body or operation.path_parameters or operation.query or operation.headers)
    if silent or (operation.path, operation.method) in ANY_TEXT:
        return

    def forbidden(case: Any) -> None:
        case.validate_response(asked.send(case, headers), checks=[*checks, negative_data_rejection])

    _given(operation.as_strategy(GenerationMode.NEGATIVE), forbidden)()


def _given(strategy: Any, function: Callable[[Any], None]) -> Callable[[], None]:
    """The function, called with a few examples; the same ones each time, and no smaller ones are looked for."""
    chosen = hypothesis.settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    made: Callable[[], None] = chosen(hypothesis.given(strategy)(function))
    return made
