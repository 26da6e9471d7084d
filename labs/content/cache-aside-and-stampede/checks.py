"""Checks of cache-aside-and-stampede: hidden products and bad moments, judged by keys and by what the database was asked."""

from __future__ import annotations

import math
import time
from typing import Any

from labs.checks import LabUnderTest, check, require
from labs.given_cells import given_list

from .support import (
    MOST_COMMANDS,
    PAGE_MS,
    Shop,
    fill_key,
    fresh_key,
    page_key,
    require_life,
    while_held,
)


@check("aside")
def remembers_pages_and_absences_for_a_spread_time(lab: LabUnderTest) -> None:
    """Asks the database once for what is remembered, pages and absences, and lets no two fills end together."""
    shop = Shop(lab)
    product, price = shop.product()
    for _ in range(3):
        require(
            shop.read("read_page", product) == price, "read_page does not give the page that the database has."
        )
    require(
        shop.loads(product) == 1,
        "A page that is remembered was loaded again, or the database was asked twice for one miss.",
    )
    many = shop.products(120)
    told = shop.read_all("read_page", list(many))
    require(
        [one for one, _ in told] == list(many.values()),
        "Of many products some page is not that of its product.",
    )
    lives = sorted(life for _, life in told)
    require_life(lives, *PAGE_MS, "A page")
    first, last, low, high = (lives[index] / 1000 for index in (0, -1, 12, -13))
    require(
        low <= 56.8 and high >= 63.2,
        f"The lives of 120 pages lie between {first:.1f} and {last:.1f} s, eight in ten of them between "
        f"{low:.1f} and {high:.1f} s: they must be drawn over the whole range from 54 to 66 s, evenly.",
    )
    absent = [shop.name() for _ in range(12)]
    told = shop.read_all("read_page", absent)
    require(
        all(one is None for one, _ in told), "For a product that does not exist read_page must return None."
    )
    require_life([life for _, life in told], 2_000, 10_000, "That there is no such product")
    with lab.redis() as client:
        # However slow the machine is, what was remembered is there when it is asked for again.
        absent = [one for one in absent if client.pexpire(page_key(one), 60_000)] or absent
    again = shop.read_all("read_page", absent)
    require(all(one is None for one, _ in again), "A remembered absence must be None, as at first.")
    require(
        all(shop.loads(one) == 1 for one in absent),
        "A product that does not exist was looked up in the database again: its absence must be remembered, too.",
    )
    created = shop.create(absent[0])
    with lab.redis() as client:
        client.delete(page_key(absent[0]))
    require(
        shop.read("read_page", absent[0]) == created,
        "A product was created and the remembered absence is over, and read_page does not see it.",
    )
    for exists in (True, False):
        for after in range(1, MOST_COMMANDS + 1):
            product = shop.product()[0] if exists else shop.name()
            stopped = shop.read_while(after, ["dies"], "read_page", product)
            with lab.redis() as client:
                require(
                    client.pttl(page_key(product)) != -1,
                    "The process ended after one of its commands and left something in the cache that never "
                    "expires: a value and its life must come in one command.",
                )
            if stopped["raised"] is None:
                break


@check("one-flight")
def threads_share_one_load(lab: LabUnderTest) -> None:
    """One load for all threads that ask at the same time, its exception too, and nothing kept afterwards."""
    count, rounds = lab.random.randint(5, 8), 3
    key, other = f"k{lab.random.getrandbits(32):08x}", f"m{lab.random.getrandbits(32):08x}"
    for number, told in enumerate(_together(lab, [key] * count, False, rounds)):
        require(
            told["loads"] == [key],
            "Threads asked for the same key at the same time, and it was not loaded exactly once."
            if number == 0
            else "When a flight was over, the next call did not load anew, exactly once: nothing must be kept.",
        )
        require(
            told["got"] == [f"{key}: round {number}"] * count,
            "A thread did not get what the load of its own time gave.",
        )
    keys = [key, other] * 3
    (told,) = _together(lab, keys, False, 1)
    require(
        not any(isinstance(one, str) and one.endswith("alone") for one in told["got"]),
        "Two keys waited for each other: while one is loaded, another one must be loaded, too.",
    )
    require(told["loads"] == sorted({key, other}), "With two keys at the same time, each must be loaded once.")
    require(
        told["got"] == [f"{one}: round 0" for one in keys],
        "With two keys at the same time a thread got what belongs to the other key.",
    )
    # One by one: who waits for what never comes need not do so twice.
    failed = [_together(lab, [other] * count, True, 1)[0] for _ in range(2)]
    require(
        all(set(told["got"]) == {"LoadFailed"} for told in failed),
        "The load raised, and not every thread that waited for it got that exception.",
    )
    require(
        all(told["loads"] == [other] for told in failed),
        "The load raised: it must be tried once for those who wait together, and anew by those who come later.",
    )


