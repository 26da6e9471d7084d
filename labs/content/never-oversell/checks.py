"""Checks of never-oversell: hidden products, quantities and timings, judged by what the three tables say afterwards."""

from __future__ import annotations

from labs.attempts import (
    GAVE_UP,
    MAX_ATTEMPTS,
    attempt,
    attempt_with_pauses,
    require_end,
    require_random,
    require_schedule,
    rush,
)
from labs.checks import LabUnderTest, check, require
from labs.choices import require_choices
from labs.failing_writes import writes_of
from labs.rivals import Rival, against_rival, rows_to_have

from .support import Warehouse, force_conflicts, rival_takes

WORKERS = 32
CONFLICTS = MAX_ATTEMPTS + 10
"""After so many forced conflicts a write succeeds again, so that a function which never gives up comes back."""

Call = tuple[str, str, int]
"""Order, product, quantity."""


def keeps_simple_books(lab: LabUnderTest, function: str) -> None:
    """One caller, no race: enough, exactly enough, too much, nothing left, no such product."""
    warehouse = Warehouse(lab)
    much = lab.random.randint(6, 12)
    product, exact, empty = warehouse.stock(much, lab.random.randint(2, 5), 0)
    wanted: dict[str, list[tuple[str, int]]] = {}

    def ask(item: str, quantity: int, expected: bool, message: str) -> None:
        order = warehouse.order()
        require(attempt(lab, function, order, item, quantity) is expected, message)
        if expected:
            wanted[order] = [(item, quantity)]
        warehouse.judge(wanted)

    ask(
        product,
        lab.random.randint(2, 4),
        True,
        "With enough in stock and nobody else about, a reservation must succeed.",
    )
    ask(exact, warehouse.stocked[exact], True, "An order for exactly what is left must succeed.")
    ask(product, much, False, "An order for more than is left must return False.")
    ask(empty, 1, False, "An order for a product that is sold out must return False.")
    ask(
        f"none-{lab.random.getrandbits(32):08x}",
        1,
        False,
        "An order for a product that does not exist must return False.",
    )
    ask(product, 1, True, "After an order that was refused, the next one that fits must succeed.")


def meets_a_rival(lab: LabUnderTest, function: str) -> None:
    """Another transaction takes from the row between the call's read and its write."""
    for leaves_enough in (True, False):
        warehouse = Warehouse(lab)
        wants = lab.random.randint(2, 4)
        taken = lab.random.randint(2, 5)
        left = wants + lab.random.randint(0, 2) if leaves_enough else wants - 1
        (product,) = warehouse.stock(taken + left)
        rival, order = warehouse.order(), warehouse.order()
        result = against_rival(
            lab,
            rival_takes(product, taken, rival),
            lambda order=order, product=product, wants=wants: attempt(lab, function, order, product, wants),  # type: ignore[misc]
        ).result
        wanted = {rival: [(product, taken)]}
        if result is True:
            wanted[order] = [(product, wants)]
        warehouse.judge(wanted)
        if leaves_enough:
            require(
                result is True,
                "A sale was lost: another transaction changed the row in between, there was still enough, yet you did not sell.",
            )
        else:
            require(
                result is False,
                "Another transaction took the last units in between. That is a sell-out: the answer must be False.",
            )


def survives_the_rush(lab: LabUnderTest, function: str, may_give_up: bool) -> None:
    """A hidden mix of scarce and plentiful products, from 32 connections at once."""
    warehouse = Warehouse(lab)
    scarce = warehouse.stock(*(lab.random.randint(8, 16) for _ in range(3)))
    plentiful = warehouse.stock(*(lab.random.randint(120, 160) for _ in range(6)))
    calls: list[Call] = [
        (warehouse.order(), product, lab.random.randint(1, 3)) for product in scarce for _ in range(24)
    ]
    calls += [
        (warehouse.order(), product, lab.random.randint(1, 3)) for product in plentiful for _ in range(18)
    ]
    lab.random.shuffle(calls)
    results = rush(lab, function, calls, WORKERS)
    asked = list(zip(calls, results, strict=True))
    warehouse.judge(
        {order: [(product, quantity)] for (order, product, quantity), result in asked if result is True}
    )
    left = {product: row.available for product, row in warehouse.rows().items()}
    require(
        not any(result is False and quantity <= left[product] for (_, product, quantity), result in asked),
        "You refused an order although there was enough in stock for it, from first to last.",
    )
    given_up = sum(result == GAVE_UP for (_, product, _), result in asked if product in plentiful)
    if may_give_up:
        share = given_up / (len(plentiful) * 18)
        require(
            share <= 0.1, "Sales were lost: with plenty in stock, too many orders gave up. Allow more attempts."
        )
    else:
        require(
            not any(result == GAVE_UP for result in results),
            "There is nothing to give up on here: answer True or False.",
        )


