"""Reading positions and notes of one learner."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.models import LessonMark, utcnow
from portal.texts import written
from roadmap import Catalogue, Kind, Lesson

NOTE_MAX = 10_000
HEADING_MAX = 120


@dataclass(frozen=True, slots=True)
class Mark:
    """What a learner left in a lesson."""

    heading: str = ""
    percent: int = 0
    note: str = ""
    seen_at: datetime | None = None


class MarkService:
    """Reads and stores them in one database session, under the ids that lessons go by today."""

    def __init__(self, db: Session, catalogue: Catalogue, user_id: int) -> None:
        self.db = db
        self.catalogue = catalogue
        self.user_id = user_id

    def of(self, lesson: Lesson) -> Mark:
        """What was left in this lesson, under today's id or one that it replaces; the newest of each."""
        rows = self._rows(lesson)
        noted = next((row for row in rows if row.note), None)
        if not rows:
            return Mark()
        newest = rows[0]
        return Mark(newest.heading, newest.percent, noted.note if noted else "", newest.seen_at)

    def remember(self, lesson: Lesson, heading: str, percent: int) -> None:
        """Store how far the learner read."""
        row = self._row(lesson)
        row.heading = heading[:HEADING_MAX]
        row.percent = min(100, max(0, percent))
        row.seen_at = utcnow()

    def write_note(self, lesson: Lesson, text: str) -> None:
        """Store the note; an empty one is taken away. Raises Invalid when it is too long."""
        text = written("A note", text, NOTE_MAX)
        for row in self._rows(lesson):
            row.note = ""
        row = self._row(lesson)
        row.note = text
        row.noted_at = utcnow()

    def latest(self) -> tuple[Lesson, Mark] | None:
        """The lesson that was open last and still exists, with what was left in it."""
        rows = self.db.scalars(
            select(LessonMark)
            .where(LessonMark.user_id == self.user_id)
            .order_by(LessonMark.seen_at.desc())
            .limit(5)
        )
        for row in rows:
            lesson = self.catalogue.current(Lesson, row.lesson_id)
            if lesson is not None:
                return lesson, Mark(row.heading, row.percent, row.note, row.seen_at)
        return None

    def _rows(self, lesson: Lesson) -> list[LessonMark]:
        """Newest first."""
        ids = self.catalogue.ids_of(Kind.LESSON, lesson.id)
        return list(
            self.db.scalars(
                select(LessonMark)
                .where(LessonMark.user_id == self.user_id, LessonMark.lesson_id.in_(ids))
                .order_by(LessonMark.seen_at.desc())
            )
        )

    def _row(self, lesson: Lesson) -> LessonMark:
        row = self.db.get(LessonMark, (self.user_id, lesson.id))
        if row is None:
            row = LessonMark(user_id=self.user_id, lesson_id=lesson.id, heading="", percent=0, note="")
            self.db.add(row)
        return row