def _together(lab: LabUnderTest, keys: list[str], fails: bool, rounds: int) -> list[dict[str, Any]]:
    answers = given_list(lab, "together", keys, fails, rounds, count=rounds, timeout=60.0)
    waiting = max(list(told["got"]).count("still waiting") for told in answers)
    require(
        not waiting,
        f"load() raised in the first thread, and {waiting} of {len(keys)} threads still waited long after: "
        "they must get its exception."
        if fails
        else f"The load was over, and {waiting} of {len(keys)} threads that had called fly still waited long after.",
    )
    return answers


@check("one-loader")
def one_process_loads_and_the_others_wait(lab: LabUnderTest) -> None:
    """One loader over all processes, who looks again, gives back only its own lock, and holds nobody up for ever."""
    shop, since = Shop(lab), time.monotonic()
    product, price = shop.product(slow_ms=60)
    outcomes = lab.call_many("read_all", [["read_once", [product]]] * 40, workers=40, timeout=40.0)
    require(
        all(outcome.error is None and outcome.value and outcome.value[0][0] == price for outcome in outcomes),  # type: ignore[index]
        "Forty readers met a cold key, and not all of them got its page.",
    )
    loads = shop.loads(product)
    require(
        loads == 1, f"Forty readers met a cold key, and the database was asked {loads} times: once is enough."
    )
    with lab.redis() as client:
        require(client.get(fill_key(product)) is None, "The page is loaded, and the lock is still taken.")
        require_life([int(client.pttl(page_key(product)))], *PAGE_MS, "A page", since)
    require(shop.read("read_once", product) == price, "A remembered page is not that of its product.")
    require(shop.loads(product) == 1, "A page that is remembered was loaded again.")
    _waits_for_others(shop)
    _goes_on_without_others(shop)
    _looks_again(shop)
    _gives_back_its_own(shop)


def _cold(shop: Shop) -> tuple[str, int, int]:
    """A product whose page nobody has; its price, and how often it was loaded so far."""
    product, price = shop.product()
    shop.lab.call("cold", product, timeout=15.0)
    return product, price, shop.loads(product)


def _waits_for_others(shop: Shop) -> None:
    product, price, before = _cold(shop)
    got, _ = while_held(shop, product, 0.4, "fill")
    require(
        got == price, "Another process filled the page while read_once waited, and it did not return that page."
    )
    require(
        shop.loads(product) == before,
        "Another process was loading, and read_once asked the database all the same.",
    )
    product, price, before = _cold(shop)
    got, _ = while_held(shop, product, 0.2, "fill only")
    require(
        got == price and shop.loads(product) == before,
        "Another process filled the page and died before it gave the lock back. The page was there, and "
        "read_once asked the database all the same: who waits must look for the page, and not only for the "
        "lock.",
    )
    product, price, before = _cold(shop)
    got, _ = while_held(shop, product, 0.4, "end")
    require(
        got == price,
        "The process that held the lock died, and read_once returned something else than the page.",
    )
    require(
        shop.loads(product) == before + 1,
        "The process that held the lock died: read_once must take over and load once.",
    )
    with shop.lab.redis() as client:
        require(
            client.exists(page_key(product)),
            "read_once took over from a process that had died, and did not fill the page for the others.",
        )


def _goes_on_without_others(shop: Shop) -> None:
    product, price, before = _cold(shop)
    got, lock = while_held(shop, product, 15.0, "stay")
    require(
        got == price and shop.loads(product) == before + 1,
        "Another process held the lock and did nothing: after WAIT_SECONDS read_once must load without it.",
    )
    require(
        str(lock).startswith("other-"),
        "Another process held the lock, and read_once took it away or gave it back.",
    )


