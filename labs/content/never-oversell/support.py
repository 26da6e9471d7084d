"""What the checks of never-oversell share: a hidden warehouse, a rival, and conflicts that are forced."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from labs.checks import LabUnderTest, require
from labs.failing_writes import CHANGES_NOTHING, fail_writes
from labs.rivals import Rival

RIVAL_TAKES = """
WITH taken AS (
    UPDATE inventory
    SET available_quantity = available_quantity - %(quantity)s, reserved_quantity = reserved_quantity + %(quantity)s,
        version = version + 1
    WHERE product_id = %(product)s
    RETURNING product_id
)
INSERT INTO reservations (order_id, product_id, quantity) SELECT %(order)s, product_id, %(quantity)s FROM taken
"""


@dataclass(frozen=True)
class Row:
    """One product afterwards."""

    available: int
    reserved: int
    version: int


class Warehouse:
    """Hidden products in the learner's database, and what became of them."""

    def __init__(self, lab: LabUnderTest) -> None:
        self.lab = lab
        self.stocked: dict[str, int] = {}
        self._mark = f"{lab.random.getrandbits(40):010x}"
        self._orders = 0

    def stock(self, *quantities: int) -> list[str]:
        """New products with these quantities, each brought by two deliveries where it can be."""
        made = []
        with self.lab.sql() as connection:
            for quantity in quantities:
                # The names sort in no relation to the sequence in which they are made.
                product = (
                    f"{self.lab.random.choice('bdfhkmprt')}-{self.lab.random.getrandbits(32):08x}-{self._mark}"
                )
                connection.execute(
                    "INSERT INTO inventory (product_id, available_quantity) VALUES (%s, %s)",
                    [product, quantity],
                )
                part = self.lab.random.randint(1, quantity - 1) if quantity > 1 else quantity
                for delivered in filter(None, (part, quantity - part)):
                    connection.execute(
                        "INSERT INTO deliveries (product_id, quantity) VALUES (%s, %s)", [product, delivered]
                    )
                self.stocked[product] = quantity
                made.append(product)
        return made

    def order(self) -> str:
        """A new order id."""
        self._orders += 1
        return f"order-{self._mark}-{self._orders}"

    def rows(self) -> dict[str, Row]:
        """The inventory of the hidden products."""
        with self.lab.sql() as connection:
            found = connection.execute(
                "SELECT product_id, available_quantity, reserved_quantity, version FROM inventory WHERE product_id = ANY(%s)",
                [list(self.stocked)],
            ).fetchall()
        require(
            len(found) == len(self.stocked),
            "A product disappeared from the inventory: reserving never deletes rows.",
        )
        return {product: Row(*numbers) for product, *numbers in found}

    def reservations(self) -> dict[str, list[tuple[str, int]]]:
        """Order → the (product, quantity) that are reserved for it, for the hidden products and orders."""
        with self.lab.sql() as connection:
            found = connection.execute(
                "SELECT order_id, product_id, quantity FROM reservations WHERE product_id = ANY(%s) OR order_id LIKE %s",
                [list(self.stocked), f"order-{self._mark}-%"],
            ).fetchall()
        result: dict[str, list[tuple[str, int]]] = {}
        for order, product, quantity in found:
            result.setdefault(order, []).append((product, quantity))
        return {order: sorted(lines) for order, lines in result.items()}

    def judge(self, wanted: dict[str, list[tuple[str, int]]]) -> None:
        """Require that the books are right: `wanted` are the lines of every order that was told True."""
        rows, reserved = self.rows(), self.reservations()
        promised = dict.fromkeys(self.stocked, 0)
        changes = dict.fromkeys(self.stocked, 0)
        for lines in reserved.values():
            for product, quantity in lines:
                require(product in promised, "A reservation names a product that nobody ordered.")
                promised[product] += quantity
                changes[product] += 1
        require(
            all(promised[product] <= self.stocked[product] for product in promised),
            "You sold more than there was: for some product the reservations add up to more than its stock.",
        )
        require(
            all(row.available + row.reserved == self.stocked[product] for product, row in rows.items()),
            "An update was lost: for some product available and reserved no longer add up to its stock.",
        )
        require(
            all(row.reserved == promised[product] for product, row in rows.items()),
            "The counters and the reservations disagree: some product's `reserved_quantity` is not the sum of its reservations. "
            "Is there a path on which only one of them is written, or a write that changed no row and was taken for a success?",
        )
        require(
            all(order in reserved for order in wanted),
            "You returned True for an order that has no reservation: was it ever committed?",
        )
        require(
            all(order in wanted for order in reserved),
            "There is a reservation for an order that was not told True.",
        )
        require(
            all(reserved[order] == sorted(lines) for order, lines in wanted.items()),
            "An order that was told True does not have the reservations it asked for: one row for each line, with its quantity.",
        )
        require(
            all(row.version >= changes[product] for product, row in rows.items()),
            "The `version` of some product was raised less often than the row was changed: whoever relies on it is deceived.",
        )


def rival_takes(product: str, quantity: int, order: str) -> Callable[[Rival], object]:
    """What a rival does that reserves so many units for an order."""
    values = {"product": product, "quantity": quantity, "order": order}
    return lambda rival: rival.execute(RIVAL_TAKES, values)


def force_conflicts(lab: LabUnderTest, product: str, refused: int) -> str:
    """Let this many writes to the product change no row, as if somebody had been faster; returns what counts the attempts."""
    return fail_writes(lab, "UPDATE", "inventory", ("product_id", product), CHANGES_NOTHING, refused)
