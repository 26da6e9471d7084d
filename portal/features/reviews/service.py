"""Practice sessions: started, answered one question at a time, ended."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import update
from sqlalchemy.engine import CursorResult
from sqlalchemy.orm import Session

from portal.content import Content
from portal.errors import Conflict, Invalid, NotFound
from portal.features.practice import (
    RUN_BY_WORKER,
    Encounter,
    Recorder,
    is_blank,
    keep,
    memory_of,
    seed_of,
    variant_of,
)
from portal.features.reviews import queries
from portal.features.reviews.choosing import Chooser
from portal.features.reviews.programs import ProgramService, graded_of
from portal.models import (
    RUNS_PENDING,
    CodeRun,
    PracticeAnswer,
    PracticeSession,
    PracticeSetting,
    PracticeSource,
    RunPurpose,
    RunState,
    utcnow,
)
from portal.settings import Settings
from question_bank import Answer, Graded, Question, scheduling

LENGTH_MIN, LENGTH_DEFAULT, LENGTH_MAX = 1, 10, 50


@dataclass(frozen=True)
class Wishes:
    """How a learner wants to practise."""

    retention: float = scheduling.RETENTION_DEFAULT
    session_length: int = LENGTH_DEFAULT


class PracticeService:
    """Practice of one database session."""

    def __init__(self, db: Session, content: Content, settings: Settings | None = None) -> None:
        self.db = db
        self.content = content
        self.programs = ProgramService(db, settings or Settings())

    def chooser(self, user_id: int) -> Chooser:
        """What can be chosen for this learner now."""
        return Chooser(self.content, queries.memories(self.db, user_id), utcnow())

    def start(self, user_id: int, source: PracticeSource, source_id: str = "") -> PracticeSession:
        """A new session; one that is open ends, and what was answered in it stays. An untouched one is forgotten.

        Raises NotFound when there is no such topic, module or track, Invalid when there is nothing to ask.
        """
        marked = {note.question_id for note in queries.notes(self.db, user_id) if note.bookmarked}
        questions = self.chooser(user_id).choose(
            source,
            source_id,
            self.wishes(user_id).session_length,
            secrets.randbelow(2**31),
            self._current(marked),
        )
        now = utcnow()
        for former in queries.open_sessions(self.db, user_id):
            self.settle_all(former)
            if any(answer.given_at is not None for answer in former.answers):
                former.finished_at = now
            else:
                self.db.delete(former)
        session = PracticeSession(user_id=user_id, source=source, source_id=source_id[:80], created_at=now)
        session.answers = [
            PracticeAnswer(
                position=position,
                question_id=question.id,
                content_hash=question.content_hash,
                seed=secrets.randbelow(2**31),
            )
            for position, question in enumerate(questions, 1)
        ]
        self.db.add(session)
        self.db.flush()
        return session

    def show(self, answer: PracticeAnswer) -> None:
        """Note when the question was shown first: the clock of its answer starts."""
        if answer.shown_at is None:
            answer.shown_at = utcnow()

    def answer(
        self,
        session: PracticeSession,
        answer: PracticeAnswer,
        question: Question,
        given: Answer,
        *,
        passed: bool = False,
    ) -> None:
        """Grade an answer and record it, or hand a program in to be run; `passed` says that the learner does not know.

        Raises AnswerRefused when it can't be graded as it stands, Invalid when nothing was answered, Unavailable when too many
        programs wait, and Conflict when it was answered before, or another program of the learner is run: nothing has
        changed then.
        """
        if passed:
            given = None
        elif is_blank(given):
            raise Invalid("Nothing is answered yet. Answer, or press “I don’t know”.")
        graded = None
        if question.kind in RUN_BY_WORKER and given is not None:
            self.programs.hand_in(session.user_id, answer, question, given, RunPurpose.ANSWER)
        else:
            graded = question.grade(given, seed_of(question, answer.seed))
        now = utcnow()
        self._claim(answer, PracticeAnswer.given_at, now)
        answer.given = given
        answer.given_at = now
        answer.seconds = seconds_between(answer.shown_at, now)
        if graded is not None and graded.complete:
            self._record(session, answer, question, graded, now)

    def settle(self, session: PracticeSession, answer: PracticeAnswer, question: Question) -> CodeRun | None:
        """The newest program of this answer, judged if it has been run; None when there is none.

        An answer whose program was run is recorded. One whose program could not be run is open again, with the program kept.
        """
        if question.kind not in RUN_BY_WORKER:
            return None
        run = self.programs.newest(answer)
        if run is not None and run.state in RUNS_PENDING:
            self.programs.expire()
            run = self.programs.newest(answer)
        if run is not None:
            run = self.programs.judged(run, answer, question)
        if answer.given_at is None or answer.fraction is not None or not isinstance(answer.given, str):
            return run
        if run is None or run.state == RunState.FAILED:
            answer.given_at = answer.seconds = None
        elif (graded := graded_of(run, question, answer.seed)) is not None:
            with contextlib.suppress(Conflict):  # another request recorded it a moment ago
                self._claim(answer, PracticeAnswer.fraction, answer.given_at, fraction=graded.fraction)
                self._record(session, answer, question, graded, answer.given_at)
        return run

    def settle_all(self, session: PracticeSession) -> None:
        """Record what programs of this session have earned meanwhile."""
        for answer in session.answers:
            question = self.content.bank.find(answer.question_id)
            if answer.given_at is not None and answer.fraction is None and question is not None:
                self.settle(session, answer, question)

    def mark(
        self, session: PracticeSession, answer: PracticeAnswer, question: Question, met: Sequence[str]
    ) -> None:
        """Record which criteria the learner finds met by their open answer.

        Raises AnswerRefused for criteria that the question doesn't have, and Conflict when there is nothing to mark.
        """
        if answer.given_at is None or answer.fraction is not None or not isinstance(answer.given, str):
            raise Conflict("There is no answer here that waits for marks.")
        marked = {"text": answer.given, "met": list(met)}
        graded = question.grade(marked, seed_of(question, answer.seed))
        now = utcnow()
        self._claim(answer, PracticeAnswer.fraction, now, fraction=graded.fraction)
        answer.given = marked
        self._record(session, answer, question, graded, now)

    def end(self, session: PracticeSession) -> None:
        """End a session; what was not answered is left out."""
        if session.finished_at is None:
            session.finished_at = utcnow()

    def wishes(self, user_id: int) -> Wishes:
        """How this learner wants to practise."""
        row = queries.setting(self.db, user_id)
        return Wishes(row.retention, row.session_length) if row is not None else Wishes()

    def wish(self, user_id: int, wishes: Wishes) -> None:
        """Store wishes, and move what is in review to the dates that the new retention gives. Raises Invalid."""
        low, high = scheduling.RETENTION_MIN, scheduling.RETENTION_MAX
        if not low <= wishes.retention <= high:
            raise Invalid(f"The share to remember must be from {low:.0%} to {high:.0%}.")
        if not LENGTH_MIN <= wishes.session_length <= LENGTH_MAX:
            raise Invalid(f"A session has {LENGTH_MIN} to {LENGTH_MAX} questions.")
        row = queries.setting(self.db, user_id)
        before = row.retention if row is not None else scheduling.RETENTION_DEFAULT
        if row is None:
            row = PracticeSetting(user_id=user_id)
            self.db.add(row)
        row.retention, row.session_length = wishes.retention, wishes.session_length
        if wishes.retention != before:
            for card in queries.cards(self.db, user_id):
                keep(card, scheduling.rescheduled(memory_of(card), wishes.retention))

    def _claim(self, answer: PracticeAnswer, empty: Any, now: datetime, **values: Any) -> None:
        # Conditional: the same form may arrive twice at once, and each answer counts once.
        claimed: CursorResult[Any] = self.db.execute(  # type: ignore[assignment]
            update(PracticeAnswer)
            .where(
                PracticeAnswer.session_id == answer.session_id,
                PracticeAnswer.position == answer.position,
                empty.is_(None),
            )
            .values(**(values or {"given_at": now}))
        )
        if claimed.rowcount != 1:
            raise Conflict("This question was answered already. Reload the page to see what it says.")

    def _record(
        self,
        session: PracticeSession,
        answer: PracticeAnswer,
        question: Question,
        graded: Graded,
        now: datetime,
    ) -> None:
        answer.content_hash = question.content_hash  # the version that was graded
        answer.variant = variant_of(question, answer.seed)
        answer.fraction, answer.correct = graded.fraction, graded.correct
        encounter = Encounter(question, graded, now, seconds=answer.seconds, variant=answer.variant)
        (rating,) = Recorder(self.db).record(session.user_id, [encounter])
        answer.rating = int(rating)
        bank = self.content.bank
        if session.finished_at is None and all(
            one.fraction is not None for one in session.answers if bank.find(one.question_id) is not None
        ):
            session.finished_at = now

    def _current(self, question_ids: set[str]) -> set[str]:
        found = (self.content.bank.find(question_id) for question_id in question_ids)
        return {question.id for question in found if question is not None}


def seconds_between(shown_at: datetime | None, now: datetime) -> float | None:
    """How long an answer took; None when it is not known when the question was shown."""
    return max(0.0, (now - shown_at).total_seconds()) if shown_at is not None else None


def source_of(name: str) -> PracticeSource:
    """The source of that name. Raises NotFound."""
    try:
        return PracticeSource(name)
    except ValueError:
        raise NotFound("There is no such way to practise.") from None
