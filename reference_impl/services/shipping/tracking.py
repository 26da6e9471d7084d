"""Tracking numbers as post offices write them (UPU standard S10): two letters, eight digits, a check digit, a country.

The check digit finds a wrong digit, and two neighbours that changed places, before anybody is asked. Nearly always: eleven
remainders share ten digits, so that 5 stands for two of them.
"""

from __future__ import annotations

import re

COUNTRY = "XM"
"""A code of the range that ISO 3166 leaves to its users: these parcels exist nowhere."""
SERIALS = 10**8
_WEIGHTS = (8, 6, 4, 2, 3, 5, 9, 7)
_SPREAD = 61_803_399
"""Shares no factor with SERIALS, so that multiplying by it gives each number another serial, far from its neighbours'."""
_SHAPE = re.compile(r"[A-Z]{2}[0-9]{9}[A-Z]{2}")


def check_digit(serial: str) -> int:
    """The ninth digit for eight others."""
    rest = 11 - sum(weight * int(digit) for weight, digit in zip(_WEIGHTS, serial, strict=True)) % 11
    return {10: 0, 11: 5}.get(rest, rest)


def tracking_number(prefix: str, number: int) -> str:
    """The tracking number of a carrier's shipment: the same number gets the same one, and no two of SERIALS share one."""
    serial = f"{number * _SPREAD % SERIALS:08d}"
    return f"{prefix}{serial}{check_digit(serial)}{COUNTRY}"


def is_valid(text: str) -> bool:
    """Whether this can be a tracking number."""
    return _SHAPE.fullmatch(text) is not None and check_digit(text[2:10]) == int(text[10])
