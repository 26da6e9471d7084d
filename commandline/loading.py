"""The start of a process: what it loads now stays until it ends."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def loading() -> Iterator[None]:
    """Import modules and read content without the garbage collector, which need never look at any of it later either.

    It would go through all that is there a dozen times while that grows, a third of a start's time, and find nothing; and
    through all of it again for a page now and then. So what is there at the end is taken out of its sight for good.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()
