"""Older payloads are lifted to what a view reads; newer and broken ones are told apart from events that fail."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import pytest

from reference_impl.shared.events import Payload, Reading
from reference_impl.shared.schemas import (
    Unreadable,
    declared,
    missing_upcasters,
    read,
    type_read_by,
    upcast,
)


class PriceChanged(Payload):
    """Written by somebody else, in its third version."""

    version = 3
    cents: int
    currency: str


class PriceChangedView(Reading):
    """Reads the third version."""

    reads_version = 3
    cents: int
    currency: str


class PatchyView(Reading):
    """Reads the third version, and of the older ones only the second."""

    reads_version = 3
    cents: int


@upcast(PriceChangedView, from_version=1)
def _price_was_in_units(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"cents": round(payload["price"] * 100)}


@upcast(PriceChangedView, from_version=2)
def _currency_was_the_euro(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**payload, "currency": "EUR"}


@upcast(PatchyView, from_version=2)
def _nothing_changed(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    return payload


@pytest.mark.parametrize(
    ("version", "payload"),
    [
        (1, {"price": 12.5}),
        (2, {"cents": 1250}),
        (3, {"cents": 1250, "currency": "EUR", "of": "no interest"}),
    ],
)
def test_every_version_up_to_its_own_is_read_alike(version: int, payload: dict[str, Any]) -> None:
    found = read(PriceChangedView, "PriceChanged", version, payload)
    assert (found.cents, found.currency) == (1250, "EUR")


@pytest.mark.parametrize(
    ("version", "payload", "says"),
    [
        (4, {"amount": 1}, "version 4, this service reads up to version 3"),
        (3, {"cents": "much"}, "cents: Input should be a valid integer"),
        (1, {"cents": 1250}, "of version 1 can't be lifted: KeyError"),
    ],
)
def test_what_can_not_be_read_says_why(version: int, payload: dict[str, Any], says: str) -> None:
    with pytest.raises(Unreadable, match=says):
        read(PriceChangedView, "PriceChanged", version, payload)


def test_a_gap_between_versions_is_told() -> None:
    assert missing_upcasters(PriceChangedView) == []
    assert missing_upcasters(PatchyView) == [1]
    with pytest.raises(Unreadable, match="nothing lifts version 1 to 2"):
        read(PatchyView, "PriceChanged", 1, {"cents": 1})


@pytest.mark.parametrize("version", [0, 3])
def test_an_upcaster_has_to_lift_to_what_the_view_reads(version: int) -> None:
    with pytest.raises(ValueError, match="nothing is lifted"):
        upcast(PatchyView, from_version=version)


def test_two_upcasters_from_one_version_are_refused() -> None:
    with pytest.raises(ValueError, match="two upcasters"):
        upcast(PatchyView, from_version=2)(_nothing_changed)


def test_what_a_module_declares_is_found_by_kind() -> None:
    module = sys.modules[__name__]
    assert list(declared(module, Payload)) == ["PriceChanged"]
    assert [type_read_by(view) for view in declared(module, Reading).values()] == ["Patchy", "PriceChanged"]
