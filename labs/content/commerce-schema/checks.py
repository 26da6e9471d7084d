"""Checks of commerce-schema: hidden rows, good and bad, each tried on its own, and what the tables hold and the plans touch."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

from labs.checks import LabUnderTest, check, require
from sandboxes.interface import LearnerCodeError

from .support import (
    CHECK,
    EXCLUSION,
    FOREIGN_KEY,
    GENERATED,
    NOT_NULL,
    RAISED,
    TIME,
    UNIQUE,
    VECTOR,
    WHAT_IS_WRONG,
    WHOLE,
    WRONG_WORDS,
    Gate,
    explained,
    gate,
    months_of,
    nodes_of,
    require_types,
    tables_of,
    word,
)

MEET_SECONDS = 8.0
"""How long three calls have to come to a lock that the check holds: less than their own patience with it."""
CUSTOMER = "INSERT INTO customers (email, name) VALUES (%s, %s) RETURNING customer_id"
PRODUCT = """
INSERT INTO products (sku, category_id, price_cents, discount_percent, currency) VALUES (%s, %s, %s, %s, %s) RETURNING product_id
"""
STOCK = "INSERT INTO stock (product_id, available, reserved) VALUES (%s, %s, %s)"
CART = "INSERT INTO carts (customer_ref, state) VALUES (%s, %s) RETURNING cart_id"
PRICE = """
INSERT INTO prices (product_ref, valid, net_cents, tax_percent) VALUES (%s, %s, %s, %s) RETURNING gross_cents
"""
ORDER = """
INSERT INTO orders (customer_ref, placed_at, status, total_cents, shipped_at) VALUES (%s, %s, %s, %s, %s) RETURNING order_id
"""


@check("keys-and-checks")
def bad_rows_are_refused_one_by_one(lab: LabUnderTest) -> None:
    """Customers, products and stock let every good row in, and refuse each bad one by its rule."""
    with gate(lab) as (tries, connection):
        require_types(connection, "customers", "customer_id", {"created_at": TIME, "deleted_at": TIME})
        whole = {"category_id": "bigint", "price_cents": WHOLE, "discount_percent": WHOLE}
        require_types(connection, "products", "product_id", whole)
        require_types(connection, "stock", "", {"product_id": "bigint", "available": WHOLE, "reserved": WHOLE})
        _customers(lab, tries)
        _products(lab, tries, connection)


def _customers(lab: LabUnderTest, tries: Gate) -> None:
    def address() -> str:
        return f"{word(lab)}@{word(lab)}.example"

    good, name = address(), word(lab)
    first = tries.accepts("a customer has an address and a name.", CUSTOMER, good, name)
    tries.accepts("a name of one character is a name.", CUSTOMER, address(), lab.random.choice("xyz"))
    tries.accepts("an address may have 254 characters.", CUSTOMER, f"{'a' * 241}@{word(lab)[:4]}.example", name)
    tries.accepts("two customers may have the same name.", CUSTOMER, address(), name)
    shape = (
        "an address has exactly one @ with something on both sides, no white space, and at most 254 characters."
    )
    for bad in (
        word(lab),
        f"@{word(lab)}.example",
        f"{word(lab)}@",
        f"{word(lab)}@@{word(lab)}.example",
        f"{word(lab)}@{word(lab)}@{word(lab)}.example",
        f"{word(lab)} {word(lab)}@{word(lab)}.example",
        f"{word(lab)}@{word(lab)}.example\t",
        f" {address()}",
        f"{'a' * 242}@{word(lab)[:4]}.example",
    ):
        tries.refuses(shape, CHECK, CUSTOMER, bad, name)
    tries.refuses("a customer has an address.", NOT_NULL, CUSTOMER, None, name)
    tries.refuses("a customer has a name.", NOT_NULL, CUSTOMER, address(), None)
    for blank in ("", "   ", "\t", " \n "):
        tries.refuses("a name is not blank.", CHECK, CUSTOMER, address(), blank)
    one = "no two customers who are not deleted have the same address, whatever its case."
    tries.refuses(one, UNIQUE, CUSTOMER, good, word(lab))
    tries.refuses(one, UNIQUE, CUSTOMER, good.upper(), word(lab))
    tries.refuses(
        one, UNIQUE, "UPDATE customers SET email = %s WHERE email <> %s AND name = %s", good.title(), good, name
    )
    tries.refuses(
        "created_at is always there.",
        NOT_NULL,
        "INSERT INTO customers (email, name, created_at) VALUES (%s, %s, NULL)",
        address(),
        name,
    )
    tries.refuses(
        "a customer is never deleted before being created.",
        CHECK,
        "UPDATE customers SET deleted_at = created_at - interval '1 second' WHERE customer_id = %s",
        first,
    )
    delete = "UPDATE customers SET deleted_at = created_at WHERE customer_id = %s"
    tries.accepts("a customer may be deleted, even at the moment of creation.", delete, first)
    free = "the address of a deleted customer is free again."
    second = tries.accepts(free, CUSTOMER, good.capitalize(), name)
    tries.refuses(one, UNIQUE, "UPDATE customers SET deleted_at = NULL WHERE customer_id = %s", first)
    tries.accepts(free, delete, second)
    tries.accepts(free, CUSTOMER, good, name)
    tries.refuses(
        "customer_id is the primary key.",
        (UNIQUE, GENERATED),
        "INSERT INTO customers (customer_id, email, name) OVERRIDING SYSTEM VALUE VALUES (%s, %s, %s)",
        first,
        address(),
        name,
    )


def _products(lab: LabUnderTest, tries: Gate, connection: Any) -> None:
    pick = lab.random.randint
    category, other = (
        connection.execute(
            "INSERT INTO categories (name) VALUES (%s) RETURNING category_id", [word(lab)]
        ).fetchone()[0]
        for _ in range(2)
    )
    numbers = iter(lab.random.sample(range(10_000), 60))

    def sku() -> str:
        return f"{''.join(lab.random.choice('ABCXYZ') for _ in range(3))}-{next(numbers):04}"

    taken = sku()
    product = tries.accepts(
        "a product has a SKU, a category, a price and a currency.",
        PRODUCT,
        taken,
        category,
        pick(2, 9000),
        pick(1, 89),
        "EUR",
    )
    second = tries.accepts(
        "a price of one cent, no discount and USD are fine.", PRODUCT, sku(), category, 1, 0, "USD"
    )
    tries.accepts("a discount of 90 and GBP are fine.", PRODUCT, sku(), category, pick(1, 9000), 90, "GBP")
    tries.refuses("a SKU is unique.", UNIQUE, PRODUCT, taken, other, pick(1, 9000), 0, "EUR")
    shape = "a SKU is three capitals A to Z, a hyphen and four digits, and nothing else."
    for bad in (
        sku().lower(),
        f"X{sku()}",
        f"{sku()}0",
        sku()[:-1],
        sku().replace("-", ""),
        sku().replace("-", "_"),
        f"{sku()}\n",
        f" {sku()}",
        f"Ä{sku()[1:]}",
        f"{sku()[:-1]}O",
        f"{sku()}\n{sku()}",
        f"1{sku()[1:]}",
    ):
        tries.refuses(shape, CHECK, PRODUCT, bad, category, pick(1, 9000), 0, "EUR")
    price, discount = "a price is above 0.", "a discount is from 0 to 90."
    for bad_price in (0, -1, -pick(2, 9000)):
        tries.refuses(price, CHECK, PRODUCT, sku(), category, bad_price, 0, "EUR")
    for bad_discount in (-1, 91, pick(100, 900)):
        tries.refuses(discount, CHECK, PRODUCT, sku(), category, pick(1, 9000), bad_discount, "EUR")
    for bad_currency in ("eur", "CHF", "", "EURO", " EUR"):
        tries.refuses("the currency is EUR, USD or GBP.", CHECK, PRODUCT, sku(), category, 1, 0, bad_currency)
    row = [sku(), category, pick(1, 9000), 0, "EUR"]
    for index, what in enumerate(("a SKU", "a category", "a price", "a discount", "a currency")):
        values = [None if position == index else value for position, value in enumerate(row)]
        tries.refuses(f"a product has {what}.", NOT_NULL, PRODUCT, *values)
    fresh = tries.accepts(
        "the discount is 0 by default.",
        "INSERT INTO products (sku, category_id, price_cents, currency) VALUES (%s, %s, %s, 'EUR') RETURNING "
        "discount_percent",
        sku(),
        category,
        pick(1, 9000),
    )
    require(fresh == 0, "A product that says nothing about it must have a discount of 0.")
    tries.refuses("a product's category exists.", FOREIGN_KEY, PRODUCT, sku(), category + 90_000, 1, 0, "EUR")
    tries.refuses(
        "a category with products can't be deleted.",
        FOREIGN_KEY,
        "DELETE FROM categories WHERE category_id = %s",
        category,
    )
    tries.accepts(
        "a category without products can be deleted.", "DELETE FROM categories WHERE category_id = %s", other
    )

    much = pick(5, 50)
    tries.accepts("everything that is available may be reserved.", STOCK, product, much, much)
    tries.refuses("a product has one row of stock.", UNIQUE, STOCK, product, much, 0)
    tries.refuses("stock is of a product that exists.", FOREIGN_KEY, STOCK, product + 90_000, much, 0)
    tries.refuses("available is not negative.", CHECK, STOCK, second, -pick(1, 9), -pick(10, 19))
    tries.refuses("reserved is not negative.", CHECK, STOCK, second, much, -1)
    tries.refuses("reserved is never more than available.", CHECK, STOCK, second, much, much + 1)
    tries.refuses("available is always there.", NOT_NULL, STOCK, second, None, 0)
    tries.refuses("reserved is always there.", NOT_NULL, STOCK, second, much, None)
    tries.refuses("stock names its product.", NOT_NULL, STOCK, None, much, 0)
    tries.refuses(
        "reserved is never more than available.",
        CHECK,
        "UPDATE stock SET available = available - 1 WHERE product_id = %s",
        product,
    )
    tries.accepts(
        "available and reserved are 0 by default.", "INSERT INTO stock (product_id) VALUES (%s)", second
    )
    default = connection.execute(
        "SELECT available, reserved FROM stock WHERE product_id = %s", [second]
    ).fetchone()
    require(default == (0, 0), "A row of stock that says nothing else must have 0 available and 0 reserved.")
    tries.accepts("the stock of a product goes with it.", "DELETE FROM products WHERE product_id = %s", product)
    left = connection.execute("SELECT count(*) FROM stock WHERE product_id = %s", [product]).fetchone()[0]
    require(left == 0, "A product was deleted, and its row of stock is still there.")


@check("rules-across-rows")
def rules_hold_between_rows(lab: LabUnderTest) -> None:
    """One open cart a customer, one price a day, a gross price that can't be wrong, whoever writes at the same time."""
    pick = lab.random.randint
    with gate(lab) as (tries, connection):
        require_types(connection, "carts", "cart_id", {})
        cents = {"net_cents": WHOLE, "gross_cents": WHOLE}
        require_types(
            connection, "prices", "price_id", {"valid": "daterange", "tax_percent": "numeric", **cents}
        )
        who, other = word(lab), word(lab)
        one = "a customer has at most one open cart."
        default = tries.accepts(one, "INSERT INTO carts (customer_ref) VALUES (%s) RETURNING state", who)
        require(default == "open", "A cart that says nothing about its state is open.")
        tries.accepts("another customer may have an open cart, too.", CART, other, "open")
        for state in ("ordered", "ordered", "abandoned", "abandoned"):
            tries.accepts("a customer may have any number of carts that are not open.", CART, who, state)
        tries.refuses(one, (UNIQUE, EXCLUSION), CART, who, "open")
        tries.refuses(
            one,
            (UNIQUE, EXCLUSION),
            "UPDATE carts SET state = 'open' WHERE customer_ref = %s AND state = 'ordered'",
            who,
        )
        tries.accepts(
            "an open cart can be ordered.",
            "UPDATE carts SET state = 'ordered' WHERE customer_ref = %s AND state = 'open'",
            who,
        )
        tries.accepts("after an open cart was ordered there may be a new one.", CART, who, "open")
        tries.refuses("the state is open, ordered or abandoned.", CHECK, CART, word(lab), "opened")
        tries.refuses("a cart has a state.", NOT_NULL, CART, word(lab), None)
        tries.refuses("a cart has a customer.", NOT_NULL, CART, None, "ordered")

        lamp, bulb = word(lab), word(lab)
        start = datetime(2026, 1, 1, tzinfo=UTC).date() + timedelta(days=pick(0, 300))
        end, later = start + timedelta(days=pick(20, 40)), start + timedelta(days=pick(60, 90))
        net, tax = pick(100, 9000), pick(1, 29)
        tries.accepts("a product has a price for some days.", PRICE, lamp, f"[{start},{end})", net, tax)
        tries.accepts("periods may touch.", PRICE, lamp, f"[{end},{later})", net, tax)
        tries.accepts("a period may have no end.", PRICE, lamp, f"[{later},)", net, tax)
        tries.accepts("a tax of 30 per cent is fine.", PRICE, word(lab), f"[{start},{end})", net, 30)
        tries.accepts("a tax of 0 per cent is fine.", PRICE, word(lab), f"[{start},{end})", net, 0)
        tries.accepts("a net price of one cent is fine.", PRICE, word(lab), f"[{start},{end})", 1, tax)
        tries.accepts("other products have nothing to do with it.", PRICE, bulb, f"[{start},{later})", net, tax)
        once = "on any day a product has at most one price, so no two of its periods overlap."
        day = timedelta(days=1)
        for period in (
            f"[{start - day},{start + day})",
            f"[{end - day},{end})",
            f"[{start + day},{start + 2 * day})",
            f"({start - day},{start}]",
            "(,)",
            f"[{later + 900 * day},{later + 901 * day})",
        ):
            tries.refuses(once, EXCLUSION, PRICE, lamp, period, net, tax)
        tries.refuses(once, (EXCLUSION, UNIQUE), PRICE, lamp, f"[{start},{end})", net, tax)
        tries.refuses(
            once,
            EXCLUSION,
            "UPDATE prices SET valid = '(,)' WHERE product_ref = %s AND lower(valid) = %s",
            lamp,
            start,
        )
        tries.refuses(
            "a price is valid for at least a day.", CHECK, PRICE, word(lab), f"[{start},{start})", net, tax
        )
        tries.refuses("a price says when it is valid.", NOT_NULL, PRICE, word(lab), None, net, tax)
        tries.refuses("a price names its product.", NOT_NULL, PRICE, None, f"[{start},{end})", net, tax)
        tries.refuses("a net price is above 0.", CHECK, PRICE, word(lab), f"[{start},{end})", 0, tax)
        tries.refuses("a price has a net price.", NOT_NULL, PRICE, word(lab), f"[{start},{end})", None, tax)
        for bad in (-1, 31, "30.01", "-0.5"):
            tries.refuses(
                "the tax is from 0 to 30 per cent.", CHECK, PRICE, word(lab), f"[{start},{end})", net, bad
            )
        tries.refuses(
            "a price says what the tax is.", NOT_NULL, PRICE, word(lab), f"[{start},{end})", net, None
        )
        for net_cents, percent in (
            (pick(100, 9000), pick(1, 29)),
            (50, 19),
            (10, 15),
            (pick(100, 9000), "7.7"),
            (1999, 0),
        ):
            gross = tries.accepts(
                "a product has a price.", PRICE, word(lab), f"[{start},{end})", net_cents, percent
            )
            right = connection.execute(
                "SELECT round(%s * (100 + %s::numeric) / 100)::int", [net_cents, percent]
            ).fetchone()[0]
            require(gross == right, "gross_cents is not the net price plus the tax, rounded to whole cents.")
        # Either it can't be written, or what is written is put right at once.
        always = "gross_cents is always net_cents plus the tax; nobody can write anything else."
        kept = (GENERATED, CHECK, RAISED)
        wrong = """
        SELECT FROM prices WHERE product_ref = %s AND gross_cents IS DISTINCT FROM round(net_cents * (100 + tax_percent) / 100)
        """
        update, fresh = "UPDATE prices SET gross_cents = 1 WHERE product_ref = %s", word(lab)
        tries.refuses_or_mends(always, kept, wrong, bulb, update, bulb)
        insert = """
        INSERT INTO prices (product_ref, valid, net_cents, tax_percent, gross_cents) VALUES (%s, '[2026-01-01,)', 100, 10, 100)
        """
        tries.refuses_or_mends(always, kept, wrong, fresh, insert, fresh)
        tries.accepts(
            "a net price may change.", "UPDATE prices SET net_cents = 200 WHERE product_ref = %s", bulb
        )
        gross = connection.execute(
            "SELECT gross_cents = round(200 * (100 + tax_percent) / 100) FROM prices WHERE product_ref = %s",
            [bulb],
        ).fetchone()[0]
        require(gross, "The net price changed, and gross_cents did not follow.")


