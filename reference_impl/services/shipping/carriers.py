"""The carriers: a port, and simulated ones with their tariffs.

As with real carriers, a booking names a key: asked twice under one key, there is one parcel with one tracking number. A
booking whose parcel is never handed over costs nothing, so a cancellation need not undo it.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from reference_impl.services.shipping.tracking import tracking_number
from reference_impl.shared.faults import Faults
from reference_impl.shared.types import Line

LIGHTEST_GRAMS = 50
HEAVIEST_GRAMS = 2_000


class Zone(StrEnum):
    """How far it is."""

    CITY = "city"
    COUNTRY = "country"
    ABROAD = "abroad"


DISTANCE: Mapping[Zone, int] = {Zone.CITY: 1, Zone.COUNTRY: 2, Zone.ABROAD: 4}
"""How many times longer than in the city a parcel travels."""


@dataclass(frozen=True)
class Tariff:
    """What one carrier takes for a parcel."""

    carrier: str
    prefix: str
    """The first two letters of its tracking numbers."""
    base_cents: Mapping[Zone, int]
    """A zone that is missing is one where it does not go."""
    kilogram_cents: int
    """For each kilogram that was begun."""
    heaviest_grams: int

    def rate(self, zone: Zone, weight_grams: int) -> int | None:
        """The price in cents; None when this carrier does not take it."""
        if zone not in self.base_cents or weight_grams > self.heaviest_grams:
            return None
        return self.base_cents[zone] + self.kilogram_cents * -(-weight_grams // 1000)


TARIFFS = (
    Tariff("bicycle", "BC", {Zone.CITY: 300}, kilogram_cents=100, heaviest_grams=8_000),
    Tariff(
        "post",
        "RP",
        {Zone.CITY: 400, Zone.COUNTRY: 550, Zone.ABROAD: 1400},
        kilogram_cents=120,
        heaviest_grams=30_000,
    ),
    Tariff(
        "freight",
        "FR",
        {Zone.CITY: 3000, Zone.COUNTRY: 4500, Zone.ABROAD: 12_000},
        kilogram_cents=40,
        heaviest_grams=10**12,
    ),
)


@dataclass(frozen=True)
class Quote:
    """A carrier and its price."""

    carrier: str
    rate_cents: int


def quotes(zone: Zone, weight_grams: int) -> list[Quote]:
    """Who would carry it, the cheapest first; freight takes everything, so there is always one."""
    rates = [(tariff.rate(zone, weight_grams), tariff.carrier) for tariff in TARIFFS]
    return [Quote(carrier, rate) for rate, carrier in sorted((r, c) for r, c in rates if r is not None)]


class CarrierAway(Exception):
    """The carrier did not answer: ask again later, under the same key."""


class Carriers(ABC):
    """Who takes parcels away."""

    @abstractmethod
    def book(self, carrier: str, *, number: int, attempt: int) -> str:
        """Have the parcel with this number fetched; its tracking number. Raises CarrierAway."""


class SimulatedCarriers(Carriers):
    """Carriers that are away as often as the fault flag says."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._prefixes = {tariff.carrier: tariff.prefix for tariff in TARIFFS}

    def book(self, carrier: str, *, number: int, attempt: int) -> str:
        if self._faults.hits("shipping.carrier-outage", f"{carrier}:{number}:{attempt}"):
            raise CarrierAway(f"{carrier} does not answer")
        return tracking_number(self._prefixes[carrier], number)


def weight_grams(lines: Sequence[Line]) -> int:
    """What these units weigh. The catalogue has no weights, so each SKU gets one of its own, always the same."""
    return sum(line.quantity * _between(LIGHTEST_GRAMS, HEAVIEST_GRAMS, line.sku) for line in lines)


def zone_of(customer_id: str | None) -> Zone:
    """How far away a customer lives. Orders have no addresses, so each customer gets a zone, always the same."""
    zones = list(Zone)
    return zones[_between(0, len(zones) - 1, customer_id or "")]


def _between(lowest: int, highest: int, text: str) -> int:
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return lowest + int.from_bytes(digest, "big") % (highest - lowest + 1)