def _looks_again(shop: Shop) -> None:
    product, price, before = _cold(shop)
    told = shop.read_while(1, ["other_fills", product], "read_once", product)
    require(
        told["price"] == price, "Another process filled the page right after the miss, and read_once lost it."
    )
    require(
        shop.loads(product) == before,
        "Between the miss and the lock another process filled the page, and read_once loaded again. Look again under the lock.",
    )


def _gives_back_its_own(shop: Shop) -> None:
    product, price, _ = _cold(shop)
    told = shop.read_while(0, ["load_fails"], "read_once", product)
    require(told["raised"] == "LoadFailed", "Loading raised, and the exception did not come out of read_once.")
    with shop.lab.redis() as client:
        require(
            client.get(fill_key(product)) is None,
            "Loading raised, and the lock is still taken: everybody waits for its lease to end.",
        )
    require(shop.read("read_once", product) == price, "After a load that raised, the next one must succeed.")
    product, price, _ = _cold(shop)
    other = f"other-{shop.lab.random.getrandbits(64):016x}"
    told = shop.read_while(0, ["other_locks", product, other, 60_000], "read_once", product)
    require(
        told["price"] == price,
        "The lease ran out while read_once loaded; it must return its page all the same.",
    )
    with shop.lab.redis() as client:
        require(
            client.get(fill_key(product)) == other,
            "The lease ran out while read_once loaded and another process took the lock: read_once gave back theirs.",
        )
    for after in range(1, MOST_COMMANDS + 1):
        product, price, _ = _cold(shop)
        told = shop.read_while(after, ["dies"], "read_once", product)
        with shop.lab.redis() as client:
            require(
                client.pttl(fill_key(product)) != -1,
                "The process ended after one of its commands and left a lock without a lease: nobody loads this page any more.",
            )
        if told["raised"] is None:
            return


THROWS = 2_000


@check("early-refresh")
def refreshes_early_with_the_chance_of_the_rule(lab: LabUnderTest) -> None:
    """The chance to refresh is that of an exponential distribution whose mean is the time that loading takes."""
    for _ in range(2):
        load_ms = lab.random.randint(5, 400)
        for share in (lab.random.uniform(0.1, 0.3), lab.random.uniform(0.6, 1.2), lab.random.uniform(1.8, 2.6)):
            found = _share(lab, load_ms * share, load_ms)
            require(
                found <= math.exp(-share) + 0.06,
                f"Readers refresh too often: {found:.0%} of them were early, more than the rule says for the "
                "time that was left. What is the mean of what you draw?",
            )
            require(
                found >= math.exp(-share) - 0.06,
                f"Readers refresh too seldom: {found:.0%} of them were early, fewer than the rule says for "
                "the time that was left. What is the mean of what you draw?",
            )
        require(
            _share(lab, load_ms * 60, load_ms) == 0,
            "With sixty times the loading time left, a reader refreshed: that should practically never happen.",
        )
        require(_share(lab, 0, load_ms) == 1, "With nothing left, every reader must refresh.")
        require(_share(lab, -load_ms, load_ms) == 1, "After the end, every reader must refresh.")


def _share(lab: LabUnderTest, left_ms: float, load_ms: float) -> float:
    answer = lab.call("shares", left_ms, load_ms, THROWS, timeout=15.0)
    require(
        isinstance(answer, dict) and answer.get("true", 0) + answer.get("false", 0) == THROWS,
        "refresh_early must return True or False.",
    )
    assert isinstance(answer, dict)
    return float(answer["true"]) / THROWS


@check("no-stale-fill")
def nothing_older_than_the_last_change_is_stored(lab: LabUnderTest) -> None:
    """No reader stores what is older than the last change that the cache has heard of, however close the two come."""
    shop = Shop(lab)
    _reads_and_forgets(shop)
    _hears_old_news(shop)
    _stores_nothing_stale(shop)