@check("search-vector")
def the_search_is_true_whoever_writes(lab: LabUnderTest) -> None:
    """`search` is what it must be after every kind of write, is kept up with no needless ones, and is found by a GIN index."""
    lamp, cable, kind, other, said = (word(lab) for _ in range(5))
    with lab.sql() as connection:
        categories = [
            connection.execute(
                "INSERT INTO categories (name) VALUES (%s) RETURNING category_id", [name]
            ).fetchone()[0]  # type: ignore[index]
            for name in (f"The {kind}s", f"{other} goods")
        ]

        def true(rule: str) -> None:
            # Articles of the notebook's own are no business of the check.
            count, *wrong = connection.execute(WRONG_WORDS + VECTOR, [categories]).fetchone()  # type: ignore[misc]
            what = [told for told, is_so in zip(WHAT_IS_WRONG, wrong, strict=True) if is_so]
            told = (
                " and ".join(what)
                or "the words are right, but not their places; put together name, category, description"
            )
            require(count == 0, f"`search` is not what it must be {rule}: {told}.")

        def writes(sql: str, *values: Any) -> int:
            """How many rows of articles a statement has written."""
            connection.commit()
            connection.execute(sql, list(values))
            row = connection.execute(
                "SELECT count(*) FROM articles WHERE xmin = pg_current_xact_id()::xid"
            ).fetchone()
            return int(row[0]) if row else 0

        one = "INSERT INTO articles (category_id, name, description) VALUES (%s, %s, %s)"
        connection.execute(one, [categories[0], f"A {lamp}", f"some words about {said}"])
        true("after an article with a description was inserted")
        connection.execute(one, [categories[0], f"Another {lamp}", None])
        true("after an article without a description was inserted")
        connection.execute(
            """
            INSERT INTO articles (category_id, name, description)
            SELECT c, 'A ' || n || ' with ' || c, d FROM unnest(%s::bigint[]) AS c, unnest(%s::text[]) AS n,
                unnest(ARRAY['some words about ' || %s, NULL, '']) AS d
            """,
            [categories, [lamp, f"{cable} and {lamp}"], said],
        )
        true("after several articles were inserted by one statement")
        connection.execute(
            "INSERT INTO articles (category_id, name, search) VALUES (%s, %s, to_tsvector('simple', 'wrong'))",
            [categories[0], lamp],
        )
        true("after an insert that brought a value of its own for it")
        connection.execute(
            "UPDATE articles SET name = name || ' improved' WHERE category_id = %s", [categories[0]]
        )
        true("after names changed")
        connection.execute(
            "UPDATE articles SET description = 'improved ' || coalesce(description, 'at last') WHERE category_id = %s",
            [categories[1]],
        )
        true("after descriptions changed")
        connection.execute(
            "UPDATE articles SET description = NULL WHERE article_id %% 2 = 0 AND category_id = ANY(%s)",
            [categories],
        )
        true("after descriptions were taken away")
        connection.execute(
            "UPDATE articles SET category_id = %s WHERE article_id = (SELECT max(article_id) FROM articles)",
            [categories[1]],
        )
        true("after an article went to another category")
        for value in ("NULL", "to_tsvector('english', 'wrong')", "''::tsvector"):
            connection.execute(
                f"UPDATE articles SET search = {value} WHERE category_id = %s",  # noqa: S608 - our own values
                [categories[0]],
            )
            true("after somebody wrote to it directly")
        owned = connection.execute(
            "SELECT count(*) FROM articles WHERE category_id = %s", [categories[0]]
        ).fetchone()
        assert owned is not None
        written = writes(
            "UPDATE categories SET name = %s WHERE category_id = %s", f"Renamed {word(lab)}", categories[0]
        )
        true("after a category got another name")
        require(
            written == owned[0],
            "A renamed category wrote to articles of other categories, whose search has not changed.",
        )
        written = writes("UPDATE categories SET position = position + 1 WHERE category_id = %s", categories[0])
        require(written == 0, "A change of a category that leaves its name alone wrote to articles.")
        written = writes("UPDATE categories SET name = name WHERE category_id = %s", categories[0])
        require(
            written == 0, "A category's name was written and stayed the same, and articles were written for it."
        )
        connection.execute(
            "UPDATE categories SET name = %s || category_id WHERE category_id = ANY(%s)",
            [word(lab), categories],
        )
        true("after several categories got other names in one statement")
        connection.execute("UPDATE articles SET sold = sold + 1 WHERE category_id = %s", [categories[0]])
        true("after something else of an article changed")
        connection.execute("SET LOCAL enable_seqscan = off")
        plan = explained(
            connection,
            "SELECT article_id FROM articles WHERE search @@ websearch_to_tsquery('english', %s)",
            lamp,
        )
        used = {node["Index Name"] for node in nodes_of(plan) if "Index Name" in node}
        kinds = connection.execute(
            "SELECT a.amname FROM pg_class c JOIN pg_am a ON a.oid = c.relam WHERE c.relname = ANY(%s)",
            [list(used)],
        ).fetchall()
        require(("gin",) in kinds, "A search does not go through a GIN index.")


