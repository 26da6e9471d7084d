"""What orders were like when this process changed them last, so that the next change need not read their history again.

It may be behind, because another process may have changed an order since. So nobody goes by it alone: a change that it leads to
is appended under the next number, which is taken then, and where it leads to no change the history is read after all.
"""

from __future__ import annotations

import threading
from collections import OrderedDict

from reference_impl.services.order.history.fold import OrderState

MOST = 2_000
"""Orders: those that are on their way at one moment, and not all there ever were."""


class Recent:
    """The states of the orders that were changed last. Any thread may use it."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._states: OrderedDict[str, OrderState] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, order_id: str) -> OrderState | None:
        """What the order was like; None when that is not known here."""
        with self._lock:
            return self._states.get(order_id)

    def keep(self, state: OrderState) -> None:
        """Remember a state, once it is committed. Never one that is older than what is known."""
        with self._lock:
            known = self._states.pop(state.id, None)
            self._states[state.id] = state if known is None or known.version < state.version else known
            if len(self._states) > self._most:
                self._states.popitem(last=False)

    def forget(self, order_id: str) -> None:
        """It was behind."""
        with self._lock:
            self._states.pop(order_id, None)
