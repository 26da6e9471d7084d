"""Every write raises the revisions of those whose rows it touches, and only of those."""

from __future__ import annotations

import pytest
from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.orm import Session

from portal.content import Content
from portal.database import Database, insert_once
from portal.features.practice import rebuild
from portal.models import (
    ActivityWork,
    Base,
    HandIn,
    LabSession,
    LessonRead,
    PracticeAnswer,
    QuestionNote,
    ReviewCard,
    SessionState,
    SiteRevision,
    Subject,
    Submission,
    User,
    utcnow,
)
from portal.revisions import SUBJECT_OF, owners
from tests.factories import activities, authoring, lab_sessions, practice, submissions, users

OF_NOBODY = {"authored_questions", "failures", "item_counts", "item_tallies", "question_revisions", "site_revisions",
             "worker_status"}  # fmt: skip
"""Tables whose rows belong to no one person."""


class Watch:
    """Two people, and whose revisions a write raised."""

    def __init__(self, db: Session) -> None:
        self.db = db
        self.ann, self.bob = users.user(db), users.user(db)
        db.commit()
        self.seen = self.now()

    def now(self) -> dict[str, int]:
        names = {self.ann.id: "ann", self.bob.id: "bob"}
        people = {names[id_]: number for id_, number in self.db.execute(select(User.id, User.revision))}
        return people | {row.subject: row.number for row in self.db.execute(select(SiteRevision.__table__))}

    def raised(self) -> set[str]:
        """What the writes since the last time raised, once they are committed."""
        self.db.commit()
        now, before = self.now(), self.seen
        self.seen = now
        return {name for name in now if now[name] != before[name]}


@pytest.fixture
def watch(db: Session) -> Watch:
    return Watch(db)


def test_every_table_that_refers_to_a_person_belongs_to_somebody_or_to_a_subject() -> None:
    for table in Base.metadata.tables.values():
        for column in table.columns:
            if any(key.column.table.name == "users" for key in column.foreign_keys):
                assert column.name == "user_id" or table.name in SUBJECT_OF, f"{table.name}.{column.name}"
    assert Base.metadata.tables.keys() - owners().keys() == OF_NOBODY


def test_a_new_and_a_changed_and_a_deleted_row_raise_their_owner(watch: Watch) -> None:
    note = QuestionNote(user_id=watch.ann.id, question_id="q", bookmarked=True, text="")
    watch.db.add(note)
    assert watch.raised() == {"ann"}
    note.text = "mine"
    assert watch.raised() == {"ann"}
    note.text = "mine"
    assert watch.raised() == set()
    watch.db.delete(note)
    assert watch.raised() == {"ann"}


def test_a_part_raises_the_owner_of_the_whole(watch: Watch, content: Content) -> None:
    question = next(iter(content.bank.questions.values()))
    session = practice.practice_session(watch.db, watch.bob, [question])
    assert watch.raised() == {"bob"}
    watch.db.expunge_all()
    answer = watch.db.get(PracticeAnswer, (session.id, 1))
    assert answer is not None
    answer.shown_at = utcnow()
    assert watch.raised() == {"bob"}
    watch.db.execute(update(PracticeAnswer).where(PracticeAnswer.session_id == session.id).values(seconds=3.0))
    assert watch.raised() == {"bob"}


def test_statements_raise_the_owners_of_the_rows_they_mean(watch: Watch) -> None:
    mine, other = lab_sessions.lab_session(watch.db, watch.ann), lab_sessions.lab_session(watch.db, watch.bob)
    watch.raised()
    watch.db.execute(update(LabSession).where(LabSession.id == mine.id).values(phase="x"))
    assert watch.raised() == {"ann"}
    everyone = update(LabSession).where(LabSession.state == SessionState.READY).values(phase="y")
    watch.db.execute(everyone.execution_options(synchronize_session=False))
    assert watch.raised() == {"ann", "bob"}
    watch.db.execute(delete(LabSession).where(LabSession.id.in_([other.id])))
    assert watch.raised() == {"bob"}
    watch.db.execute(delete(LabSession))
    assert watch.raised() >= {"ann", "bob"}


