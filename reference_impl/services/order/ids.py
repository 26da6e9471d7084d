"""Order ids that say when the order was placed: 48 bits of milliseconds, then 80 random ones (as a UUID of version 7 has them).

So ids grow with time, which keeps new index entries side by side, and the month in an id names the partition of its
history.
"""

from __future__ import annotations

import secrets
from datetime import UTC, date, datetime

_LATEST = int(datetime(9999, 1, 1, tzinfo=UTC).timestamp() * 1000)


def new_order_id(at: datetime) -> str:
    """A fresh id for an order placed at this time: 32 lower-case hexadecimal digits."""
    return f"{int(at.timestamp() * 1000):012x}{secrets.token_hex(10)}"


def month_of(order_id: str) -> date:
    """The first day of the month in which the order was placed. Ids that nobody made get some month, too."""
    milliseconds = min(int(order_id[:12], 16), _LATEST)
    return datetime.fromtimestamp(milliseconds / 1000, UTC).date().replace(day=1)