@check("measure-oversell")
def measures_every_unit_promised_too_often(lab: LabUnderTest) -> None:
    """Finds every product that was oversold, by how much, and no other."""
    warehouse = Warehouse(lab)
    pick = lab.random.randint
    products = warehouse.stock(*(pick(6, 20) for _ in range(8)))
    with lab.sql() as connection:
        # Promised before the first delivery: oversold by all of it.
        connection.execute("DELETE FROM deliveries WHERE product_id = %s", [products[0]])
        for index, product in enumerate(products):
            stocked = 0 if index == 0 else warehouse.stocked[product]
            too_many = [pick(3, 9), pick(1, 5), pick(6, 12), pick(20, 40), 0, -1, -pick(2, 4), -stocked][index]
            for quantity in _parts(lab, stocked + too_many):
                connection.execute(
                    "INSERT INTO reservations (order_id, product_id, quantity) VALUES (%s, %s, %s)",
                    [warehouse.order(), product, quantity],
                )
            if stocked:
                # The counters as lost updates leave them: consistent with each other, and wrong.
                reserved = min(stocked, pick(0, stocked))
                connection.execute(
                    "UPDATE inventory SET available_quantity = %s, reserved_quantity = %s WHERE product_id = %s",
                    [stocked - reserved, reserved, product],
                )
    with lab.sql() as connection:
        truth = dict(
            connection.execute(
                """
                SELECT product_id, excess FROM (
                    SELECT product_id,
                        (SELECT coalesce(sum(quantity), 0) FROM reservations r WHERE r.product_id = i.product_id)::int
                        - (SELECT coalesce(sum(quantity), 0) FROM deliveries d WHERE d.product_id = i.product_id)::int AS excess
                    FROM inventory i
                ) AS sums WHERE excess > 0
                """
            ).fetchall()
        )
    answer = lab.call("on_own_connection", "oversold", timeout=10)
    require(isinstance(answer, dict), "oversold must return a dictionary {product_id: units}.")
    assert isinstance(answer, dict)
    require(
        all(isinstance(units, int) and not isinstance(units, bool) for units in answer.values()),
        "The units in the dictionary must be whole numbers (int): cast sums in SQL with ::int, or convert them in Python.",
    )
    require(
        set(truth) <= set(answer),
        "There is a product of which more was promised than delivered, and you don't report it.",
    )
    require(
        set(answer) <= set(truth),
        "You report a product that was not oversold: no more was promised than was delivered.",
    )
    require(
        answer == truth, "You report the right products, but not how many units too many were promised of each."
    )


@check("optimistic-lock")
def version_check_never_oversells_and_retries_with_measure(lab: LabUnderTest) -> None:
    """Never oversells, loses no sale to a passing conflict, and gives up cleanly after a bounded number of jittered retries."""
    function = "reserve_optimistic"
    keeps_simple_books(lab, function)
    meets_a_rival(lab, function)

    warehouse = Warehouse(lab)
    quantity = lab.random.randint(1, 3)
    (product,) = warehouse.stock(lab.random.randint(20, 40))
    force_conflicts(lab, product, 2)
    order = warehouse.order()
    result = attempt(lab, function, order, product, quantity)
    warehouse.judge({order: [(product, quantity)]} if result is True else {})
    require(
        result is True,
        "A sale was lost: after two conflicts in a row, with plenty in stock, you did not reserve.",
    )

    schedules = []
    for _ in range(2):
        warehouse = Warehouse(lab)
        (product,) = warehouse.stock(lab.random.randint(20, 40))
        counter = force_conflicts(lab, product, CONFLICTS)
        result, pauses = attempt_with_pauses(lab, function, warehouse.order(), product, 1, timeout=30.0)
        tries = writes_of(lab, counter)
        require_end(tries)
        warehouse.judge({})
        require(
            result == GAVE_UP,
            "When every attempt meets a conflict, raise GaveUp: it is neither a sale nor a sell-out.",
        )
        schedules.append(require_schedule(tries, pauses))
    require_random(*schedules)
    survives_the_rush(lab, function, may_give_up=True)


@check("conditional-update")
def conditional_update_never_oversells_and_never_gives_up(lab: LabUnderTest) -> None:
    """Never oversells and never loses a sale: the database answers the question and makes the change in one step."""
    function = "reserve_conditional"
    keeps_simple_books(lab, function)
    meets_a_rival(lab, function)
    survives_the_rush(lab, function, may_give_up=False)


