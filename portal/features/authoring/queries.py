"""What the authoring pages read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session, aliased

from portal.models import (
    WRITING,
    AuthoredQuestion,
    AuthoringState,
    QuestionEvent,
    QuestionRevision,
    ReviewComment,
    User,
)

EVENTS_MOST = 200
COMMENTS_MOST = 200


@dataclass(frozen=True)
class Line:
    """A question that is or was worked on, as the list shows it."""

    question_id: str
    state: AuthoringState
    live_version: int | None
    due: str
    kind: str
    module: str
    excerpt: str
    updated_at: datetime
    updated_by: int | None
    updater: str


@dataclass(frozen=True)
class Done:
    """One entry of a question's history."""

    event: QuestionEvent
    who: str


@dataclass(frozen=True)
class Said:
    """A comment, with who wrote and who resolved it."""

    comment: ReviewComment
    who: str
    resolver: str


def row(db: Session, question_id: str) -> AuthoredQuestion | None:
    """The question that is worked on under this id, as the database has it now."""
    return db.scalar(
        select(AuthoredQuestion)
        .where(AuthoredQuestion.question_id == question_id)
        .execution_options(populate_existing=True)
    )


def ids(db: Session) -> set[str]:
    """The ids of all that is or was worked on."""
    return set(db.scalars(select(AuthoredQuestion.question_id)))


def lines(db: Session) -> list[Line]:
    """All that is or was worked on, without the texts."""
    found = db.execute(
        select(
            AuthoredQuestion.question_id,
            AuthoredQuestion.state,
            AuthoredQuestion.live_version,
            AuthoredQuestion.due,
            AuthoredQuestion.kind,
            AuthoredQuestion.module,
            AuthoredQuestion.excerpt,
            AuthoredQuestion.updated_at,
            AuthoredQuestion.updated_by,
            func.coalesce(User.display_name, ""),
        ).outerjoin(User, User.id == AuthoredQuestion.updated_by)
    )
    return [
        Line(name, AuthoringState(state), live, due, kind, module, excerpt, at, by, updater)
        for name, state, live, due, kind, module, excerpt, at, by, updater in found
    ]


def in_review_by(db: Session, user_id: int) -> set[str]:
    """Ids of questions in review of whose new text this person is an author."""
    return set(
        db.scalars(
            select(AuthoredQuestion.question_id)
            .join(QuestionEvent, QuestionEvent.authored_id == AuthoredQuestion.id)
            .where(
                AuthoredQuestion.state == AuthoringState.REVIEW,
                QuestionEvent.user_id == user_id,
                QuestionEvent.action.in_(WRITING),
                QuestionEvent.version > func.coalesce(AuthoredQuestion.live_version, 0),
            )
            .distinct()
        )
    )


def authors(db: Session, found: AuthoredQuestion) -> set[int]:
    """Who wrote what learners don't see yet."""
    return {
        user_id
        for user_id in db.scalars(
            select(QuestionEvent.user_id).where(
                QuestionEvent.authored_id == found.id,
                QuestionEvent.action.in_(WRITING),
                QuestionEvent.version > (found.live_version or 0),
            )
        )
        if user_id is not None
    }


def open_comments(db: Session) -> dict[str, int]:
    """Question id → how many comments nobody has resolved."""
    rows = db.execute(
        select(AuthoredQuestion.question_id, func.count())
        .join(ReviewComment, ReviewComment.authored_id == AuthoredQuestion.id)
        .where(ReviewComment.resolved_at.is_(None))
        .group_by(AuthoredQuestion.question_id)
    )
    return {question_id: count for question_id, count in rows}


def comments(db: Session, authored_id: int) -> list[Said]:
    """The newest comments on a question, in their order."""
    resolver = aliased(User)
    rows = db.execute(
        select(ReviewComment, User.display_name, resolver.display_name)
        .outerjoin(User, User.id == ReviewComment.user_id)
        .outerjoin(resolver, resolver.id == ReviewComment.resolved_by)
        .where(ReviewComment.authored_id == authored_id)
        .order_by(ReviewComment.id.desc())
        .limit(COMMENTS_MOST)
    )
    return [Said(comment, who or "", by or "") for comment, who, by in reversed(list(rows))]


def comment(db: Session, authored_id: int, comment_id: int) -> ReviewComment | None:
    """One comment of a question."""
    found = db.get(ReviewComment, comment_id)
    return found if found is not None and found.authored_id == authored_id else None


def events(db: Session, authored_id: int) -> list[Done]:
    """What was done with a question, the newest first."""
    rows = db.execute(
        select(QuestionEvent, User.display_name)
        .outerjoin(User, User.id == QuestionEvent.user_id)
        .where(QuestionEvent.authored_id == authored_id)
        .order_by(QuestionEvent.id.desc())
        .limit(EVENTS_MOST)
    )
    return [Done(event, who or "") for event, who in rows]


def revision(db: Session, authored_id: int, number: int) -> QuestionRevision | None:
    """One text that a question had."""
    return db.get(QuestionRevision, (authored_id, number))


def due(db: Session) -> list[AuthoredQuestion]:
    """What the bank's files have not been told yet."""
    return list(db.scalars(select(AuthoredQuestion).where(AuthoredQuestion.due != "")))
