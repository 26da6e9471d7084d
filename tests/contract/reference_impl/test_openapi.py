"""The published contract is what the code does."""

from __future__ import annotations

import json

from reference_impl import contracts


def test_the_checked_in_openapi_document_is_that_of_the_code() -> None:
    checked_in = contracts.OPENAPI.read_text()
    assert checked_in == contracts.openapi(), "stale: run `python -m reference_impl openapi`"


def test_every_operation_says_what_it_does_and_how_it_fails() -> None:
    document = json.loads(contracts.OPENAPI.read_text())
    for path, item in document["paths"].items():
        for method, operation in item.items():
            assert operation["summary"], f"{method} {path}"
            takes_input = "requestBody" in operation or operation.get("parameters")
            errors = [status for status in operation["responses"] if status.startswith(("4", "5"))]
            assert errors or not takes_input, f"{method} {path} names no error"
            for status in errors:
                content = operation["responses"][status].get("content", {})
                assert set(content) <= {"application/problem+json", "application/json"}, (
                    f"{method} {path} {status}"
                )


def test_every_array_and_page_that_comes_in_is_bounded() -> None:
    document = json.loads(contracts.OPENAPI.read_text())
    for path, item in document["paths"].items():
        for method, operation in item.items():
            for parameter in operation.get("parameters", []):
                schema = parameter["schema"]
                variants = schema.get("anyOf", [schema])
                for variant in variants:
                    if variant.get("type") == "integer":
                        assert "maximum" in variant, f"{method} {path} {parameter['name']}"
                    bounded = "enum" in variant or variant.get("format") in ("date", "date-time")
                    if variant.get("type") == "string" and not bounded:
                        assert {"maxLength", "pattern"} & set(variant), f"{method} {path} {parameter['name']}"
