"""Checks of the saga-compensation lab: Meridian's books, read over HTTP from outside, are the judge."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from labs.checks import LabUnderTest, check, require
from sandboxes.interface import CallOutcome

SETTLE_SECONDS = 15.0
POLL_SECONDS = 0.05
DELIVERY_ROUNDS = 4
CALL_SECONDS = 20.0

Event = dict[str, Any]

NOT_SETTLED = (
    "Meridian did not come to rest: orders stayed in motion. Does your code leave a fault flag switched on?"
)


class Shop:
    """Orders on products of our own, so that nothing the notebook did before can be mistaken for them."""

    def __init__(self, lab: LabUnderTest, client: httpx.Client) -> None:
        self._lab = lab
        self._client = client
        self.skus: list[str] = []
        self.orders: list[str] = []
        self._start = self._get("/events", limit=1)["end"]

    def stock(self, units: int) -> str:
        """Put a new product on the shelf."""
        sku = f"CHK-{self._lab.random.getrandbits(40):010X}"
        self._post("/products", {"sku": sku, "name": "A product of the check", "unit_price_cents": 900})
        self._post(f"/inventory/{sku}/receipts", {"quantity": units})
        self.skus.append(sku)
        return sku

    def place(self, lines: dict[str, int], *, pays: bool) -> str:
        """Place an order whose first payment is captured or declined by its card."""
        items = [{"sku": sku, "quantity": quantity} for sku, quantity in lines.items()]
        order = self._post("/orders", {"items": items, "card": "tok_visa" if pays else "tok_declined"})
        self.orders.append(order["id"])
        return str(order["id"])

    def pay(self, order: str, *, pays: bool) -> int:
        """The customer tries another card; returns the HTTP status."""
        body = {"card": "tok_visa" if pays else "tok_declined"}
        return self._ask("POST", f"/orders/{order}/payment", json=body).status_code

    def fault(self, name: str, value: float) -> None:
        """Set a fault flag; 0 switches it off."""
        self._ask("PUT", f"/faults/{name}", json={"value": value}).raise_for_status()

    def fault_value(self, name: str) -> float:
        """How strong a fault flag is now."""
        flags = self._ask("GET", "/faults").raise_for_status().json()
        return next(float(flag["value"]) for flag in flags if flag["name"] == name)

    def clear_faults(self) -> None:
        """Switch every fault off."""
        self._ask("DELETE", "/faults").raise_for_status()

    def order(self, order: str) -> dict[str, Any]:
        """An order as it is now."""
        return self._get(f"/orders/{order}")

    def lines(self, **query: str) -> list[dict[str, Any]]:
        """Reservation lines of an order or a SKU."""
        found: list[dict[str, Any]] = []
        after: int | None = 0
        while after is not None:
            page = self._get("/inventory/reservations", **query, after=after, limit=200)
            found += page["reservations"]
            after = page["next"]
        return found

    def counters(self, sku: str) -> dict[str, Any]:
        """The counters of a SKU."""
        return self._get(f"/inventory/{sku}")

    def reach(self, order: str, *statuses: str, attempt: int | None = None) -> None:
        """Wait until an order has one of these states. Fails the task when it never does."""

        def there() -> bool:
            found = self.order(order)
            return found["status"] in statuses and attempt in (None, found["attempt"])

        require(self._await(there), NOT_SETTLED)

    def settle(self) -> None:
        """Wait until none of our orders is in motion and every confirmed one has its goods or never will."""
        for order in self.orders:
            self.reach(order, "payment_declined", "confirmed", "cancelled")
        # Inventory hears of a confirmation a moment after the order does.
        self._await(lambda: all(part["backlog"] == 0 for part in self._get("/health/readiness")["parts"]))

    def events(self, *orders: str) -> list[Event]:
        """The events of our orders, of these if named, in the order of the log."""
        wanted = set(orders or self.orders)
        found: list[Event] = []
        after = self._start
        while True:
            page = self._get("/events", after=after, limit=500)
            found += [event for event in page["events"] if event["key"] in wanted]
            after = page["next"]
            if after >= page["end"] or not page["events"]:
                return found

    def decline(self, order: str, attempt: int = 1) -> Event:
        """The event that tells of a declined attempt, as soon as it is in the log."""

        def declines() -> list[Event]:
            events = [event for event in self.events(order) if event["type"] == "PaymentDeclined"]
            return [event for event in events if event["payload"]["attempt"] == attempt]

        require(self._await(lambda: bool(declines())), NOT_SETTLED)
        return declines()[0]

    def judge(self) -> None:
        """Require every invariant of all our orders and products, each with a message of its own."""
        self.settle()
        self.require_no_damage()
        for order in map(self.order, self.orders):
            if order["status"] == "confirmed":
                continue
            lines = self.lines(order_id=order["id"])
            require(
                order["status"] == "cancelled",
                "An order whose payment was declined is not cancelled: it could still be paid.",
            )
            holds = any(line["outstanding"] > 0 for line in lines)
            require(not holds, "An order whose payment was declined still holds stock (or a part of it).")
        for stock in map(self.counters, self.skus):
            balanced = stock["available"] + stock["reserved"] + stock["sold"] == stock["stocked"]
            require(
                balanced,
                "Units vanished or came from nowhere: available + reserved + sold is not what was stocked.",
            )
            require(stock["reserved"] == 0, "Stock is reserved that no live order accounts for.")

    def require_no_damage(self) -> None:
        """Require that nothing was given away which belongs to somebody."""
        for order in map(self.order, self.orders):
            lines = self.lines(order_id=order["id"])
            if order["status"] == "confirmed":
                kept = all(line["sold"] == line["quantity"] and line["released"] == 0 for line in lines)
                require(kept, "Stock of an order that is paid was given away.")
            over = any(line["released"] > line["quantity"] for line in lines)
            require(
                not over,
                "An order's stock was released more than once: units were given away that others hold.",
            )

    def _await(self, condition: Callable[[], bool]) -> bool:
        deadline = time.monotonic() + min(SETTLE_SECONDS, self._lab.seconds_left)
        while not condition():
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL_SECONDS)
        return True

    def _get(self, path: str, **query: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self._ask("GET", path, params=query).raise_for_status().json()
        return answer

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = self._ask("POST", path, json=body).raise_for_status().json()
        return answer

    def _ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        """The answer; asked again for a while when it is 503: a busy Meridian has done nothing then."""
        deadline = time.monotonic() + min(SETTLE_SECONDS, self._lab.seconds_left)
        while True:
            answer = self._client.request(method, path, **options)
            if answer.status_code != 503 or time.monotonic() > deadline:
                return answer
            time.sleep(POLL_SECONDS)


@contextmanager
def opened(lab: LabUnderTest) -> Iterator[Shop]:
    """A shop with every fault switched off, before and after."""
    with lab.http("meridian") as client:
        shop = Shop(lab, client)
        shop.clear_faults()
        try:
            yield shop
        finally:
            shop.clear_faults()


def deliver(lab: LabUnderTest, shop: Shop, handler: str, events: list[Event]) -> None:
    """Deliver like a good consumer does: one by one; what raised comes back in a later round, a bounded number of times."""
    waiting = events
    for _ in range(DELIVERY_ROUNDS):
        outcomes = [deliver_once(lab, handler, event) for event in waiting]
        waiting = [event for event, outcome in zip(waiting, outcomes, strict=True) if outcome.error]
        if not waiting:
            return
        error = first_line(next(outcome.error for outcome in outcomes if outcome.error))
    shop.require_no_damage()  # which says more than what was raised because of it
    require(False, f"Your handler raises for an event however often it is delivered: {error}")


def first_line(error: str) -> str:
    """An exception's text as far as a message needs it."""
    return error.splitlines()[0][:200]


