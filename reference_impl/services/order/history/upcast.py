"""Older facts, read as today's. The table is never rewritten: history stays as it was written, and reading it learns.

One function a step, from one version to the next, so that a fact of version 1 walks through all that came since.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from reference_impl.services.order.history.facts import TYPES, Fact

Payload = dict[str, Any]

FINAL_BEFORE_VERSION_2 = frozenset({"expired_card", "stolen_card", "suspected_fraud"})
"""What the gateway meant by its codes when version 1 was written. It is a copy on purpose: the codes of today may mean more."""


def _refused_1_to_2(payload: Payload) -> Payload:
    """Version 1 had no `final`: whether the card could be tried again was known to whoever knew the gateway's codes."""
    return payload | {"final": payload["code"] in FINAL_BEFORE_VERSION_2}


STEPS: Mapping[tuple[str, int], Callable[[Payload], Payload]] = {("PaymentRefused", 1): _refused_1_to_2}
"""(type, version that is read) → how to make the next version of it."""


class UnreadableFact(Exception):
    """The table holds a fact that this code does not know: newer code has written it."""


def read(type_name: str, version: int, payload: Payload) -> Fact:
    """A stored fact as today's class. Raises UnreadableFact."""
    fact = TYPES.get(type_name)
    if fact is None or version > fact.version:
        raise UnreadableFact(
            f"{type_name} version {version} is newer than this code: run the version that wrote it"
        )
    while version < fact.version:
        payload = STEPS[type_name, version](payload)
        version += 1
    return fact.model_validate(payload)
