"""Names of hidden things: products, locks, keys."""

from __future__ import annotations

import random


class Names:
    """Names that nothing in the sandbox has yet, and that sort in no relation to the sequence in which they are made."""

    def __init__(self, source: random.Random) -> None:
        """`source` is the task's, so that the same attempt gets the same names."""
        self._source = source
        self._mark = f"{source.getrandbits(40):010x}"
        self._made = 0

    def new(self) -> str:
        """The next one: letters, digits and a hyphen."""
        self._made += 1
        return f"{self._source.choice('bdfhkmprt')}{self._made}-{self._mark}"
