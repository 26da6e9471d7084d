"""What the checks of explain-and-index share: the questions, plans with one index at a time, counters of statements."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from labs.checks import LabUnderTest, require

MY_ORDERS = """
SELECT order_id, placed_at, total_cents, status FROM orders
WHERE customer_id = %s AND placed_at >= %s
ORDER BY placed_at DESC, order_id DESC LIMIT 20
"""
SPENT = """
SELECT count(*), sum(total_cents) FROM orders
WHERE customer_id = %s AND placed_at >= %s AND placed_at < %s
"""
STUCK = """
SELECT order_id, customer_id, placed_at FROM orders
WHERE status = 'pending' AND placed_at < %s
ORDER BY placed_at LIMIT 50
"""
SALES = """
SELECT count(*), sum(total_cents) FROM orders
WHERE placed_at >= %s AND placed_at < %s
"""
PAGE = """
SELECT o.order_id, c.name, o.placed_at, o.total_cents, (
    SELECT coalesce(json_agg(json_build_object('sku', i.sku, 'quantity', i.quantity) ORDER BY i.line_no), '[]')
    FROM order_items i WHERE i.order_id = o.order_id
)
FROM orders o JOIN customers c USING (customer_id) WHERE o.customer_id = %s
ORDER BY o.placed_at DESC, o.order_id DESC LIMIT 20
"""
SORTS = {"Sort", "Incremental Sort"}
FILTER = "Rows Removed by Filter"
RECHECK = "Rows Removed by Index Recheck"
COUNTED = ("customers", "orders", "order_items")


@dataclass(frozen=True)
class Plan:
    """What one statement did."""

    root: dict[str, Any]

    def nodes(self) -> Iterator[dict[str, Any]]:
        """Every node, the root first."""
        waiting = [self.root]
        while waiting:
            node = waiting.pop()
            yield node
            waiting += node.get("Plans", [])

    @property
    def pages(self) -> int:
        """Pages of the whole statement, hit and read."""
        return int(self.root["Shared Hit Blocks"] + self.root["Shared Read Blocks"])

    @property
    def rows_out(self) -> int:
        """Rows that it returned."""
        return int(self.root["Actual Rows"] * self.root["Actual Loops"])

    @property
    def rows_read(self) -> int:
        """Rows looked at in tables."""
        return sum(
            (node["Actual Rows"] + node.get(FILTER, 0) + node.get(RECHECK, 0)) * node["Actual Loops"]
            for node in self.nodes()
            if "Relation Name" in node
        )

    @property
    def types(self) -> set[str]:
        """The kinds of its nodes."""
        return {node["Node Type"] for node in self.nodes()}

    @property
    def heap_fetches(self) -> int:
        """How often an index-only scan had to ask the table."""
        return sum(node.get("Heap Fetches", 0) * node["Actual Loops"] for node in self.nodes())


def why_pages(plan: Plan, told: float) -> str:
    """What is probably wrong with the pages that somebody read out of a plan."""
    root = plan.root
    mistakes = {
        root["Shared Hit Blocks"]: "those that were read are missing.",
        root["Shared Read Blocks"]: "those that were found in memory are missing.",
        sum(node["Shared Hit Blocks"] + node["Shared Read Blocks"] for node in plan.nodes()): (
            "those of the nodes below are counted twice, since a node's pages contain them."
        ),
    }
    return mistakes.get(told, "are both kinds of pages in it, and is each counted once?")


def why_rows_out(plan: Plan, told: float) -> str:
    """What is probably wrong with the rows returned that somebody read out of a plan."""
    root = plan.root
    mistakes = {
        root["Actual Rows"]: "it is the average of one loop.",
        root["Plan Rows"]: "it is what the planner expected.",
    }
    return mistakes.get(told, "its rows are an average over its loops.")


def why_rows_read(plan: Plan, told: float) -> str:
    """What is probably wrong with the rows looked at that somebody read out of a plan."""

    def total(nodes: Iterable[dict[str, Any]], *removed: str, loops: bool = True) -> int:
        return sum(
            (node["Actual Rows"] + sum(node.get(key, 0) for key in removed))
            * (node["Actual Loops"] if loops else 1)
            for node in nodes
        )

    tables = [node for node in plan.nodes() if "Relation Name" in node]
    # Where two mistakes come to the same number, the later and narrower one is told.
    mistakes = {
        total(tables): "rows that were removed are missing.",
        total(tables, FILTER): "rows that an index recheck removed are missing.",
        total(tables, RECHECK): "rows that a filter removed are missing.",
        total(
            tables, FILTER, RECHECK, loops=False
        ): "it has one loop of each node, and rows are averages over them.",
        total(plan.nodes(), FILTER, RECHECK): "it has rows of nodes that read no table, too.",
        total((node for node in plan.root.get("Plans", []) if "Relation Name" in node), FILTER, RECHECK): (
            "it has the nodes right below the root, and some are deeper."
        ),
    }
    return mistakes.get(
        told,
        "are removed rows in it, of both kinds, over all loops, of every node with a Relation Name, however deep, and of "
        "no others?",
    )


def plan_of(connection: Any, sql: str, *values: Any) -> Plan:
    """The plan of a statement that ran, by one process."""
    connection.execute("SET max_parallel_workers_per_gather = 0")
    row = connection.execute("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + sql, list(values)).fetchone()
    return Plan(row[0][0]["Plan"])


@contextmanager
def only_index(lab: LabUnderTest, name: str) -> Iterator[Any]:
    """A connection that sees this index of `orders` alone, beside the primary key; what happens in it is rolled back."""
    with lab.sql() as connection:
        found = connection.execute(
            """
            SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
            WHERE i.indrelid = 'orders'::regclass AND NOT i.indisprimary
            """
        ).fetchall()
        names = [row[0] for row in found]
        require(
            name in names, f"There is no index {name} on orders. Does your cell call index(…) with that name?"
        )
        for other in names:
            if other != name:
                connection.execute(f'DROP INDEX "{other}"')
        try:
            yield connection
        finally:
            connection.rollback()


def share_of_the_key(connection: Any, name: str) -> float:
    """The index's size by that of the primary key."""
    row = connection.execute(
        "SELECT pg_relation_size(%s::regclass)::float / pg_relation_size('orders_pkey'::regclass)", [name]
    ).fetchone()
    return float(row[0])