def _reads_and_forgets(shop: Shop) -> None:
    since = time.monotonic()
    product, price = shop.product()
    for _ in range(2):
        require(
            shop.read("read_fresh", product) == price,
            "read_fresh does not give the page that the database has.",
        )
    require(shop.loads(product) == 1, "A page that is remembered was loaded again by read_fresh.")
    with shop.lab.redis() as client:
        require_life([int(client.pttl(fresh_key(product)))], *PAGE_MS, "A page", since)
    price, version = shop.change(product)
    shop.lab.call("forget_version", product, version)
    require(
        shop.read("read_fresh", product) == price,
        "A product was changed and forget was told, and read_fresh still gives the old page.",
    )
    require(
        shop.read("read_fresh", product) == price and shop.loads(product) == 2,
        "After a change the first reader must fill the page again, for all who follow.",
    )
    never = shop.name()
    require(
        shop.read("read_fresh", never) is None, "For a product that does not exist read_fresh must return None."
    )
    created = shop.create(never)
    shop.lab.call("forget_version", never, 1)
    require(
        shop.read("read_fresh", never) == created,
        "A product was created and forget was told; read_fresh does not see it.",
    )
    since = time.monotonic()
    cold, _ = shop.product()
    _, version = shop.change(cold)
    shop.lab.call("forget_version", cold, version)
    with shop.lab.redis() as client:
        require(
            client.exists(fresh_key(cold)),
            "forget came while the cache held nothing, and left no trace under the key that the notebook "
            "names: a loader under way can't learn that its page is old.",
        )
        require_life(
            [int(client.pttl(fresh_key(cold)))],
            5_000,
            60_000,
            "What forget leaves behind for a page that nobody had",
            since,
        )


def _hears_old_news(shop: Shop) -> None:
    product, _ = shop.product()
    for _ in range(3):
        price, version = shop.change(product)
    shop.lab.call("forget_version", product, version)
    require(
        shop.read("read_fresh", product) == price,
        "After several changes read_fresh does not give the last one.",
    )
    before = shop.loads(product)
    for old in (version, version - 1, version - 2, version):
        shop.lab.call("forget_version", product, old)
        require(
            shop.read("read_fresh", product) == price and shop.loads(product) == before,
            "An event that was late or came twice threw away a copy that was new enough: the page was loaded again.",
        )


def _stores_nothing_stale(shop: Shop) -> None:
    for event in ("changes", "changes_twice"):
        for cached in (False, True):
            product, _ = shop.product()
            if cached:
                shop.read("read_fresh", product)
                _, version = shop.change(product)
                shop.lab.call("forget_version", product, version)
            price = shop.price()
            shop.read_while(0, [event, product, price], "read_fresh", product)
            require(
                shop.read("read_fresh", product) == price,
                "A reader was held up after loading; meanwhile the product was changed and forget was told. The reader stored "
                "the old page, and everybody gets it now.",
            )
        for after in range(1, MOST_COMMANDS + 1):
            product, _ = shop.product()
            price = shop.price()
            told = shop.read_while(after, [event, product, price], "read_fresh", product)
            if told["commands"] < after:
                break
            require(
                shop.read("read_fresh", product) == price,
                "Between two commands of read_fresh the product was changed and forget was told, and the old page was stored "
                "after that. Comparing and storing must be one step.",
            )


@check("live-without")
def a_dead_cache_costs_a_few_failures(lab: LabUnderTest) -> None:
    """After a few failures nobody asks the cache any more but one probe a pause, and every page is still served."""
    for _ in range(3):
        _drives(lab, lab.random.randint(2, 5), lab.random.randint(2, 30))
    failures, pause = lab.random.randint(2, 4), lab.random.randint(2, 30)
    through = lab.call("probes_at_once", failures, pause, timeout=20.0)
    require(
        through == 1,
        "The pause was over and eight threads asked at once: exactly one may get through. Look, decide and note under one lock.",
    )
    _serves(lab, failures, pause)


def _drives(lab: LabUnderTest, failures: int, pause: int) -> None:
    fail, ask = ["failed"] * failures, ["allows"]
    before, after = pause * 0.9, pause * 0.2

    def drive(script: list[Any], expected: list[bool], message: str) -> None:
        answers = lab.call("drive", failures, pause, script)
        require(
            isinstance(answers, list)
            and len(answers) == len(expected)
            and all(isinstance(one, bool) for one in answers),
            "allows() must return True or False.",
        )
        require(answers == expected, message)

    drive(ask * 5, [True] * 5, "A new breaker is closed: allows() must be True.")
    drive(fail[1:] + ask * 2, [True] * 2, "The breaker opened after fewer failures than `failures`.")
    drive(fail + ask * 2, [False] * 2, "After `failures` failures in a row the breaker must be open.")
    drive(
        [*fail[1:], "succeeded", *fail[1:], *ask],
        [True],
        "A success between failures must begin the count anew: the breaker opens after failures *in a row*.",
    )
    drive([*fail, before, *ask], [False], "The breaker let somebody through before its pause was over.")
    drive(
        [*fail[1:], before, "failed", before, *ask],
        [False],
        "The pause counts from the last of the failures, not from the first.",
    )
    drive(
        [*fail, before, after, *ask * 3],
        [True, False, False],
        "When the pause is over, exactly one caller may get through until it has reported.",
    )
    drive(
        [*fail, pause + 1, *ask, "succeeded", *ask * 3, *fail[1:], *ask],
        [True, True, True, True, True],
        "After a probe that succeeded the breaker must be closed as in the beginning, with a fresh count.",
    )
    drive(
        [*fail, pause + 1, *ask, "failed", *ask, before, *ask, after, *ask * 2],
        [True, False, False, True, False],
        "After a probe that failed the breaker must be open for another whole pause, and then let one probe through.",
    )
    drive(
        [*fail, pause + 1, *ask, before, *ask, after, *ask],
        [True, False, True],
        "A probe was never heard of again: after another pause another one must get through, or the breaker stays open for ever.",
    )