@check("monthly-partitions")
def months_come_and_go_and_are_pruned(lab: LabUnderTest) -> None:
    """Orders obey their rules and lie in their months, a question touches its own month alone, and old months go as tables."""
    pick = lab.random.randint
    year = pick(2031, 2060)
    months = [f"{year}-{number:02}" for number in range(9, 13)] + [
        f"{year + 1}-{number:02}" for number in range(1, 4)
    ]
    names = [f"orders_{month.replace('-', '_')}" for month in months]
    with lab.sql() as connection:
        require_types(
            connection,
            "orders",
            "order_id",
            {"placed_at": TIME, "total_cents": WHOLE, "shipped_at": TIME},
        )
        old = months_of(connection)
    _together(lab, months[0], names[0])
    for month in lab.random.sample(months[1:], len(months) - 1):
        require(_ensure(lab, month) is True, "ensure_month must return True when it has made the month.")
        require(_ensure(lab, month) is False, "ensure_month must return False when the month was there.")
    with lab.sql() as connection:
        require(
            sorted(names) == [name for name in months_of(connection) if name not in old],
            "After ensure_month there must be a partition of orders for each month, named like orders_2026_03, "
            "and no other.",
        )
    with gate(lab) as (tries, connection):
        _order_rules(lab, tries, datetime(year, 11, pick(2, 27), pick(0, 23), tzinfo=UTC))
        _borders(tries, connection, year)
    _pruning(lab, year, names)

    with lab.sql() as connection:
        before = {
            name: connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0]  # type: ignore[index]  # noqa: S608
            for name in names
        }
    keep = pick(2, 5)
    dropped = lab.call("on_own_connection", "drop_months_before", months[keep], timeout=30.0)
    with lab.sql() as connection:
        left = months_of(connection)
        require(
            names[keep] in left, "drop_months_before has dropped the month itself: only earlier ones are to go."
        )
        require(all(name in left for name in names[keep:]), "drop_months_before has dropped a later month.")
        require(
            not any(name in left for name in [*names[:keep], *(name for name in old if name < names[keep])]),
            "drop_months_before has left an earlier month attached to orders, as another connection sees it.",
        )
        gone = connection.execute(
            "SELECT count(*) FROM pg_class WHERE relname = ANY(%s)", [names[:keep]]
        ).fetchone()
        require(
            gone and gone[0] == 0, "An earlier month is no partition any more, but its table is still there."
        )
        for name in names[keep:]:
            count = connection.execute(f"SELECT count(*) FROM {name}").fetchone()  # noqa: S608 - our own names
            require(
                count and count[0] == before[name],
                "drop_months_before has deleted orders of a month that was to stay.",
            )
    require(
        dropped == sorted([*names[:keep], *(name for name in old if name < names[keep])]),
        "drop_months_before must return the names of the partitions that it dropped, sorted.",
    )
    again = lab.call("on_own_connection", "drop_months_before", months[keep], timeout=30.0)
    require(again == [], "With nothing left to drop, drop_months_before must return an empty list.")


