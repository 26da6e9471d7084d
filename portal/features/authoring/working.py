"""A question as it is worked on: where it comes from, its newest text, what learners see of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from portal.errors import Conflict
from portal.models import AuthoredQuestion, AuthoringState
from question_bank import Question


class Origin(StrEnum):
    """Where a question comes from."""

    BUILT_IN = "built in"
    CHANGED = "built in, changed here"
    OWN = "own"


@dataclass(frozen=True)
class Working:
    """A question as it is worked on now, whether anybody ever did or not."""

    question_id: str
    text: str
    text_hash: str
    state: AuthoringState
    origin: Origin
    live: Question | None
    """What learners are asked."""
    retired: Question | None
    """What they were asked before it was retired."""
    row: AuthoredQuestion | None
    """None when nobody ever worked on it here."""
    outside: bool = False
    """Whether the file was changed by something else than the portal since it was published."""

    @property
    def fixed(self) -> bool:
        """Whether the id can't change any more, because answers may be stored under it."""
        return self.live is not None or self.retired is not None or bool(self.row and self.row.live_version)

    @property
    def version(self) -> int:
        """The number of this text; 0 when nobody ever worked on it."""
        return self.row.version if self.row else 0


class Stale(Conflict):
    """Somebody else changed the question meanwhile; `newest` is what it is now."""

    def __init__(self, newest: Working) -> None:
        super().__init__(
            "Somebody else changed this question since you opened it. Look at both texts and decide."
        )
        self.newest = newest