@check("whole-orders")
def orders_are_whole_and_cannot_deadlock(lab: LabUnderTest) -> None:
    """Reserves every line of an order or none, and locks rows in a sequence that can't deadlock."""
    function = "reserve_order"
    warehouse = Warehouse(lab)
    first, second, third = warehouse.stock(*(lab.random.randint(5, 9) for _ in range(3)))
    order = warehouse.order()
    lines = {third: lab.random.randint(1, 3), first: lab.random.randint(1, 3)}
    require(
        attempt(lab, function, order, lines) is True, "With enough of every product, an order must succeed."
    )
    wanted = {order: list(lines.items())}
    warehouse.judge(wanted)
    for short in (first, second, third):
        # Each line in turn is the one that can't be had, so the refusal comes after none, one and two good lines.
        lines = dict.fromkeys((first, second, third), 1) | {short: warehouse.stocked[short] + 1}
        refused = attempt(lab, function, warehouse.order(), lines)
        warehouse.judge(wanted)
        require(refused is False, "An order with a line that can't be had must return False.")

    _locks_in_one_sequence(lab, function)
    _takes_no_stale_answer(lab, function)

    warehouse = Warehouse(lab)
    products = warehouse.stock(*(lab.random.randint(30, 70) for _ in range(8)))
    calls = []
    for _ in range(120):
        chosen = lab.random.sample(products, lab.random.randint(2, 4))
        calls.append((warehouse.order(), {product: lab.random.randint(1, 2) for product in chosen}))
    results = rush(lab, function, calls, WORKERS)
    warehouse.judge(
        {
            order: list(lines.items())
            for (order, lines), result in zip(calls, results, strict=True)
            if result is True
        }
    )
    left = {product: row.available for product, row in warehouse.rows().items()}
    for (_, lines), result in zip(calls, results, strict=True):
        require(result != GAVE_UP, "There is nothing to give up on here: answer True or False.")
        fits = all(quantity <= left[product] for product, quantity in lines.items())
        require(
            result is True or not fits,
            "You refused an order although there was enough in stock for every line of it.",
        )


def _locks_in_one_sequence(lab: LabUnderTest, function: str) -> None:
    """Hold one row and see which others the call has locked when it waits: that must not depend on the lines' sequence."""
    warehouse = Warehouse(lab)
    products = sorted(warehouse.stock(*(lab.random.randint(20, 30) for _ in range(4))))
    wanted: dict[str, list[tuple[str, int]]] = {}
    held: list[frozenset[str]] = []

    def look(rival: Rival) -> None:
        free = rows_to_have(
            rival,
            "SELECT product_id FROM inventory WHERE product_id = ANY (%s) FOR NO KEY UPDATE SKIP LOCKED",
            [products],
        )
        held.append(frozenset(products) - {product for (product,) in free})

    for sequence in (products, products[::-1], products[2:] + products[:2]):
        order, lines = warehouse.order(), dict.fromkeys(sequence, 1)
        result = against_rival(
            lab,
            lambda rival: rival.execute(
                "UPDATE inventory SET updated_at = now() WHERE product_id = %s", [products[1]]
            ),
            lambda order=order, lines=lines: attempt(lab, function, order, lines),  # type: ignore[misc]
            look,
        ).result
        require(
            result is True,
            "With enough of every product, an order must succeed, also when it had to wait for a row.",
        )
        wanted[order] = list(lines.items())
    warehouse.judge(wanted)
    require(
        len(set(held)) <= 1,
        "Two orders of the same products can deadlock: which rows you lock first depends on the sequence of the lines. "
        "Lock them in the same sequence, whatever the customer clicked first.",
    )


def _takes_no_stale_answer(lab: LabUnderTest, function: str) -> None:
    """Another transaction takes the last units of one line while the order waits for it."""
    warehouse = Warehouse(lab)
    last, other = warehouse.stock(lab.random.randint(3, 6), lab.random.randint(8, 12))
    rival, order = warehouse.order(), warehouse.order()
    result = against_rival(
        lab,
        rival_takes(last, warehouse.stocked[last], rival),
        lambda: attempt(lab, function, order, {last: 1, other: 1}),
    ).result
    warehouse.judge({rival: [(last, warehouse.stocked[last])]})
    require(
        result is False,
        "Another transaction took the last units of one line in between: the answer must be False.",
    )


FACTS = {
    "retries_optimistic": "grow",
    "retries_conditional": "none at all",
    "waits_conditional": "queue for the row lock inside the database",
    "wasted_work": "optimistic",
    "unordered_orders": "are aborted as deadlocks now and then",
    "four_minutes": "the version that the form was loaded with",
    "ten_times": "splitting its stock over several rows",
}
WHERE_TO_LOOK = {
    "retries_optimistic": "the column `retries per sale` of the table",
    "retries_conditional": "the column `retries per sale` of the table",
    "waits_conditional": "section 3, what PostgreSQL does when two updates meet",
    "wasted_work": "what happens to a read and a write that end in a retry",
    "unordered_orders": "section 4, and what `rush` reports when you take the ordering out",
    "four_minutes": "which of the two ways can hold on to what somebody saw minutes ago, without a transaction",
    "ten_times": "what the 32 connections wait for when all want the same row",
}


@check("trade-offs")
def choices_agree_with_the_measurements(lab: LabUnderTest) -> None:
    """Every choice agrees with what the measurements and the database show."""
    require_choices(lab, FACTS, WHERE_TO_LOOK)


def _parts(lab: LabUnderTest, total: int) -> list[int]:
    """Split a number of units into two or more orders where it can be."""
    parts = []
    while total > 0:
        part = lab.random.randint(1, max(1, total // 2))
        parts.append(part)
        total -= part
    return parts