def _ensure(lab: LabUnderTest, month: str) -> Any:
    try:
        return lab.call("on_own_connection", "ensure_month", month, timeout=30.0)
    except LearnerCodeError as error:
        require(
            not month.endswith("-12"),
            f"ensure_month raised {error.name} for the last month of a year. Where does that month end?",
        )
        raise


def _together(lab: LabUnderTest, month: str, name: str) -> None:
    """Three processes make the same month: held up at the parent table until all of them are at it."""
    with ThreadPoolExecutor(1) as pool, lab.sql() as keeper:
        keeper.execute("LOCK TABLE orders IN SHARE MODE")
        pending = pool.submit(
            lab.call_many, "on_own_connection", [["ensure_month", month]] * 3, workers=3, timeout=60.0
        )
        deadline = time.monotonic() + MEET_SECONDS
        waiting = 0
        while time.monotonic() < deadline and not pending.done() and waiting < 3:
            row = keeper.execute(
                """
                SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted
                """
            ).fetchone()
            waiting = row[0] if row else 0
            time.sleep(0.01)
        keeper.rollback()
        outcomes = pending.result()
    raised = [outcome.error.split(":")[0] for outcome in outcomes if outcome.error]
    require(
        not raised,
        f"Three processes made the same month at the same moment, and one of them raised {raised[0] if raised else ''}. "
        "What do they look at before they wait for each other?",
    )
    values = [outcome.value for outcome in outcomes]
    with lab.sql() as connection:
        made = name in months_of(connection)
    require(
        made or True not in values,
        "ensure_month returned True, and another connection sees no partition of orders for that month. Who commits?",
    )
    require(made, "ensure_month returned, and the month is no partition of orders.")
    require(
        values.count(True) == 1 and values.count(False) == 2,
        "Of three calls for the same month one must return True and the others False.",
    )


