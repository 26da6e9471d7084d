"""What the README says of faults, events and settings is what the code has."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

import reference_impl
from reference_impl.shared.events import Event, Payload
from reference_impl.shared.faults import FLAGS

FOLDER = Path(reference_impl.__file__).parent
README = (FOLDER / "README.md").read_text()


def test_every_fault_flag_is_described() -> None:
    table = README.partition("## Faults")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `([a-z.-]+)` \|", table, re.MULTILINE) == [flag.name for flag in FLAGS]


@pytest.mark.parametrize(
    "service", ["user", "product", "inventory", "order", "payment", "shipping", "notification"]
)
def test_every_event_is_listed_with_the_service_that_writes_it(service: str) -> None:
    row = next(line for line in README.splitlines() if line.startswith(f"| {service} |"))
    module = importlib.import_module(f"reference_impl.services.{service}.events")
    written = {
        name
        for name, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, Payload) and value is not Payload
    }
    assert set(re.findall(r"`(\w+)`", row.split("|")[4])) == written


def test_every_field_of_the_envelope_is_explained() -> None:
    table = README.partition("The envelope:")[2].partition("\n## ")[0]
    explained = {
        name
        for line in table.splitlines()
        for name in re.findall(r"`(\w+)`", line.partition("|")[2].partition("|")[0])
    }
    assert explained == set(Event.model_fields)


def test_every_link_leads_to_a_file() -> None:
    links = re.findall(r"\]\(([\w/.]+)\)", README)
    assert links
    assert [link for link in links if not (FOLDER / link).is_file()] == []