def test_a_statement_with_a_state_in_it_raises_even_when_the_state_was_another_a_moment_before(
    watch: Watch,
) -> None:
    row = lab_sessions.lab_session(watch.db, watch.ann, state=SessionState.STARTING)
    watch.raised()
    # Meant is the row, whatever another process makes of its state until the statement runs.
    watch.db.execute(
        update(LabSession)
        .where(LabSession.id == row.id, LabSession.state == SessionState.READY)
        .values(phase="z")
        .execution_options(synchronize_session=False)
    )
    assert watch.raised() == {"ann"}


def test_inserts_raise_whom_they_name(watch: Watch) -> None:
    insert_once(watch.db, ActivityWork, user_id=watch.ann.id, activity_id="one")
    assert watch.raised() == {"ann", Subject.HAND_INS}
    rows = [{"user_id": one.id, "lesson_id": "l", "content_hash": "", "created_at": utcnow()}
            for one in (watch.ann, watch.bob)]  # fmt: skip
    watch.db.execute(insert(LessonRead), rows)
    assert watch.raised() == {"ann", "bob"}
    watch.db.execute(insert(LessonRead).values([row | {"lesson_id": "m"} for row in rows[:1]]))
    assert watch.raised() == {"ann"}


def test_what_concerns_many_raises_its_subject(watch: Watch, content: Content) -> None:
    question = next(iter(content.bank.questions.values()))
    practice.report(watch.db, watch.ann, question)
    assert watch.raised() == {"ann", Subject.REPORTS}
    practice.practice_session(watch.db, watch.ann, [question], answered=True)
    assert watch.raised() == {"ann", Subject.ANSWERS}
    draft = authoring.draft(watch.db, watch.bob)
    assert Subject.DRAFTS in watch.raised()
    authoring.comment(watch.db, draft, watch.bob)
    assert Subject.DRAFTS in watch.raised()
    work = activities.work(watch.db, watch.ann, "an-activity")
    activities.hand_in(watch.db, work)
    assert watch.raised() == {"ann", Subject.HAND_INS}
    watch.db.execute(update(HandIn).where(HandIn.work_id == work.id).values(claimed_by=watch.bob.id))
    assert watch.raised() == {"ann", Subject.HAND_INS}


def test_a_name_concerns_all_and_a_password_one(watch: Watch) -> None:
    watch.ann.password_hash = "another"
    assert watch.raised() == {"ann"}
    watch.ann.display_name = "Another"
    assert watch.raised() == {"ann", Subject.PEOPLE}


def test_what_is_rolled_back_raises_nothing(watch: Watch) -> None:
    watch.db.add(QuestionNote(user_id=watch.ann.id, question_id="q", bookmarked=True, text=""))
    watch.db.flush()
    watch.db.rollback()
    assert watch.raised() == set()


def test_a_session_says_that_it_has_written(database: Database, watch: Watch) -> None:
    with database.session() as db:
        db.get(User, watch.ann.id)
        assert not db.has_written
        note = QuestionNote(user_id=watch.ann.id, question_id="q", bookmarked=True, text="")
        db.add(note)
        assert db.has_written
        db.flush()
        assert db.has_written
        db.commit()
        assert not db.has_written


def test_a_rebuilding_raises_everybody(watch: Watch, content: Content) -> None:
    submissions.submission(watch.db, watch.ann)
    watch.raised()
    rebuild(watch.db, content.bank)
    assert watch.raised() >= {"ann", "bob", Subject.ANSWERS}
    assert watch.db.scalar(select(func.count()).select_from(ReviewCard)) == 0
    assert watch.db.scalar(select(func.count()).select_from(Submission)) == 1
