"""A small catalogue with stock, put in over HTTP like anybody would."""

from __future__ import annotations

import httpx

CATALOGUE: tuple[tuple[str, str, int, int], ...] = (
    ("KETTLE-1L", "Steel kettle, 1 litre", 4_900, 40),
    ("MUG-BLUE", "Blue stoneware mug", 1_250, 200),
    ("TEA-ASSAM", "Assam tea, 250 g", 890, 150),
    ("TEA-SENCHA", "Sencha tea, 100 g", 1_490, 80),
    ("FILTER-100", "Paper filters, 100", 450, 300),
    ("GRINDER", "Hand coffee grinder", 7_900, 25),
    ("BEANS-1KG", "Coffee beans, 1 kg", 2_400, 120),
    ("SCALE", "Kitchen scale, 0.1 g", 3_900, 30),
    ("LAMP-DESK", "Desk lamp", 5_900, 15),
    ("LAST-ONE", "Framed print, the last one", 12_000, 1),
)
"""SKU, name, price in cents, units in stock."""


def seed(client: httpx.Client) -> int:
    """Add the catalogue and receive its stock; doing it twice changes nothing. Returns the number of products."""
    for sku, name, cents, units in CATALOGUE:
        answer = client.post("/products", json={"sku": sku, "name": name, "unit_price_cents": cents})
        if answer.status_code != 409:
            answer.raise_for_status()
        if client.get(f"/inventory/{sku}").status_code == 404:
            receipt = client.post(
                f"/inventory/{sku}/receipts",
                json={"quantity": units},
                headers={"Idempotency-Key": f"seed {sku}"},
            )
            receipt.raise_for_status()
    return len(CATALOGUE)