def deliver_once(lab: LabUnderTest, handler: str, event: Event) -> CallOutcome:
    """One delivery and how it ended."""
    return lab.call_many(handler, [[event]], workers=1, timeout=CALL_SECONDS)[0]


def baskets(lab: LabUnderTest, skus: list[str], count: int) -> list[dict[str, int]]:
    """Some orders' lines: one to three products each, one to three units of each; at least one of several lines."""
    sizes = [lab.random.randint(1, len(skus)) for _ in range(count - 1)] + [len(skus)]
    return [{sku: lab.random.randint(1, 3) for sku in lab.random.sample(skus, size)} for size in sizes]


@check("measure-the-leak")
def leak_is_measured(lab: LabUnderTest) -> None:
    """What declined orders hold is measured order by order, and the fault is switched off afterwards."""
    with opened(lab) as shop:
        for _ in range(2):
            quantity = lab.random.randint(2, 4)
            wanted = lab.random.randint(3, 5)
            served = lab.random.randint(1, wanted - 1)
            noise = lab.random.randint(1, 5)
            sku = shop.stock(noise + served * quantity + lab.random.randint(0, quantity - 1))
            other = shop.place({sku: noise}, pays=False)
            shop.reach(other, "payment_declined")
            known = {line["order_id"] for line in shop.lines(sku=sku)}

            answer = lab.call("leak", sku, quantity, wanted, timeout=CALL_SECONDS)

            require(
                shop.fault_value("payment.decline") == 0,
                "The fault payment.decline is still on after your function has returned: every later payment is declined.",
            )
            placed = [line for line in shop.lines(sku=sku) if line["order_id"] not in known]
            units = sum(line["outstanding"] for line in placed)
            require(
                len(placed) == served and all(line["quantity"] == quantity for line in placed),
                "Your function did not place the orders it was asked to place.",
            )
            declined = all(shop.order(line["order_id"])["status"] == "payment_declined" for line in placed)
            require(declined, "Not every order that your function placed was declined.")
            require(
                answer == units and not isinstance(answer, bool),
                "The number is not what these orders hold. Some of them may have got no stock; other orders hold some, too.",
            )