def _order_rules(lab: LabUnderTest, tries: Gate, placed: datetime) -> None:
    who, total = word(lab), lab.random.randint(1, 90_000)
    hour = timedelta(hours=lab.random.randint(1, 90))
    tries.accepts("an order may cost nothing.", ORDER, who, placed, "placed", 0, None)
    for status in ("placed", "paid", "cancelled"):
        tries.accepts(
            "an order that is not shipped has no shipped_at.", ORDER, who, placed, status, total, None
        )
        tries.refuses(
            "shipped_at is there exactly when the status is shipped.",
            CHECK,
            ORDER,
            who,
            placed,
            status,
            total,
            placed + hour,
        )
    tries.accepts("an order may be shipped.", ORDER, who, placed, "shipped", total, placed + hour)
    tries.accepts("an order may be shipped at once.", ORDER, who, placed, "shipped", total, placed)
    tries.refuses(
        "shipped_at is there exactly when the status is shipped.",
        CHECK,
        ORDER,
        who,
        placed,
        "shipped",
        total,
        None,
    )
    tries.refuses(
        "shipped_at is never before placed_at.", CHECK, ORDER, who, placed, "shipped", total, placed - hour
    )
    tries.refuses("the status is one of four.", CHECK, ORDER, who, placed, "shiped", total, None)
    tries.refuses("the total is not negative.", CHECK, ORDER, who, placed, "placed", -1, None)
    for index, what in enumerate(("a customer", "a time", "a status", "a total")):
        row: list[Any] = [who, placed, "placed", total, None]
        row[index] = None
        # Without a time there is no partition either: both say that the row can't be.
        tries.refuses(f"an order has {what}.", (NOT_NULL, CHECK) if index == 1 else NOT_NULL, ORDER, *row)
    made = tries.accepts(
        "an order is placed unless it says otherwise.",
        "INSERT INTO orders (customer_ref, placed_at, total_cents) VALUES (%s, %s, %s) RETURNING status",
        who,
        placed,
        total,
    )
    require(made == "placed", "An order that says nothing about its status is placed.")
    number = tries.accepts("an order has a number.", ORDER, who, placed, "placed", total, None)
    copy = "INSERT INTO orders (order_id, customer_ref, placed_at, total_cents) OVERRIDING SYSTEM VALUE VALUES (%s, %s, %s, %s)"
    tries.refuses("order_id and placed_at are the primary key.", UNIQUE, copy, number, who, placed, total)
    tries.refuses("order_id and placed_at are the primary key.", NOT_NULL, copy, None, who, placed, total)


