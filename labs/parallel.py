"""Some work at a time, for whatever grades many notebooks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_parallel(work: Callable[[Item], Result], items: Iterable[Item], at_once: int) -> list[Result]:
    """Do the work for each item, at most `at_once` in threads at a time, and return the results in the order of the items.

    When one raises, what has not begun is left, and its error is raised once those that run have ended.
    """
    with ThreadPoolExecutor(max_workers=max(1, at_once), thread_name_prefix="grading") as pool:
        pending = [pool.submit(work, item) for item in items]
        try:
            return [one.result() for one in pending]
        except BaseException:
            for one in pending:
                one.cancel()
            raise
