"""What a learner does beside answering: bookmarks, private notes, reports to the instructors."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy.orm import Session

from portal.errors import Conflict, Invalid
from portal.features.reviews import queries
from portal.models import QuestionNote, QuestionReport, ReportReason, utcnow
from portal.texts import written
from question_bank import Question

NOTE_MAX = 4_000
REPORT_MAX = 1_000
REPORTS_A_DAY = 10
NEEDS_WORDS = frozenset({ReportReason.OTHER, ReportReason.WRONG_ANSWER, ReportReason.OUTDATED})
REASONS = {
    ReportReason.WRONG_ANSWER: "The answer or its explanation is wrong",
    ReportReason.UNCLEAR: "The question is unclear, or more than one answer fits",
    ReportReason.OUTDATED: "It is out of date",
    ReportReason.TYPING: "A typing error",
    ReportReason.LINK: "A link does not work",
    ReportReason.OTHER: "Something else",
}


class KeepingService:
    """Notes and reports of one learner."""

    def __init__(self, db: Session, user_id: int) -> None:
        self.db = db
        self.user_id = user_id

    def toggle_bookmark(self, question: Question) -> bool:
        """Set the bookmark, or take it away; whether there is one now."""
        note = self._note(question)
        note.bookmarked = not note.bookmarked
        return note.bookmarked

    def write_note(self, question: Question, text: str) -> None:
        """Store the learner's private note; an empty one is taken away. Raises Invalid when it is too long."""
        self._note(question).text = written("A note", text, NOTE_MAX)

    def report(self, question: Question, seed: int, reason: str, text: str) -> QuestionReport:
        """Tell the instructors. Raises Invalid, and Conflict for a second open report or too many in a day."""
        try:
            why = ReportReason(reason)
        except ValueError:
            raise Invalid("Choose what is wrong with the question.") from None
        text = written("A report", text, REPORT_MAX)
        if why in NEEDS_WORDS and not text:
            raise Invalid("Say in a sentence what is wrong, so that somebody can mend it.")
        if queries.open_report(self.db, self.user_id, question.id) is not None:
            raise Conflict("You have reported this question already. The instructors see it in their list.")
        if queries.reports_since(self.db, self.user_id, utcnow() - timedelta(days=1)) >= REPORTS_A_DAY:
            raise Conflict(f"You have made {REPORTS_A_DAY} reports within a day. Go on tomorrow.")
        made = QuestionReport(
            user_id=self.user_id,
            question_id=question.id,
            content_hash=question.content_hash,
            seed=seed,
            reason=why,
            text=text,
        )
        self.db.add(made)
        self.db.flush()
        return made

    def _note(self, question: Question) -> QuestionNote:
        note = queries.note(self.db, self.user_id, question.id)
        if note is None:
            note = QuestionNote(user_id=self.user_id, question_id=question.id, bookmarked=False, text="")
            self.db.add(note)
        return note
