"""Texts of questions: how they are found, begun, changed and brought back. Every change is a version that stays.

Two who edit at once don't lose each other's work: a change is taken only from who saw the newest text. The other gets `Stale`,
with that text, and decides.
"""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import update
from sqlalchemy.engine import CursorResult
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from portal.content import Content
from portal.errors import Conflict, Invalid, NotFound, Unavailable
from portal.features.authoring import queries
from portal.features.authoring.checking import Checked, check, cleaned, digest, gist, is_slug
from portal.features.authoring.working import Origin, Stale, Working
from portal.models import (
    AuthoredQuestion,
    AuthoringState,
    QuestionAction,
    QuestionEvent,
    QuestionRevision,
    utcnow,
)
from portal.own_bank import OwnBank
from question_bank import Bank, CannotWrite, Question, write
from question_bank.loader import BUILT_IN
from question_bank.starting import CannotStart, starting_text

NOTE_MOST = 500
_ID_LINE = re.compile(r"^id:.*$", re.MULTILINE)
_REPLACES_LINE = re.compile(r"^replaces:[^\n]*\n(?:[ \t]+[^\n]*\n|- [^\n]*\n)*", re.MULTILINE)


class AuthoringService:
    """Texts of questions, in one database session."""

    def __init__(self, db: Session, content: Content, built_in: Bank, own: OwnBank) -> None:
        self.db = db
        self.content = content
        self.built_in = built_in
        self.own = own

    def working(self, question_id: str) -> Working:
        """The question of this id. Raises NotFound."""
        row = queries.row(self.db, question_id)
        bank = self.content.bank
        live, retired = bank.questions.get(question_id), bank.retired.get(question_id)
        if row is None and live is None and retired is None:
            raise NotFound("There is no such question, neither in the bank nor as a draft.")
        is_built_in = question_id in self.built_in.questions
        changed = row is not None or (live or retired) is not self.built_in.questions.get(question_id)
        origin = Origin.OWN if not is_built_in else Origin.CHANGED if changed else Origin.BUILT_IN
        outside = row is not None and self._changed_outside(row, live)
        if row is not None and not outside:
            text, state = row.text, AuthoringState(row.state)
        else:
            found = live or retired
            assert found is not None
            text = self.text_of(found)
            state = AuthoringState.PUBLISHED if live else AuthoringState.RETIRED
        return Working(question_id, text, digest(text), state, origin, live, retired, row, outside=outside)

    def _changed_outside(self, row: AuthoredQuestion, live: Question | None) -> bool:
        if row.due or row.state != AuthoringState.PUBLISHED or live is None:
            return False
        if live.content_hash == row.text_hash:
            return False
        # The bank in memory may be older than the row: what counts is the file as it is now.
        now = self.own.text(live)
        return now is None or digest(now) != row.text_hash

    def text_of(self, question: Question) -> str:
        """The text of the file of a question of the bank. Raises Unavailable when it can't be had."""
        texts = (
            self.own.text(question),
            self.own.text(question, retired=True),
            _built_in_text(question),
        )
        for text in texts:
            if text is not None and digest(text) == question.content_hash:
                return text
        try:
            return write(question)
        except CannotWrite as error:
            raise Unavailable(
                "The file of this question can't be read. Try again in a moment.", detail=str(error)
            ) from error

    def check(self, working: Working, text: str | None = None) -> Checked:
        """What is to be said about this text of the question; about its own when none is given."""
        taken = queries.ids(self.db) - {working.question_id} if not working.fixed else set()
        return check(
            working.text if text is None else text,
            self.content,
            question_id=working.question_id,
            fixed=working.fixed,
            taken=taken,
        )

    def create(self, user_id: int, kind: str, question_id: str, module: str, topic: str) -> AuthoredQuestion:
        """A draft from the kind's starting file. Raises Invalid, Conflict."""
        try:
            text = starting_text(kind, question_id, module, topic)
        except CannotStart as error:
            raise Invalid(str(error)) from error
        return self.add(user_id, question_id, text, QuestionAction.CREATED)

    def duplicate(self, user_id: int, question_id: str, new_id: str) -> AuthoredQuestion:
        """A draft with the text of this question and another id. Raises NotFound, Invalid, Conflict."""
        head, mark, rest = self.working(question_id).text.partition("\n---")
        if not is_slug(new_id):
            raise Invalid("An id has 2 to 80 characters: words in lower case with hyphens.")
        head = _REPLACES_LINE.sub("", head + "\n").rstrip("\n")
        text = _ID_LINE.sub(f"id: {new_id}", head, count=1) + mark + rest
        return self.add(user_id, new_id, text, QuestionAction.CREATED, f"A copy of {question_id}")

    def add(
        self, user_id: int, question_id: str, text: str, action: QuestionAction, note: str = ""
    ) -> AuthoredQuestion:
        """A new draft. Raises Invalid for a bad id or text, Conflict for an id that is taken."""
        if not is_slug(question_id):
            raise Invalid("An id has 2 to 80 characters: words in lower case with hyphens.")
        if self.content.bank.find(question_id) is not None or queries.row(self.db, question_id) is not None:
            raise Conflict(f"There is a question with the id {question_id} already. Choose another id.")
        text = cleaned(text)
        made = AuthoredQuestion(
            question_id=question_id, version=1, state=AuthoringState.DRAFT, updated_by=user_id
        )
        _take(made, text)
        self._insert(made)
        self.note(made, user_id, action, note)
        return made

    def save(
        self,
        user_id: int,
        question_id: str,
        base_hash: str,
        text: str,
        note: str = "",
        action: QuestionAction = QuestionAction.SAVED,
    ) -> str:
        """Store a new text, as a draft; returns the id, which a question that was never live may have changed.

        `base_hash` is the digest of the text that was edited. Raises Stale when that is not the newest, Invalid, NotFound.
        """
        text = cleaned(text)
        working = self.working(question_id)
        if working.text_hash != base_hash:
            raise Stale(working)
        if digest(text) == working.text_hash:
            return question_id
        row = self.row_of(working)
        self.advance(row, user_id, text)
        self.change(row, state=AuthoringState.DRAFT)
        self.note(row, user_id, action, note)
        if not working.fixed:
            self._rename(row, gist(text).question_id)
        return row.question_id

    def restore(self, user_id: int, question_id: str, base_hash: str, number: int) -> str:
        """Take up an earlier text again, as a new version. Raises NotFound, Stale."""
        working = self.working(question_id)
        old = queries.revision(self.db, working.row.id, number) if working.row else None
        if old is None:
            raise NotFound("There is no such version of this question.")
        return self.save(
            user_id, question_id, base_hash, old.text, f"Version {number} again", QuestionAction.RESTORED
        )

    def discard(self, user_id: int, question_id: str, base_hash: str) -> bool:
        """Give up what learners don't see yet; True when nothing is left of the question. Raises Stale, Conflict."""
        working = self.working(question_id)
        if working.text_hash != base_hash:
            raise Stale(working)
        row = working.row
        if row is None or working.state not in (AuthoringState.DRAFT, AuthoringState.REVIEW):
            raise Conflict("There is no draft to discard.")
        live = working.live or working.retired
        if live is None:
            self.db.delete(row)
            self.db.flush()
            return True
        self.advance(row, user_id, self.text_of(live))
        state = AuthoringState.PUBLISHED if working.live else AuthoringState.RETIRED
        self.change(row, state=state, live_version=row.version)
        self.note(row, user_id, QuestionAction.RESTORED, "The draft was discarded")
        return False

    def row_of(self, working: Working) -> AuthoredQuestion:
        """The question's row; made, or brought up to what the bank's file says, where it is not."""
        row = working.row
        if row is None:
            row = AuthoredQuestion(
                question_id=working.question_id, version=1, state=working.state, live_version=1
            )
            _take(row, working.text)
            try:
                self._insert(row)
            except Conflict:
                # Somebody else made it at this very moment: go back to before, and show what it is now.
                self.db.rollback()
                raise Stale(self.working(working.question_id)) from None
            self.note(row, None, QuestionAction.TAKEN, "The text that was in the bank")
        elif working.outside:
            self.advance(row, None, working.text)
            self.change(row, live_version=row.version)
            self.note(row, None, QuestionAction.TAKEN, "The file was changed outside of the portal")
        return row

    def advance(self, row: AuthoredQuestion, user_id: int | None, text: str) -> None:
        """Make this the newest text. Raises Stale when somebody was faster."""
        number = row.version + 1
        found = gist(text)
        self.change(
            row,
            version=number,
            text=text,
            text_hash=digest(text),
            updated_by=user_id,
            updated_at=utcnow(),
            kind=found.kind,
            module=found.module,
            excerpt=found.excerpt,
        )
        self.db.add(QuestionRevision(authored_id=row.id, number=number, text=text, text_hash=digest(text)))

    def change(self, row: AuthoredQuestion, **values: Any) -> None:
        """Change the row, if it is still as it was read. Raises Stale."""
        changed: CursorResult[Any] = self.db.execute(  # type: ignore[assignment]
            update(AuthoredQuestion)
            .where(
                AuthoredQuestion.id == row.id,
                AuthoredQuestion.version == row.version,
                AuthoredQuestion.state == row.state,
            )
            .values(**values)
            .execution_options(synchronize_session=False)
        )
        if changed.rowcount != 1:
            raise Stale(self.working(row.question_id))
        self.db.refresh(row)

    def note(self, row: AuthoredQuestion, user_id: int | None, action: QuestionAction, note: str = "") -> None:
        """Write into the question's history what was done."""
        self.db.add(
            QuestionEvent(
                authored_id=row.id, version=row.version, action=action, user_id=user_id, note=note[:NOTE_MOST]
            )
        )

    def _insert(self, row: AuthoredQuestion) -> None:
        self.db.add(row)
        try:
            self.db.flush()
        except IntegrityError as error:
            raise Conflict(
                f"Somebody else began to work on {row.question_id} at this moment. Open it again."
            ) from error
        self.db.add(QuestionRevision(authored_id=row.id, number=1, text=row.text, text_hash=row.text_hash))

    def _rename(self, row: AuthoredQuestion, new_id: str) -> None:
        """Let the row follow the id in its text, where that is a free one; else the lint says what is wrong."""
        if new_id == row.question_id or not is_slug(new_id) or self.content.bank.find(new_id) is not None:
            return
        if queries.row(self.db, new_id) is None:
            self.change(row, question_id=new_id)


def _take(row: AuthoredQuestion, text: str) -> None:
    found = gist(text)
    row.text, row.text_hash = text, digest(text)
    row.kind, row.module, row.excerpt = found.kind, found.module, found.excerpt


def _built_in_text(question: Question) -> str | None:
    try:
        return (BUILT_IN / question.path).read_text(encoding="utf-8-sig") if question.path else None
    except (OSError, UnicodeDecodeError):
        return None
