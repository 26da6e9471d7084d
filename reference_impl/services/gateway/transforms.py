"""What the gateway changes in a request or an answer so that neither side needs to know of the other's past.

The one example is real life in small: the first app in the stores sends another body for a checkout than the order service has
taken since, and phones are not updated on request.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Transform:
    """Renames fields of JSON bodies for one kind of client, at any depth."""

    agents: str
    """How the User-Agent of these clients begins."""
    request: Mapping[str, str] = field(default_factory=dict)
    """Their name of a field to ours."""
    response: Mapping[str, str] = field(default_factory=dict)
    """Our name to theirs."""

    def concerns(self, agent: str) -> bool:
        """Whether a client is one of them."""
        return agent.startswith(self.agents)


LEGACY_CHECKOUT = Transform(
    agents="MeridianApp/1.",
    request={"basket": "items", "article": "sku", "count": "quantity", "payment_token": "card"},
    response={"id": "order_number", "total_cents": "amount_cents"},
)


def rename(body: bytes, names: Mapping[str, str]) -> bytes:
    """JSON with other names of fields; what is no JSON is left as it is, for the service to refuse."""
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        return body
    return json.dumps(_renamed(parsed, names, 0), separators=(",", ":")).encode()


def _renamed(value: Any, names: Mapping[str, str], depth: int) -> Any:
    if depth > 32:
        return value
    if isinstance(value, dict):
        return {names.get(key, key): _renamed(item, names, depth + 1) for key, item in value.items()}
    if isinstance(value, list):
        return [_renamed(item, names, depth + 1) for item in value]
    return value
