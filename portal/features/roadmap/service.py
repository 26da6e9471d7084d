"""Progress by evidence: unseen, read, practised, proven."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from sqlalchemy.orm import Session

from portal.content import Content
from portal.features.practice import practisable
from portal.features.roadmap import queries
from portal.features.roadmap.crediting import Ledger
from portal.features.roadmap.progress import Progress, TopicProgress, TopicState
from portal.kept import kept
from portal.models import LessonRead, utcnow, zone_for
from roadmap import Kind, Lesson


class ProgressService:
    """Reads and records progress in one database session."""

    def __init__(self, db: Session, content: Content) -> None:
        self.db = db
        self.content = content

    def evidence(self, user_id: int) -> queries.Evidence:
        """What this learner has done, with the dates; read again when something was written since."""

        def read() -> queries.Evidence:
            return queries.evidence(self.db, user_id, zone_for(self.db, user_id))

        return kept(self.db, user_id, "evidence", read, _weight)

    def of(self, user_id: int) -> Progress:
        """This learner's progress: four statements, then arithmetic."""
        return self.bought_by(self.evidence(user_id))

    def bought_by(self, found: queries.Evidence) -> Progress:
        """The progress that this evidence buys with today's content; reckoned once for the same evidence."""
        return found.once(("progress", self.content.serial), lambda: self._reckon(found))

    def _reckon(self, found: queries.Evidence) -> Progress:
        ledger = Ledger(self.content, found.zone)
        lessons_read = ledger.lessons(found.lessons)
        ledger.questions(found.questions)
        tasks_proven = ledger.tasks(found.tasks)
        activities = ledger.activities(found.activities)
        untouched = self.content.derived(_untouched)
        topics = dict(untouched)
        credited = ledger.credited()
        for topic_id in {*credited, *ledger.hints} & untouched.keys():
            seen = credited.get(topic_id, untouched[topic_id])
            hint = ledger.hints.get(topic_id, "") if seen.state in (TopicState.UNSEEN, TopicState.READ) else ""
            topics[topic_id] = replace(seen, best=untouched[topic_id].best, hint=hint)
        return Progress(topics, lessons_read, activities, tasks_proven)

    def mark_read(self, user_id: int, lesson: Lesson) -> None:
        """Record that this learner read the lesson; twice is the same as once."""
        if self.read_at(user_id, lesson) is None:
            self.db.add(
                LessonRead(
                    user_id=user_id, lesson_id=lesson.id, content_hash=lesson.content_hash, created_at=utcnow()
                )
            )

    def read_at(self, user_id: int, lesson: Lesson) -> datetime | None:
        """When this learner read the lesson, under today's id or one that it replaces."""
        ids = self.content.roadmap.ids_of(Kind.LESSON, lesson.id)
        return queries.lesson_is_read(self.db, user_id, ids)


def _weight(found: queries.Evidence) -> int:
    """About how many bytes the evidence takes with the progress of today and of Monday, which are kept with it."""
    return 200_000 + 300 * (
        len(found.lessons) + len(found.questions) + len(found.tasks) + len(found.activities)
    )


def _untouched(content: Content) -> dict[str, TopicProgress]:
    """Every topic as it is for somebody who has done nothing."""
    return {
        topic_id: TopicProgress(topic_id, best=_reachable(content, topic_id))
        for topic_id in content.roadmap.topics
    }


def _reachable(content: Content, topic_id: str) -> TopicState:
    """The furthest state that today's content lets anyone reach."""
    if topic_id in content.proofs_by_topic or topic_id in content.activities_by_topic:
        return TopicState.PROVEN
    if any(practisable(question) for question in content.questions_by_topic.get(topic_id, ())):
        return TopicState.PRACTISED
    has_lesson = content.roadmap.topics[topic_id].lesson is not None
    return TopicState.READ if has_lesson else TopicState.UNSEEN