@check("compensate")
def declined_orders_are_undone(lab: LabUnderTest) -> None:
    """A declined order ends up cancelled and holds nothing; every other order is left alone."""
    with opened(lab) as shop:
        skus = [shop.stock(60) for _ in range(3)]
        scarce = shop.stock(1)
        for basket in baskets(lab, skus, 5):
            shop.place(basket, pays=False)
        for basket in baskets(lab, skus, 3):
            shop.place(basket, pays=True)
        shop.place({scarce: 2, skus[0]: 1}, pays=True)
        shop.settle()
        deliver(lab, shop, "compensate", shop.events())
        shop.judge()


@check("survive-redelivery")
def redelivery_changes_nothing(lab: LabUnderTest) -> None:
    """Each unit is released once, whatever is delivered again, at the same time, or after a delivery that broke off."""
    with opened(lab) as shop:
        skus = [shop.stock(150) for _ in range(3)]
        repeated, parallel, refused, lost, last = (
            [shop.place(basket, pays=False) for basket in baskets(lab, skus, 2)] for _ in range(5)
        )
        # What is released too often is taken from these: they hold enough for inventory not to notice.
        last.append(shop.place(dict.fromkeys(skus, 60), pays=False))
        paid = shop.place({skus[0]: 2}, pays=True)
        shop.settle()

        # All that happened to these orders is delivered, not only that they were declined.
        events = shop.events(*repeated, paid) * 3
        lab.random.shuffle(events)
        deliver(
            lab, shop, "compensate_once", sorted(events, key=lambda event: event["type"] == "PaymentDeclined")
        )

        # With some latency all deliveries have read before the first of them writes.
        shop.fault("inventory.latency", 0.15)
        for order in parallel:
            event = shop.decline(order)
            outcomes = lab.call_many("compensate_once", [[event]] * 8, workers=8, timeout=CALL_SECONDS)
            failed = [outcome.error for outcome in outcomes if outcome.error]
            if failed:
                shop.require_no_damage()
                require(False, f"Delivered several times at once, your handler raised: {first_line(failed[0])}")
        shop.fault("inventory.latency", 0)

        for fault, orders in (("inventory.unavailable", refused), ("inventory.lost-answers", lost)):
            for order in orders:
                event = shop.decline(order)
                shop.fault(fault, 1)
                outcome = deliver_once(lab, "compensate_once", event)
                shop.fault(fault, 0)
                holds = any(line["outstanding"] for line in shop.lines(order_id=order))
                require(
                    outcome.error or not holds,
                    "Inventory refused or did not answer, and your handler returned as if it were done: the event is lost.",
                )
                deliver(lab, shop, "compensate_once", [event, event])
        deliver(lab, shop, "compensate_once", [shop.decline(order) for order in last])
        shop.judge()


@check("survive-reordering")
def order_and_timing_do_not_matter(lab: LabUnderTest) -> None:
    """Late, early, reordered and repeated declines: what is paid keeps its stock, what is not gives it back, once."""
    handler = "compensate_in_any_order"
    with opened(lab) as shop:
        skus = [shop.stock(150) for _ in range(3)]
        # What is given away by mistake is taken from these: they hold enough for inventory not to notice.
        bystanders = [shop.place({sku: 60}, pays=False) for sku in skus]
        shop.settle()
        _reversed(lab, shop, handler, skus)
        _late(lab, shop, handler, skus)
        _declined_twice(lab, shop, handler, skus)
        _early(lab, shop, handler, skus)
        _under_way(lab, shop, handler, skus)
        _race(lab, shop, handler, skus)
        deliver(lab, shop, handler, [shop.decline(order) for order in bystanders])
        shop.judge()