def _borders(tries: Gate, connection: Any, year: int) -> None:
    moments = {
        f"{year}-10-31 23:59:59.999999+00": f"orders_{year}_10",
        f"{year}-11-01 00:00+00": f"orders_{year}_11",
        f"{year}-12-31 23:59:59.999999+00": f"orders_{year}_12",
        f"{year + 1}-01-01 00:00+00": f"orders_{year + 1}_01",
        f"{year + 1}-02-28 12:00+00": f"orders_{year + 1}_02",
        f"{year + 1}-03-31 23:30+00": f"orders_{year + 1}_03",
        f"{year}-11-30 22:30-05": f"orders_{year}_12",
    }
    for moment, name in moments.items():
        number = tries.accepts(
            "each moment of a month belongs to it, the last one too; it begins and ends at midnight UTC.",
            ORDER,
            "border",
            moment,
            "placed",
            1,
            None,
        )
        row = connection.execute(
            "SELECT tableoid::regclass::text FROM orders WHERE order_id = %s", [number]
        ).fetchone()
        require(
            row and row[0] == name,
            "An order lies in another month than the one in which it was placed. Months begin at midnight UTC "
            "on the first, whatever the TimeZone of the session that makes them.",
        )
    for moment in (f"{year}-08-31 23:59:59+00", f"{year + 1}-04-01 00:00+00"):
        tries.refuses(
            "an order of a month that has no partition is refused; months begin and end at midnight UTC.",
            CHECK,
            ORDER,
            "border",
            moment,
            "placed",
            1,
            None,
        )