def _serves(lab: LabUnderTest, failures: int, pause: int) -> None:
    shop = Shop(lab)
    for kind in ("timeout", "refused", "full"):
        prices = shop.products(failures + 6)
        warm, cold, *others = prices
        since = time.monotonic()
        script: list[list[Any]] = [["read", warm], ["read", warm], ["break", kind]]
        script += [["read", one] for one in others]
        script += [["wait", pause + 1], ["read", warm], ["read", warm], ["wait", pause + 1], ["mend"]]
        script += [["read", warm], ["read", cold], ["read", cold]]
        reads = [one for step, *details in script if step == "read" for one in details]
        told = given_list(lab, "shop_day", failures, pause, script, count=len(reads), timeout=30.0)
        require(
            [price for price, _ in told] == [prices[one] for one in reads],
            "With the cache working, broken and mended, not every read gave the page of its product.",
        )
        asked = [count for _, count in told]
        require(shop.loads(warm) == 3, _WARM if shop.loads(warm) > 3 else _STALE)
        with lab.redis() as client:
            require_life(
                [int(client.pttl(page_key(cold)))], 60_000, 60_000, "A page that read_guarded has read", since
            )
        require(
            shop.loads(cold) == 1, "The cache worked again after a probe, and read_guarded did not fill it."
        )
        dead = asked[1 + len(others)] - asked[1]
        require(
            dead <= failures,
            "The cache was dead, and it was asked more often than `failures` times: who got an error, or finds the breaker open, "
            "asks no further command.",
        )
        require(
            dead == failures,
            "The cache was given up before `failures` failures, or failures were not reported.",
        )
        probed = asked[3 + len(others)] - asked[1 + len(others)]
        require(
            probed == 1,
            "After the pause a dead cache must be asked exactly once more, by the probe.",
        )
    product, price = shop.product()
    script = [["read and fail", product]] * (failures + 2) + [["read", product], ["read", product]]
    told = given_list(lab, "shop_day", failures, pause, script, count=len(script), timeout=30.0)
    require(
        [one for one, _ in told[:-2]] == ["LoadFailed"] * (failures + 2),
        "Loading raised, and the exception did not come out of read_guarded.",
    )
    require(
        told[-1][0] == price and shop.loads(product) == failures + 3,
        "Loads failed while the cache was well, and read_guarded stopped using the cache: the database's "
        "failures say nothing about Redis.",
    )
    (product, _), (missing, price) = shop.product(), shop.product()
    script = [["break", "refused"], *[["read", product]] * failures, ["wait", pause + 1], ["mend"]]
    script += [["read and fail", missing], ["read", missing]]
    told = given_list(lab, "shop_day", failures, pause, script, count=failures + 2, timeout=30.0)
    require(
        told[-1][0] == price and told[-1][1] > told[-2][1],
        "The cache answered the probe, the load after it raised, and the next reader did not ask the cache: "
        "the breaker must hear of the probe whatever the database does.",
    )
    told = given_list(lab, "shop_day", failures, pause, [["read", shop.name()]] * 2, count=2)
    require(
        all(one[0] is None for one in told),
        "For a product that does not exist read_guarded must return None.",
    )


_WARM = "A page that the cache had was loaded from the database although the cache worked."
_STALE = "A page was loaded less often than it must be with a dead cache: it came from somewhere else."
