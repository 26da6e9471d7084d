"""The way from a draft to learners: review by another instructor, publication, retirement; and comments on lines."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy.orm import Session

from portal.errors import Conflict, Forbidden, Invalid, NotFound
from portal.features.authoring import queries
from portal.features.authoring.service import NOTE_MOST, AuthoringService
from portal.features.authoring.working import Stale, Working
from portal.models import AuthoringState, QuestionAction, ReviewComment, utcnow
from portal.texts import tidy

COMMENT_MOST = 2_000
QUOTE_MOST = 300
OPEN_MOST = 100


class Step(StrEnum):
    """What can be done with a question as a whole."""

    SEND = "send"
    WITHDRAW = "withdraw"
    RETURN = "return"
    PUBLISH = "publish"
    RETIRE = "retire"
    BRING_BACK = "bring-back"


FROM: dict[Step, tuple[AuthoringState, ...]] = {
    Step.SEND: (AuthoringState.DRAFT,),
    Step.WITHDRAW: (AuthoringState.REVIEW,),
    Step.RETURN: (AuthoringState.REVIEW,),
    Step.PUBLISH: (AuthoringState.REVIEW,),
    Step.RETIRE: (AuthoringState.PUBLISHED,),
    Step.BRING_BACK: (AuthoringState.RETIRED,),
}
"""The states in which a step can be taken."""
TO: dict[Step, tuple[AuthoringState, QuestionAction]] = {
    Step.SEND: (AuthoringState.REVIEW, QuestionAction.SENT),
    Step.WITHDRAW: (AuthoringState.DRAFT, QuestionAction.WITHDRAWN),
    Step.RETURN: (AuthoringState.DRAFT, QuestionAction.RETURNED),
    Step.PUBLISH: (AuthoringState.PUBLISHED, QuestionAction.PUBLISHED),
    Step.RETIRE: (AuthoringState.RETIRED, QuestionAction.RETIRED),
    Step.BRING_BACK: (AuthoringState.PUBLISHED, QuestionAction.BROUGHT_BACK),
}
"""The state that a step leads to, and its name in the history."""


class ReviewService:
    """Reviews and publication, in one database session."""

    def __init__(self, db: Session, texts: AuthoringService, *, review_required: bool) -> None:
        self.db = db
        self.texts = texts
        self.review_required = review_required

    def may_publish(self, working: Working, user_id: int) -> bool:
        """Whether this person may publish it as it is now."""
        if working.row is None or not self._can(Step.PUBLISH, working):
            return False
        return not self.review_required or user_id not in queries.authors(self.db, working.row)

    def take(
        self,
        step: Step,
        user_id: int,
        question_id: str,
        base_hash: str,
        note: str = "",
        *,
        although_remarks: bool = False,
    ) -> Working:
        """Take a step with the text that the person saw, and return the question as it was before.

        Raises NotFound, Stale, Conflict, Forbidden, and Invalid when the text is not good enough. Who retires or publishes
        has to call `publishing.write_out` once this is committed.
        """
        working = self.texts.working(question_id)
        if working.text_hash != base_hash:
            raise Stale(working)
        if not self._can(step, working):
            raise Conflict(
                f"This question is {words(working.state)} now. Reload the page to see what can be done."
            )
        note = " ".join(note.replace("\x00", "").split())
        if len(note) > NOTE_MOST:
            raise Invalid(f"Say it in at most {NOTE_MOST} characters; this has {len(note)}.")
        if step in (Step.SEND, Step.PUBLISH):
            self._refuse_faults(working, remarks_too=step is Step.PUBLISH and not although_remarks)
        if step is Step.PUBLISH and not self.may_publish(working, user_id):
            raise Forbidden("You wrote part of this text. Another instructor has to review it.")
        row = self.texts.row_of(working)
        state, action = TO[step]
        values: dict[str, object] = {"state": state}
        if step is Step.PUBLISH:
            values["live_version"] = row.version
        if state in (AuthoringState.PUBLISHED, AuthoringState.RETIRED):
            values["due"] = state.value
        self.texts.change(row, **values)
        self.texts.note(row, user_id, action, note)
        return working

    def comment(self, user_id: int, question_id: str, base_hash: str, line: int, text: str) -> ReviewComment:
        """Say something to a line of the newest text, or with line 0 to all of it. Raises NotFound, Stale, Invalid."""
        working = self.texts.working(question_id)
        if working.text_hash != base_hash:
            raise Stale(working)
        text = tidy(text)
        if not text:
            raise Invalid("The comment is empty. Write what should change.")
        if len(text) > COMMENT_MOST:
            raise Invalid(f"A comment has at most {COMMENT_MOST:,} characters; this has {len(text):,}.")
        lines = working.text.splitlines()
        if not 0 <= line <= len(lines):
            raise Invalid(f"There is no line {line}: the text has {len(lines)} lines.")
        row = self.texts.row_of(working)
        if queries.open_comments(self.db).get(question_id, 0) >= OPEN_MOST:
            raise Conflict(f"There are {OPEN_MOST} open comments already. Resolve some first.")
        made = ReviewComment(
            authored_id=row.id,
            version=row.version,
            line=line,
            quote=lines[line - 1][:QUOTE_MOST] if line else "",
            text=text,
            user_id=user_id,
        )
        self.db.add(made)
        self.db.flush()
        return made

    def resolve(self, user_id: int, question_id: str, comment_id: int) -> ReviewComment:
        """Mark a comment as done; a second time opens it again. Raises NotFound."""
        row = queries.row(self.db, question_id)
        found = queries.comment(self.db, row.id, comment_id) if row else None
        if found is None:
            raise NotFound("There is no such comment.")
        done = found.resolved_at is None
        found.resolved_at, found.resolved_by = (utcnow(), user_id) if done else (None, None)
        return found

    def _can(self, step: Step, working: Working) -> bool:
        if step is Step.PUBLISH and not self.review_required and working.state == AuthoringState.DRAFT:
            return True
        return working.state in FROM[step]

    def _refuse_faults(self, working: Working, *, remarks_too: bool) -> None:
        checked = self.texts.check(working)
        if not checked.usable:
            first = next(remark for remark in checked.remarks if remark.stops)
            raise Invalid(f"The question can't be used yet. Line {first.line}: {first.message}")
        if remarks_too and checked.remarks:
            first = checked.remarks[0]
            raise Invalid(
                f"The lint objects. Line {first.line}: {first.message} Mend it, or say that it is meant so."
            )


def words(state: AuthoringState) -> str:
    """A state in words that fit behind `is`."""
    return {
        AuthoringState.DRAFT: "a draft",
        AuthoringState.REVIEW: "in review",
        AuthoringState.PUBLISHED: "published",
        AuthoringState.RETIRED: "retired",
    }[state]


def placed(comment: ReviewComment, version: int, lines: list[str]) -> int:
    """The line of the newest text that a comment belongs to now; 0 when it is gone, or never was one."""
    if comment.line == 0:
        return 0
    if comment.version == version:
        return comment.line
    same = [number for number, line in enumerate(lines, 1) if line[:QUOTE_MOST] == comment.quote]
    if not comment.quote.strip() or not same:
        return 0
    return min(same, key=lambda number: abs(number - comment.line))
