"""Instructors work through what was handed in: oldest first, one claims it, one decides; an approval can be taken back."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import or_, update
from sqlalchemy.orm import Session

from portal.errors import Conflict, Forbidden, Invalid, NotFound
from portal.features.portfolio import queries
from portal.features.portfolio.queries import QueueLine
from portal.models import ActivityWork, HandIn, Verdict, WorkState, utcnow
from portal.texts import written

COMMENT_MOST = 4_000
CLAIM_HOURS = 24
"""After that long another instructor may take over."""


class ReviewService:
    """The queue as one instructor sees it, in one database session."""

    def __init__(self, db: Session, instructor_id: int) -> None:
        self.db = db
        self.instructor_id = instructor_id

    def line(self, hand_in_id: int) -> QueueLine:
        """One thing that was handed in. Raises NotFound."""
        found = queries.hand_in(self.db, hand_in_id)
        if found is None:
            raise NotFound("Nothing of that number was handed in. The queue lists what waits.")
        return found

    def _of_another(self, hand_in_id: int) -> QueueLine:
        """The same, to decide on. Raises NotFound, and Forbidden for one's own."""
        line = self.line(hand_in_id)
        if line.user_id == self.instructor_id:
            raise Forbidden("This is your own work: another instructor decides on it.")
        return line

    def may_claim(self, line: QueueLine) -> bool:
        """Whether this instructor could take it now."""
        mine = line.hand_in
        return (
            mine.verdict is None
            and line.user_id != self.instructor_id
            and mine.claimed_by != self.instructor_id
            and (mine.claimed_by is None or mine.claimed_at is None or mine.claimed_at < _stale())
        )

    def claim(self, hand_in_id: int) -> None:
        """Take it, so that nobody else does the same work. Raises Conflict when somebody has, Forbidden for one's own."""
        self._of_another(hand_in_id)
        taken = queries.changed(
            self.db,
            update(HandIn)
            .where(
                HandIn.id == hand_in_id,
                HandIn.verdict.is_(None),
                or_(
                    HandIn.claimed_by.is_(None),
                    HandIn.claimed_by == self.instructor_id,
                    HandIn.claimed_at < _stale(),
                ),
            )
            .values(claimed_by=self.instructor_id, claimed_at=utcnow()),
        )
        if not taken:
            now = self.line(hand_in_id)
            if now.hand_in.verdict is not None:
                raise Conflict("Somebody was faster: this is decided already, or was taken back.")
            raise Conflict(f"{now.claimer or 'Somebody'} is looking at this. Take the next one.")

    def release(self, hand_in_id: int) -> None:
        """Give it back to the queue. Raises Conflict when it is not this instructor's."""
        given = queries.changed(
            self.db,
            update(HandIn)
            .where(HandIn.id == hand_in_id, HandIn.verdict.is_(None), HandIn.claimed_by == self.instructor_id)
            .values(claimed_by=None, claimed_at=None),
        )
        if not given:
            raise Conflict("This is not with you any more. Reload the page.")

    def decide(self, hand_in_id: int, verdict: Verdict, comment: str) -> None:
        """Approve or return what this instructor claimed. Raises Invalid, Conflict, NotFound, Forbidden."""
        comment = written("A comment", comment, COMMENT_MOST)
        if verdict is Verdict.RETURNED and not comment:
            raise Invalid("Say what is missing, so that the learner knows how to go on.")
        line = self._of_another(hand_in_id)
        now = utcnow()
        work = queries.locked(self.db, line.hand_in.work_id)
        done = queries.changed(
            self.db,
            update(HandIn)
            .where(HandIn.id == hand_in_id, HandIn.verdict.is_(None), HandIn.claimed_by == self.instructor_id)
            .values(verdict=verdict, decided_by=self.instructor_id, decided_at=now, comment=comment),
        )
        if not done:
            raise Conflict(
                "This is not with you any more: it was decided, taken over or taken back. Reload the page."
            )
        _record(work, verdict, now)

    def may_revoke(self, line: QueueLine) -> bool:
        """Whether this instructor could take the approval back."""
        one = line.hand_in
        return one.verdict == Verdict.APPROVED and one.revoked_at is None and line.user_id != self.instructor_id

    def revoke(self, hand_in_id: int, reason: str) -> None:
        """Take an approval back: what it proved falls, the decision stays in the record with the reason beside it.

        Raises Invalid without a reason, Forbidden for one's own work, NotFound, and Conflict where no approval stands.
        """
        reason = written("A reason", reason, COMMENT_MOST)
        if not reason:
            raise Invalid("Say why, so that the learner understands and knows how to go on.")
        line = self._of_another(hand_in_id)
        now = utcnow()
        work = queries.locked(self.db, line.hand_in.work_id)
        done = queries.changed(
            self.db,
            update(HandIn)
            .where(HandIn.id == hand_in_id, HandIn.verdict == Verdict.APPROVED, HandIn.revoked_at.is_(None))
            .values(revoked_by=self.instructor_id, revoked_at=now, revocation=reason),
        )
        if not done:
            raise Conflict("There is no approval here to take back: somebody did so before. Reload the page.")
        work.state, work.approved_at = WorkState.RETURNED, None


def _record(work: ActivityWork, verdict: Verdict, at: datetime) -> None:
    if verdict is Verdict.APPROVED:
        work.state, work.approved_at = WorkState.APPROVED, at
    else:
        work.state = WorkState.RETURNED


def _stale() -> datetime:
    return utcnow() - timedelta(hours=CLAIM_HOURS)
