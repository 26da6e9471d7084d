"""What was made of the content and of a learner's rows, kept in this process while both stay as they are.

Keys hold the revisions that what is kept was made of, and revisions are read from the database in each request (see
`portal.revisions`), so nothing has to be thrown away when something changes: its key is not asked for again, and in time
it makes room.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy.orm import Session

from portal.models import User
from portal.revisions import RevisedSession

Value = TypeVar("Value")
_SCOPE = "kept"


class Store:
    """Values up to so many bytes in all, as they say they weigh; what was used longest ago makes room."""

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self.bytes = 0
        self._values: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> Any:
        """The value, shared between threads and not to be changed; None when there is none."""
        with self._lock:
            found = self._values.get(key)
            if found is None:
                return None
            self._values.move_to_end(key)
            return found[0]

    def put(self, key: Hashable, value: object, weight: int) -> None:
        """Keep a value, unless it weighs more than a quarter of all that may be kept."""
        with self._lock:
            if weight * 4 > self.most_bytes:
                return
            _value, before = self._values.pop(key, (None, 0))
            self._values[key] = (value, weight)
            self.bytes += weight - before
            while self.bytes > self.most_bytes:
                _key, (_value, freed) = self._values.popitem(last=False)
                self.bytes -= freed

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._values.clear()
            self.bytes = 0

    def __len__(self) -> int:
        return len(self._values)


@dataclass(frozen=True)
class Scope:
    """Whose rows a database session reads, as of which revision, and where what is made of them is kept."""

    store: Store
    user_id: int
    version: tuple[Hashable, ...]
    """Differs when the person's rows or the content do."""


def open_scope(db: Session, store: Store, user: User, content_serial: int) -> None:
    """From here on `kept` keeps, in this session, what is made of this person's rows. The person was just read."""
    db.info[_SCOPE] = Scope(store, user.id, (*version_of(user), content_serial))


def version_of(user: User) -> tuple[Hashable, ...]:
    """What differs when the person or a row of theirs does. Ids may be given anew, and rows be changed by hand."""
    return (user.id, user.created_at, user.revision, user.role, user.display_name, user.email)


def kept(
    db: Session, user_id: int, name: Hashable, make: Callable[[], Value], weigh: Callable[[Value], int]
) -> Value:
    """What `make` makes of this person's rows and of the content, and of nothing else; `name` says what it is.

    It is kept where the session has a scope and has not written yet, else made. It must not be changed.
    """
    scope: Scope | None = db.info.get(_SCOPE)
    if scope is None or scope.user_id != user_id or not isinstance(db, RevisedSession) or db.has_written:
        return make()
    key = (name, scope.version)
    found = scope.store.get(key)
    if found is None:
        found = make()
        scope.store.put(key, found, weigh(found))
    return found
