"""Cursors: where a page ended, as a text that only this service reads.

A cursor is a place, not a number of rows to skip: the sort key and the id of the last row. So a page costs the same at the
end as at the beginning, and rows that come or go meanwhile neither repeat nor hide others. It is opaque, so that it may
change, and checked, because it comes back from outside: it belongs to one sort order and one set of filters. It is not
signed: its values are parameters of a query that anybody may ask.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from dataclasses import dataclass

from reference_impl.shared.problems import Problem

LONGEST = 500
_FORMAT = 1


@dataclass(frozen=True)
class Cursor:
    """Behind which row a page begins."""

    key: int | str
    """The sort key of that row."""
    id: int

    def encode(self, belongs_to: str) -> str:
        """As text. `belongs_to` describes the sort order and the filters."""
        fields = [_FORMAT, _fingerprint(belongs_to), self.key, self.id]
        return base64.urlsafe_b64encode(json.dumps(fields).encode()).decode().rstrip("=")

    @classmethod
    def decode(cls, text: str, belongs_to: str, kind: type[int] | type[str]) -> Cursor:
        """The cursor in this text, whose key has to be of this kind. Raises Problem 422."""
        try:
            padded = text + "=" * (-len(text) % 4)
            form, fingerprint, key, row = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        except (binascii.Error, ValueError, TypeError, RecursionError):
            raise _refused("It was not made here, or damaged.") from None
        if form != _FORMAT or type(key) is not kind or type(row) is not int:
            raise _refused("It was not made here, or damaged.")
        if fingerprint != _fingerprint(belongs_to):
            raise _refused("It belongs to a page with another order or other filters.")
        if not 0 <= row < 2**53 or (abs(key) >= 2**53 if isinstance(key, int) else "\0" in key):
            raise _refused("It was not made here, or damaged.")
        return cls(key, row)


def _fingerprint(belongs_to: str) -> str:
    return hashlib.sha256(belongs_to.encode()).hexdigest()[:12]


def _refused(detail: str) -> Problem:
    advice = "Begin again without a cursor."
    return Problem(422, "invalid-cursor", "The cursor is not usable", f"{detail} {advice}")