def _pruning(lab: LabUnderTest, year: int, names: list[str]) -> None:
    customer = word(lab)
    with lab.sql(autocommit=True) as connection:
        connection.execute(
            """
            INSERT INTO orders (customer_ref, placed_at, total_cents)
            SELECT CASE WHEN n %% 40 = 0 THEN %s ELSE md5((n %% 500)::text) END,
                make_timestamptz(%s, 9, 1, 0, 0, 0, 'UTC') + n * interval '10 minutes', n
            FROM generate_series(0, 30000) AS n
            """,
            [customer, year],
        )
        connection.execute("VACUUM ANALYZE orders")
        start = datetime(year, 11, 1, tzinfo=UTC)
        for first, behind, own in (
            (start, datetime(year, 12, 1, tzinfo=UTC), names[2:3]),
            (
                start + timedelta(days=lab.random.randint(2, 20)),
                datetime(year, 12, lab.random.randint(2, 28), tzinfo=UTC),
                names[2:4],
            ),
        ):
            connection.execute("SET enable_seqscan = off")
            connection.execute("SET enable_bitmapscan = off")
            plan = explained(
                connection,
                "SELECT sum(total_cents) FROM orders WHERE customer_ref = %s AND placed_at >= %s AND placed_at < %s",
                customer,
                first,
                behind,
            )
            require(
                tables_of(plan) == set(own),
                "A question about some months touches other partitions than those of these months: they are not pruned.",
            )
            kinds = {node["Node Type"] for node in nodes_of(plan) if "Relation Name" in node}
            require(
                kinds == {"Index Only Scan"},
                "What a customer spent in some months is not answered from an index alone, in each month's partition.",
            )
            pages = plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]
            require(
                pages <= 12 * len(own),
                "The index on customer and time is walked through entries that do not belong to the answer: "
                "which column must come first?",
            )