def place_orders(connection: Any, rows: Sequence[tuple[int, int, str, str, int]]) -> None:
    """Orders of (order_id, customer_id, status, placed_at, total_cents)."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO orders (order_id, customer_id, status, placed_at, total_cents, note) VALUES (%s, %s, "
            "%s, %s, %s, '')",
            rows,
        )


def count_statements_and_rows(lab: LabUnderTest) -> None:
    """From now on the database counts the statements that ask the page's tables, and the items that it shows them.

    A policy's sub-select runs once for each statement and table, if any row is found; statements are told apart by their
    time. Its other part runs once a row. The planner takes IS NOT NULL for true of nearly every row,
    so it expects the rows that it would expect anyway. What else could turn a right answer's plan is settled: a row of items
    is dear, as if there were many more of them, and an index finds a customer's orders whether or not that task is done.
    """
    with lab.sql() as connection:
        connection.execute(
            """
            CREATE INDEX counting_orders ON orders (customer_id, placed_at, order_id);
            CREATE SEQUENCE counting_last;
            CREATE SEQUENCE counting_statements;
            CREATE SEQUENCE counting_items;
            CREATE FUNCTION counting_asked() RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
            DECLARE
                this bigint := extract(epoch FROM statement_timestamp()) * 1000000;
            BEGIN
                IF this <> (SELECT last_value FROM counting_last) THEN
                    PERFORM setval('counting_last', this), nextval('counting_statements');
                END IF;
                RETURN this;
            END
            $$;
            CREATE FUNCTION counting_item() RETURNS bigint LANGUAGE plpgsql VOLATILE COST 100 AS $$
            BEGIN
                RETURN nextval('counting_items');
            END
            $$;
            """
        )
        for table in COUNTED:
            rows = "AND counting_item() IS NOT NULL" if table == "order_items" else ""
            connection.execute(
                f"""
                ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
                ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
                CREATE POLICY counting ON {table} USING ((SELECT counting_asked()) IS NOT NULL {rows});
                """
            )


def stop_counting(lab: LabUnderTest) -> None:
    """As it was before."""
    with lab.sql() as connection:
        for table in COUNTED:
            connection.execute(
                f"DROP POLICY counting ON {table}; ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY; "
                f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY"
            )
        connection.execute(
            "DROP FUNCTION counting_asked, counting_item; DROP SEQUENCE counting_last, counting_statements, counting_items; "
            "DROP INDEX counting_orders"
        )


def take_counts(lab: LabUnderTest) -> tuple[int, int]:
    """Statements that asked the page's tables, and items that they were shown, since this was last called."""
    with lab.sql() as connection:
        row = connection.execute(
            """
            SELECT CASE WHEN s.is_called THEN s.last_value ELSE 0 END, CASE WHEN i.is_called THEN i.last_value ELSE 0 END
            FROM counting_statements s, counting_items i
            """
        ).fetchone()
        connection.execute("ALTER SEQUENCE counting_statements RESTART; ALTER SEQUENCE counting_items RESTART")
    return int(row[0]), int(row[1])


def made_up_plan(lab: LabUnderTest, depth: int = 0) -> dict[str, Any]:
    """A plan as PostgreSQL might have told it, with numbers of our own."""
    pick = lab.random.randint
    scans = depth >= 3 or (depth > 0 and lab.random.random() < 0.4)
    node: dict[str, Any] = {
        "Node Type": lab.random.choice(
            ["Seq Scan", "Index Scan", "Bitmap Heap Scan"]
            if scans
            else ["Nested Loop", "Hash Join", "Sort", "Limit"]
        ),
        "Plan Rows": pick(1, 900),
        "Actual Rows": pick(1, 900),
        "Actual Loops": pick(2, 60),
        "Shared Hit Blocks": pick(100, 9_000),
        "Shared Read Blocks": pick(100, 9_000),
    }
    if scans:
        node["Relation Name"] = lab.random.choice(["orders", "parcels", "customers"])
        for key in (FILTER, RECHECK):
            if lab.random.random() < 0.6:
                node[key] = pick(1, 9_000)
    else:
        if lab.random.random() < 0.3:
            node[FILTER] = pick(1, 900)
        node["Plans"] = [made_up_plan(lab, depth + 1) for _ in range(pick(1, 2 if depth else 3))]
    if node["Node Type"] == "Bitmap Heap Scan":
        node["Plans"] = [{**made_up_plan_of_an_index(lab), "Parent Relationship": "Outer"}]
    return node


def made_up_plan_of_an_index(lab: LabUnderTest) -> dict[str, Any]:
    """A bitmap index scan, which names an index and no table."""
    pick = lab.random.randint
    return {
        "Node Type": "Bitmap Index Scan",
        "Index Name": "orders_of_a_day",
        "Plan Rows": pick(1, 900),
        "Actual Rows": pick(1, 900),
        "Actual Loops": pick(2, 60),
        "Shared Hit Blocks": pick(1, 90),
        "Shared Read Blocks": pick(1, 90),
    }
