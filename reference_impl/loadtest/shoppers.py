"""What a customer does next, and with which request."""

from __future__ import annotations

import json
import random
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

WORDS = ("kettle", "steel", "oak", "mug", "blue", "tea", "coffee", "linen", "copper", "glass", "green", "lamp")
CATEGORIES = ("kitchen", "kettles", "cups", "tea", "home", "textiles", "garden", "cookware", "storage")
PAGE = 20
MOST_LINES = 3
POPULARITY = 2.5
"""The share of a dice to this power picks a product: the first tenth of the catalogue gets four in ten of all looks."""
DECLINED_CARDS = 0.02

BROWSE, SEARCH, PRODUCT, CHECKOUT, HISTORY = "browse", "search", "product", "checkout", "history"
Mix = Mapping[str, float]
"""Action → its weight."""
SHOPPING: Mix = {BROWSE: 35, SEARCH: 15, PRODUCT: 30, CHECKOUT: 8, HISTORY: 12}
"""What people do in a shop: most of them look."""
BUYING: Mix = {PRODUCT: 1, CHECKOUT: 1, HISTORY: 1}
"""Of three requests one is an order: what a sale is like in its first minutes."""
ORDERING: Mix = {CHECKOUT: 1}
"""Nothing but orders: what the platform can take of the dearest there is."""


@dataclass(frozen=True)
class Wanted:
    """A request to be sent."""

    action: str
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes | None = None


@dataclass
class Customer:
    """Somebody who is signed in."""

    token: str
    refresh_token: str
    expires: float
    """When the token ends, by the monotonic clock."""
    last_order: str | None = None


@dataclass
class Shoppers:
    """Decides what is asked for. The same dice ask for the same."""

    skus: Sequence[str]
    """What there is to buy, the most popular first."""
    mix: Mix
    dice: random.Random
    declined: float = DECLINED_CARDS
    run: str = field(default_factory=lambda: secrets.token_hex(6))
    """Names this run in idempotency keys: the same dice in another run make other orders."""
    _actions: list[str] = field(init=False)
    _weights: list[float] = field(init=False)

    def __post_init__(self) -> None:
        self._actions, self._weights = list(self.mix), list(self.mix.values())

    def next(self, customer: Customer) -> Wanted:
        """What this customer does now."""
        dice = self.dice
        action = dice.choices(self._actions, self._weights)[0]
        headers = {"Authorization": f"Bearer {customer.token}"}
        if action == BROWSE:
            path = f"/api/v2/products?category={dice.choice(CATEGORIES)}&limit={PAGE}"
        elif action == SEARCH:
            path = f"/api/v2/products?q={quote(' '.join(dice.sample(WORDS, 2)))}&limit={PAGE}"
        elif action == PRODUCT:
            path = f"/api/v1/pages/product/{self._sku()}"
        elif action == HISTORY:
            path = f"/api/v1/orders/{customer.last_order}" if customer.last_order else "/api/v1/orders?limit=10"
        else:
            return self._order(headers)
        return Wanted(action, "GET", path, headers)

    def _order(self, headers: dict[str, str]) -> Wanted:
        dice = self.dice
        skus = {self._sku() for _ in range(dice.randint(1, MOST_LINES))}
        items = [{"sku": sku, "quantity": dice.choice((1, 1, 1, 2))} for sku in sorted(skus)]
        card = "tok_declined" if dice.random() < self.declined else "tok_visa"
        headers["Idempotency-Key"] = f"load {self.run} {dice.getrandbits(96):024x}"
        headers["Content-Type"] = "application/json"
        body = json.dumps({"items": items, "card": card}).encode()
        return Wanted(CHECKOUT, "POST", "/api/v1/orders", headers, body)

    def _sku(self) -> str:
        return self.skus[int(len(self.skus) * self.dice.random() ** POPULARITY)]