def _reversed(lab: LabUnderTest, shop: Shop, handler: str, skus: list[str]) -> None:
    """The decline comes before the reservation and the creation, and once more after them."""
    orders = [shop.place(basket, pays=False) for basket in baskets(lab, skus, 3)]
    shop.settle()
    for order in orders:
        events = list(reversed(shop.events(order)))
        deliver(lab, shop, handler, [*events, shop.decline(order)])


def _late(lab: LabUnderTest, shop: Shop, handler: str, skus: list[str]) -> None:
    """The decline of attempt 1 comes after attempt 2 was captured."""
    orders = [shop.place(basket, pays=False) for basket in baskets(lab, skus, 3)]
    shop.settle()
    for order in orders:
        require(
            shop.pay(order, pays=True) == 202, "A declined order could not be paid with another card any more."
        )
    shop.settle()
    events = shop.events(*orders)
    lab.random.shuffle(events)
    deliver(lab, shop, handler, events)
    for order in orders:
        require(shop.order(order)["status"] == "confirmed", "A late decline has undone an order that was paid.")


def _declined_twice(lab: LabUnderTest, shop: Shop, handler: str, skus: list[str]) -> None:
    """Attempts 1 and 2 were both declined: two events, one order to undo."""
    orders = [shop.place(basket, pays=False) for basket in baskets(lab, skus, 2)]
    shop.settle()
    for order in orders:
        shop.pay(order, pays=False)
        shop.reach(order, "payment_declined", attempt=2)
    declines = [shop.decline(order, attempt) for order in orders for attempt in (1, 2)]
    lab.random.shuffle(declines)
    deliver(lab, shop, handler, declines)


def _early(lab: LabUnderTest, shop: Shop, handler: str, skus: list[str]) -> None:
    """The order service is behind: to it the payment is still under way when the decline is delivered."""
    order = shop.place({lab.random.choice(skus): lab.random.randint(1, 3)}, pays=False)
    shop.settle()
    # On the second attempt the order service needs no event to ask for the payment, so only the decline is held up.
    shop.fault("order.lag", 6)
    require(
        shop.pay(order, pays=False) == 202, "A declined order could not be paid with another card any more."
    )
    event = shop.decline(order, attempt=2)
    outcome = deliver_once(lab, handler, event)
    undone = shop.order(order)["status"] == "cancelled"
    shop.fault("order.lag", 0)
    shop.reach(order, "payment_declined", "cancelled")
    require(
        outcome.error or undone,
        "A decline was delivered before the order service had heard of it, and your handler returned as if it were done: "
        "nobody will ever undo that order.",
    )
    deliver(lab, shop, handler, [event])


def _under_way(lab: LabUnderTest, shop: Shop, handler: str, skus: list[str]) -> None:
    """The decline of attempt 1 comes while attempt 2 is with the gateway."""
    orders = [shop.place({sku: lab.random.randint(1, 3)}, pays=False) for sku in skus[:2]]
    shop.settle()
    shop.fault("payment.delay", 30)
    for order in orders:
        require(
            shop.pay(order, pays=True) == 202, "A declined order could not be paid with another card any more."
        )
    try:
        deliver(lab, shop, handler, [shop.decline(order) for order in orders])
    finally:
        shop.fault("payment.delay", 0)
    shop.settle()
    for order in orders:
        require(
            shop.order(order)["status"] == "confirmed",
            "An outdated decline has undone an order whose next payment attempt was under way.",
        )


def _race(lab: LabUnderTest, shop: Shop, handler: str, skus: list[str]) -> None:
    """The customer tries another card while the handler is at work; whoever comes first, the books must be right."""
    latency = 0.5
    orders = [shop.place({skus[0]: 1, skus[1]: 2}, pays=False) for _ in range(6)]
    shop.settle()
    declines = [[shop.decline(order)] for order in orders]
    # One retry before and one after each request that the handler may make to inventory, whatever requests it makes.
    moments = [latency * (number / 2 + 0.25) for number in range(len(orders))]

    def customers() -> None:
        started = time.monotonic()
        for order, moment in zip(orders, moments, strict=True):
            time.sleep(max(0.0, started + moment - time.monotonic()))
            shop.pay(order, pays=True)

    shop.fault("inventory.latency", latency)
    thread = threading.Thread(target=customers, daemon=True)
    thread.start()
    lab.call_many(handler, declines, workers=len(declines), timeout=CALL_SECONDS)
    thread.join(CALL_SECONDS)
    shop.fault("inventory.latency", 0)
    shop.settle()
    deliver(lab, shop, handler, [event for (event,) in declines])
