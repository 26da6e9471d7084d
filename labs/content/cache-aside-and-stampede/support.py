"""What the checks of cache-aside-and-stampede share: hidden products, what the database was asked, and the cache from outside."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from labs.checks import LabUnderTest, require
from labs.given_cells import given_dict, given_list, require_commands
from labs.names import Names

MOST_COMMANDS = 6
"""After each of the first so many commands a function is stopped once."""
PAGE_MS = (54_000, 66_000)
MISS_SECONDS = 3.0
"""How long a reader has to look for the page before what happens meanwhile begins."""
STALL_MS = 1_500
"""By how much less life is seen when the machine stalls between a fill and the look at it."""


class Shop:
    """Hidden products in the learner's database."""

    def __init__(self, lab: LabUnderTest) -> None:
        self.lab = lab
        self._names = Names(lab.random)

    def name(self) -> str:
        """A product id that was not used before; there is no such product."""
        return self._names.new()

    def price(self) -> int:
        """Some price."""
        return self.lab.random.randint(1_000, 1_000_000)

    def products(self, count: int, slow_ms: int = 0) -> dict[str, int]:
        """New products and their prices."""
        made = {self.name(): self.price() for _ in range(count)}
        with self.lab.sql() as connection:
            for product, price in made.items():
                self._insert(connection, product, price, slow_ms)
        return made

    def product(self, slow_ms: int = 0) -> tuple[str, int]:
        """A new product and its price."""
        ((product, price),) = self.products(1, slow_ms).items()
        return product, price

    def create(self, product: str) -> int:
        """Make a product of this id; its price."""
        price = self.price()
        with self.lab.sql() as connection:
            self._insert(connection, product, price, 0)
        return price

    @staticmethod
    def _insert(connection: Any, product: str, price: int, slow_ms: int) -> None:
        connection.execute(
            "INSERT INTO products (product_id, name, price, slow_ms) VALUES (%s, %s, %s, %s)",
            [product, f"Name of {product}", price, slow_ms],
        )

    def change(self, product: str) -> tuple[int, int]:
        """Change the price in the database; the new price and version."""
        price = self.price()
        with self.lab.sql() as connection:
            row = connection.execute(
                "UPDATE products SET price = %s, version = version + 1 WHERE product_id = %s RETURNING version",
                [price, product],
            ).fetchone()
        require(row is not None, "A product is gone from the table: reading never deletes rows.")
        assert row is not None
        return price, int(row[0])

    def loads(self, product: str) -> int:
        """How often the database was asked for the product's page."""
        with self.lab.sql() as connection:
            row = connection.execute("SELECT count(*) FROM loads WHERE product_id = %s", [product]).fetchone()
        return int(row[0]) if row else 0

    def read_all(self, function: str, products: list[str]) -> list[tuple[Any, int]]:
        """Read products one after the other: each one's price, and how many milliseconds it is remembered after that."""
        answer = given_list(self.lab, "read_all", function, products, count=len(products), timeout=30.0)
        return [(price, int(life)) for price, life in answer]

    def read(self, function: str, product: str) -> Any:
        """The price that the page says; None without a page."""
        return self.read_all(function, [product])[0][0]

    def read_while(self, after: int, event: list[Any], function: str, product: str) -> dict[str, Any]:
        """Read it; after that many commands (0: when it was loaded) the event happens. `price`, `raised`, `commands`."""
        names = ("price", "raised", "commands")
        answer = given_dict(self.lab, "read_while", after, event, function, product, names=names, timeout=20.0)
        require_commands(answer, function, "cache")
        return answer


def page_key(product: str) -> str:
    """As the notebook says."""
    return f"page:{{{product}}}"


def fill_key(product: str) -> str:
    """As the notebook says."""
    return f"fill:{{{product}}}"


def fresh_key(product: str) -> str:
    """As the notebook says."""
    return f"fresh:{{{product}}}"


def require_life(lives: list[int], low_ms: int, high_ms: int, what: str, since: float | None = None) -> None:
    """Require that these are lives, as PTTL says them, of keys that were set after `since` (a reading of time.monotonic())."""
    low_ms -= STALL_MS if since is None else int((time.monotonic() - since) * 1000) + 1
    require(
        all(life != -2 for life in lives),
        f"{what} is not remembered at all under the key that the notebook names.",
    )
    require(all(life != -1 for life in lives), f"{what} is remembered for ever: it needs an expiry.")
    require(
        all(life <= high_ms for life in lives),
        f"{what} is remembered for longer than {high_ms // 1000} seconds.",
    )
    require(
        sum(life >= low_ms for life in lives) >= 0.95 * len(lives),
        f"{what} is remembered for less time than it must be.",
    )


def while_held(shop: Shop, product: str, hold_seconds: float, then: str) -> tuple[Any, str | None]:
    """Read while another process holds the lock.

    Some time after the reader's miss it fills the page and gives the lock back ("fill"), fills the page and dies ("fill only"),
    dies before that, at the end of its lease ("end"), or hangs ("stay").

    The price that was read, and the lock's value afterwards.
    """
    holder = f"other-{shop.lab.random.getrandbits(64):016x}"
    with ThreadPoolExecutor(1) as pool, shop.lab.redis() as client:
        client.set(fill_key(product), holder, px=60_000)
        misses = int(client.info("stats")["keyspace_misses"])
        pending: Future[Any] = pool.submit(shop.read, "read_once", product)
        deadline = time.monotonic() + MISS_SECONDS
        while (
            time.monotonic() < deadline
            and not pending.done()
            and int(client.info("stats")["keyspace_misses"]) == misses
        ):
            time.sleep(0.01)
        deadline = time.monotonic() + hold_seconds
        while time.monotonic() < deadline and not pending.done():
            time.sleep(0.02)
        early = pending.done()
        if then in ("fill", "fill only"):
            client.copy(f"copy:{page_key(product)}", page_key(product), replace=True)
        if then in ("fill", "end"):
            client.delete(fill_key(product))
        lock = client.get(fill_key(product))
        if then == "stay" and not early:
            client.delete(fill_key(product))
        price = pending.result()
        require(
            early or then != "stay",
            "Another process held the lock and did nothing, and read_once waited for much longer than WAIT_SECONDS.",
        )
        require(
            not early or then == "stay",
            "Another process held the lock and was loading, and read_once did not wait for it.",
        )
        return price, lock
