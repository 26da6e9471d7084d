"""Checks of explain-and-index: hidden customers and days, judged by the rows and pages that PostgreSQL itself counts."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from labs.checks import LabUnderTest, check, require

from .support import (
    MY_ORDERS,
    PAGE,
    SALES,
    SORTS,
    SPENT,
    STUCK,
    Plan,
    count_statements_and_rows,
    made_up_plan,
    only_index,
    place_orders,
    plan_of,
    share_of_the_key,
    stop_counting,
    take_counts,
    why_pages,
    why_rows_out,
    why_rows_read,
)

FIRST_DAY = datetime(2024, 1, 1, tzinfo=UTC)
HIDDEN_ORDER = 1_500_000_000
"""Where the ids of hidden orders begin."""
MANY_DAYS = 200
"""So many days hold at least a hundred of the pending orders. Of fifty the planner would rather make a bitmap and sort."""
OLD_ORDERS = 250
"""How many orders with items a hidden customer has that are too old for the page."""


@check("read-the-receipt")
def reads_what_a_statement_did(lab: LabUnderTest) -> None:
    """Reads pages, rows returned and rows looked at out of any plan."""
    plans = [made_up_plan(lab) for _ in range(6)]
    with lab.sql() as connection:
        customer = lab.random.randint(1, 1000)
        connection.execute("SET LOCAL enable_hashjoin = off")
        connection.execute("SET LOCAL enable_mergejoin = off")
        plans.append(
            plan_of(
                connection,
                """
                SELECT o.order_id, (SELECT count(*) FROM order_items i WHERE i.order_id = o.order_id) FROM orders o
                JOIN customers c USING (customer_id) WHERE c.customer_id = %s AND o.order_id < 20000
                """,
                customer,
            ).root
        )
        connection.rollback()
    for root in plans:
        plan = Plan(root)
        answer = lab.call("receipt", root, timeout=15.0)
        require(isinstance(answer, dict), "receipt must return a dictionary.")
        assert isinstance(answer, dict)
        missing = [
            key for key in ("pages", "rows_out", "rows_read") if not isinstance(answer.get(key), int | float)
        ]
        require(not missing, f"receipt has no number for: {', '.join(missing)}.")
        wrong = []
        if answer["pages"] != plan.pages:
            wrong.append(
                "`pages` is not what the statement touched in all: " + why_pages(plan, answer["pages"])
            )
        if answer["rows_out"] != plan.rows_out:
            wrong.append("`rows_out` is not what the root returned: " + why_rows_out(plan, answer["rows_out"]))
        if answer["rows_read"] != plan.rows_read:
            wrong.append(
                "`rows_read` is not what was looked at in tables: " + why_rows_read(plan, answer["rows_read"])
            )
        require(not wrong, " ".join(wrong))


@check("one-index-two-questions")
def one_index_serves_both_questions(lab: LabUnderTest) -> None:
    """Both questions read the rows that they need and no others, also for customers with many orders at one instant."""
    with only_index(lab, "my_orders") as connection:
        bulk = lab.random.randint(10_000_000, 20_000_000)
        instant = _some_day(lab, 500)
        rows = [
            (
                HIDDEN_ORDER + n,
                bulk,
                "delivered",
                str(instant if n < 700 else instant - timedelta(hours=n)),
                100 + n,
            )
            for n in range(1400)
        ]
        lab.random.shuffle(rows)
        place_orders(connection, rows)
        tame = lab.random.randint(1, 1500)
        for customer, since in ((tame, _some_day(lab, 300)), (bulk, instant - timedelta(days=20))):
            plan = plan_of(connection, MY_ORDERS, customer, since)
            who = "a bulk buyer with hundreds of orders at one instant" if customer == bulk else "a customer"
            require(
                plan.rows_read <= plan.rows_out + 5,
                f"For {who}, MY_ORDERS reads many more rows than the twenty that it shows. In which order does "
                "the index hold them?",
            )
            require(
                not plan.types & SORTS,
                f"For {who}, MY_ORDERS has to sort: the index does not hold the rows in their order, those of the "
                "same instant included.",
            )
            require(
                plan.pages <= plan.rows_out + 30,
                f"For {who}, MY_ORDERS touches many more pages than it shows rows: it walks through entries of "
                "other customers. "
                "Which column must come first?",
            )
        for customer in (tame, bulk):
            start = _some_day(lab, 400) if customer == tame else instant - timedelta(days=15)
            plan = plan_of(
                connection, SPENT, customer, start, start + timedelta(days=lab.random.randint(40, 120))
            )
            require(
                plan.types & {"Index Scan", "Index Only Scan", "Bitmap Heap Scan"},
                "SPENT does not use the index my_orders.",
            )
            counted = sum(node["Actual Rows"] for node in plan.nodes() if "Relation Name" in node)
            require(
                plan.rows_read <= counted + 5,
                "SPENT reads rows that it does not add up: the range has to narrow the search, not to filter "
                "what was found.",
            )
            require(
                plan.pages <= counted + 30,
                "SPENT touches many more pages than it adds up rows: it walks through entries of other customers.",
            )


@check("partial-index")
def the_rare_orders_have_a_small_index(lab: LabUnderTest) -> None:
    """The oldest pending orders are found in order, from an index that holds them alone."""
    with only_index(lab, "stuck_orders") as connection:
        require(
            share_of_the_key(connection, "stuck_orders") <= 0.05,
            "The index stuck_orders is too large: it holds orders that are not pending.",
        )
        before = _some_day(lab, 500, earliest=MANY_DAYS)
        chosen = lab.random.sample(range(1, 150_000), 300)
        connection.execute(
            "UPDATE orders SET status = 'pending', placed_at = placed_at - interval '900 days' WHERE order_id = ANY(%s)",
            [chosen],
        )
        for until in (before, _some_day(lab, 300, earliest=MANY_DAYS)):
            plan = plan_of(connection, STUCK, until)
            require(
                plan.rows_read <= 55,
                "STUCK reads many more rows than the fifty that it shows. In which order does the index hold "
                "the pending orders?",
            )
            require(
                not plan.types & SORTS,
                "STUCK has to sort: the index holds the pending orders in another order.",
            )
            require(plan.pages <= 130, "STUCK touches many more pages than it shows rows.")
            require(plan.rows_out == 50, "STUCK does not find the orders that have just become pending.")


@check("covering-index")
def a_day_is_added_up_without_the_table(lab: LabUnderTest) -> None:
    """The sales of some days are read from the index alone, and only their entries."""
    with lab.sql(autocommit=True) as connection:
        connection.execute("VACUUM orders")
    with only_index(lab, "sales_of_a_day") as connection:
        require(
            share_of_the_key(connection, "sales_of_a_day") <= 2,
            "The index sales_of_a_day is too large: it carries more than SALES asks for.",
        )
        for days in (1, lab.random.randint(2, 5)):
            start = _some_day(lab, 600)
            plan = plan_of(connection, SALES, start, start + timedelta(days=days))
            require(
                "Index Only Scan" in plan.types,
                "SALES is not answered from the index alone: it needs a column that the index doesn't have, or the index doesn't "
                "hold the orders of every day.",
            )
            require(
                plan.heap_fetches == 0,
                "SALES still asks the table about rows, though it has been vacuumed.",
            )
            counted = sum(node["Actual Rows"] for node in plan.nodes() if "Relation Name" in node)
            require(
                plan.rows_read <= counted + 5 and plan.pages <= 12 + counted // 60,
                "SALES reads entries of the index that it does not add up: the day has to be one stretch of it.",
            )


@check("n-plus-one")
def a_page_takes_two_statements(lab: LabUnderTest) -> None:
    """The page is the same, by at most two statements, and reads the items of its own orders alone."""
    with lab.sql() as connection:
        found = connection.execute(
            "SELECT DISTINCT customer_id FROM orders WHERE placed_at >= '2025-12-01' ORDER BY customer_id LIMIT 400"
        ).fetchall()
        known = lab.random.sample([row[0] for row in found], 3)
        fresh = lab.random.randint(10_000_000, 20_000_000)
        few, none = fresh + 1, fresh + 2
        for customer in (fresh, few, none):
            connection.execute(
                "INSERT INTO customers VALUES (%s, %s)", [customer, f"name {lab.random.getrandbits(24):06x}"]
            )
        instant = FIRST_DAY + timedelta(days=720, seconds=lab.random.randint(1, 80_000))
        # The bulk of the orders with items is older than the page: reading those of all of them shows.
        ids = lab.random.sample(range(HIDDEN_ORDER + 10_000, HIDDEN_ORDER + 90_000), OLD_ORDERS + 33)
        place_orders(
            connection,
            [
                (
                    number,
                    fresh if n < OLD_ORDERS + 30 else few,
                    "delivered",
                    str(instant + timedelta(hours=n // 3)),
                    lab.random.randint(100, 900),
                )
                for n, number in enumerate(ids)
            ],
        )
        with connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO order_items VALUES (%s, %s, %s, %s)",
                [
                    (number, line, f"SKU-{lab.random.randint(1, 9999)}", lab.random.randint(1, 9))
                    for number in ids
                    for line in lab.random.sample(range(1, 9), lab.random.choice((0, 1, 2, 5)))
                ],
            )
    wanted = {customer: _page(lab, customer) for customer in (*known, fresh, few, none)}
    count_statements_and_rows(lab)
    try:
        for customer, page in wanted.items():
            take_counts(lab)
            answer = lab.call("on_own_connection", "orders_page", customer, timeout=30.0)
            statements, shown = take_counts(lab)
            _same_page(answer, page)
            require(
                statements <= 2,
                f"A page took at least {statements} statements. Two are enough for orders, name and items, however many "
                "orders there are.",
            )
            items = sum(len(order["items"]) for order in page)
            require(
                shown <= 2 * items + 20,
                "The page reads items of orders that it does not show.",
            )
    finally:
        stop_counting(lab)


def _page(lab: LabUnderTest, customer: int) -> list[dict[str, Any]]:
    with lab.sql() as connection:
        rows = connection.execute(PAGE, [customer]).fetchall()
    return [
        {
            "order_id": order,
            "customer": name,
            "placed_at": placed.isoformat(),
            "total_cents": total,
            "items": items if isinstance(items, list) else json.loads(items),
        }
        for order, name, placed, total, items in rows
    ]


def _same_page(answer: object, page: list[dict[str, Any]]) -> None:
    require(
        isinstance(answer, list) and all(isinstance(order, dict) for order in answer),
        "orders_page must return a list of dictionaries.",
    )
    assert isinstance(answer, list)
    ids = [order.get("order_id") for order in answer]
    wanted = [order["order_id"] for order in page]
    require(
        set(wanted) <= set(ids),
        "An order is missing from the page. Does an order without items get lost in a join?",
    )
    require(
        len(ids) == len(wanted),
        "The page has more rows than orders to show: each order once, and at most twenty.",
    )
    require(
        ids == wanted,
        "The orders are not in the sequence of the slow version: the newest first, ties by order_id.",
    )
    for key in ("customer", "placed_at", "total_cents"):
        require(
            [order.get(key) for order in answer] == [order[key] for order in page],
            f"`{key}` of an order is not what the slow version gives.",
        )
    require(
        all(
            isinstance(order.get("items"), list) and len(order["items"]) == len(right["items"])
            for order, right in zip(answer, page, strict=True)
        ),
        "An order does not have its items: a list, empty when there are none.",
    )
    require(
        [order["items"] for order in answer] == [order["items"] for order in page],
        "The items of an order are not those of the slow version, in the sequence of line_no, with sku and quantity.",
    )


@check("redundant-indexes")
def finds_what_another_index_contains(lab: LabUnderTest) -> None:
    """Finds every index that another one contains, and none that is needed."""
    mark = f"{lab.random.getrandbits(32):08x}"
    sharp: list[str] = []
    reasons: dict[str, str] = {}
    with lab.sql() as connection:
        for table in ("one", "two"):
            connection.execute(
                f"CREATE TABLE t{mark}_{table} (a integer PRIMARY KEY, b integer, c integer, d integer, e text, "
                "f integer UNIQUE)"
            )
        made = iter(lab.random.sample(range(100, 999), 40))

        def make(
            on: str, goes: bool, reason: str, *, unique: bool = False, table: str = "one", name: str = ""
        ) -> None:
            name = name or f"i{mark}_{next(made)}"
            connection.execute(f"CREATE {'UNIQUE ' if unique else ''}INDEX {name} ON t{mark}_{table} {on}")
            reasons[name] = reason
            if goes:
                sharp.append(name)

        columns = ", ".join(f"c{number} integer" for number in range(1, 13))
        connection.execute(f"CREATE TABLE t{mark}_wide ({columns})")
        needed = "You report an index that is needed: "
        missed = "You miss a redundant index: "
        make("(b)", True, missed + "its column is the first one of another index's key.")
        make("(b, c)", True, missed + "its columns are the first ones of a longer key.")
        make("(b, c, d)", False, needed + "no other key begins with its columns.")
        make("(c, b)", False, needed + "the same columns in another order are another index.")
        make("(d, b)", False, needed + "the same columns in another order are another index.")
        digits = needed + "columns are the same when their whole numbers are; 1 is not the beginning of 10."
        for on in ("(c1)", "(c10, c2)", "(c3, c1)", "(c3, c12)"):
            make(on, False, digits, table="wide")
        make("(d) WHERE b > 5", False, needed + "partial ones are to stay.")
        make("(c, e) WHERE b > 5", False, needed + "partial ones are to stay.")
        make("(c, b, e) WHERE d > 5", False, needed + "partial ones are to stay.")
        make("(lower(e))", False, needed + "those on expressions are to stay.")
        make("(e, lower(e))", False, needed + "those on expressions are to stay.")
        make("(e)", False, needed + "a partial index, or one on expressions, does not contain it.")
        make("(d) INCLUDE (c)", False, needed + "what is behind INCLUDE answers questions without the table.")
        make(
            "(b, d)", False, needed + "columns behind INCLUDE are not part of another index's key.", table="two"
        )
        make(
            "(b) INCLUDE (d)",
            False,
            needed + "what is behind INCLUDE answers questions without the table.",
            table="two",
        )
        make(
            "(c, d) INCLUDE (b)",
            False,
            needed + "what is behind INCLUDE answers questions without the table.",
            table="two",
        )
        make("(c)", True, missed + "an index with INCLUDE contains it, too.", table="two")
        make("(c, d)", True, missed + "an index with INCLUDE contains it, too.", table="two")
        make("(f)", True, missed + "a unique constraint's index contains it.", table="two")
        make("(a)", True, missed + "the primary key contains it.", table="two")
        make("(a, b)", False, needed + "a longer key is not contained in a shorter one.", table="two")
        make("(e)", False, needed + "another table's index does not contain it.", table="two")
        make("(f, b)", False, needed + "unique ones are to stay.", unique=True, table="two")
        make("(d, c)", False, needed + "unique ones are to stay.", unique=True, table="two")
        make("(d, c, b)", False, needed + "no other key begins with its columns.", table="two")
        make("USING hash (c)", False, needed + "it is no B-tree.", table="one")
        make(
            "(a, e) INCLUDE (d)", False, needed + "what is behind INCLUDE answers questions without the table."
        )
        make(
            "(a, e)", True, missed + "an index with INCLUDE and the same key contains it.", name=f"i{mark}_000"
        )
        connection.execute(f"CREATE SCHEMA s{mark}")
        connection.execute(f"CREATE TABLE s{mark}.elsewhere (a integer, b integer)")
        for columns in ("a", "a, b"):
            name = f"i{mark}_{next(made)}"
            connection.execute(f"CREATE INDEX {name} ON s{mark}.elsewhere ({columns})")
            reasons[name] = "You report an index that is not in the schema public."
        equal = sorted(f"i{mark}_{next(made)}" for _ in range(2))
        for name in lab.random.sample(equal, 2):
            make(
                "(c, d, e)",
                name == equal[1],
                (missed if name == equal[1] else needed)
                + "of two equal ones the one that is later by name goes.",
                name=name,
            )
    answer = lab.call("on_own_connection", "redundant_indexes", timeout=30.0)
    require(
        isinstance(answer, list) and all(isinstance(name, str) for name in answer),
        "redundant_indexes must return a list of names.",
    )
    assert isinstance(answer, list)
    require(answer == sorted(answer, key=str), "redundant_indexes must return the names sorted.")
    require(len(answer) == len(set(map(str, answer))), "redundant_indexes names an index twice.")
    require(
        not any(str(name).endswith("_pkey") for name in answer),
        "You report a primary key's index: unique ones are to stay.",
    )
    told = {str(name) for name in answer}
    for name, reason in reasons.items():
        require((name in told) == (name in sharp), reason)
    require(
        not any(mark in name and name not in reasons for name in told),
        "You report the index of a unique constraint: unique ones are to stay.",
    )


def _some_day(lab: LabUnderTest, latest: int, earliest: int = 60) -> datetime:
    """A day of the two years, not before the third month unless `earliest` says so."""
    return FIRST_DAY + timedelta(days=lab.random.randint(earliest, latest))
