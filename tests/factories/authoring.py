"""Questions that are worked on."""

from __future__ import annotations

from sqlalchemy.orm import Session

from portal.features.authoring.checking import digest, gist
from portal.models import (
    AuthoredQuestion,
    AuthoringState,
    QuestionAction,
    QuestionEvent,
    QuestionImport,
    QuestionRevision,
    ReviewComment,
    User,
)


def text(
    question_id: str = "write-skew",
    prompt: str = "Two doctors go off duty at once and nobody is left. Which anomaly is **this**?",
    extra: str = "",
) -> str:
    """A question's file that the lint finds nothing wrong with."""
    return (
        f"---\nid: {question_id}\nkind: single\nmodule: transactions-and-isolation\ntopics: [acid]\ndifficulty: 2\n"
        f"seconds: 60\nlevel: senior\nskills: [consistency]\n{extra}---\n\n{prompt}\n\n"
        "## Options\n\n"
        "- [x] Write skew\n  > Each reads what the other changes, and they write different rows.\n"
        "- [ ] Dirty read\n  > Neither saw what was not committed: both read the state before.\n"
        "- [ ] Lost update\n  > They wrote different rows, so no write was overwritten by another.\n\n"
        "## Explanation\n\nBoth transactions read the same rows and wrote different ones, so snapshots see no conflict. "
        "Serializable isolation does, and ends one of them.\n"
    )


TEXT = text()
TEXT_HASH = digest(TEXT)


def draft(
    db: Session,
    user: User,
    *,
    question_id: str = "write-skew",
    content: str | None = None,
    state: AuthoringState = AuthoringState.DRAFT,
) -> AuthoredQuestion:
    """A draft by this user, as the service makes one."""
    written = content if content is not None else text(question_id)
    found = gist(written)
    made = AuthoredQuestion(
        question_id=question_id,
        state=state,
        version=1,
        text=written,
        text_hash=digest(written),
        kind=found.kind,
        module=found.module,
        excerpt=found.excerpt,
        updated_by=user.id,
    )
    db.add(made)
    db.flush()
    db.add(QuestionRevision(authored_id=made.id, number=1, text=written, text_hash=made.text_hash))
    db.add(QuestionEvent(authored_id=made.id, version=1, action=QuestionAction.CREATED, user_id=user.id))
    db.flush()
    return made


def comment(db: Session, question: AuthoredQuestion, user: User, *, line: int = 2) -> ReviewComment:
    """An open comment on a line."""
    made = ReviewComment(
        authored_id=question.id,
        version=question.version,
        line=line,
        quote=question.text.splitlines()[line - 1] if line else "",
        text="Say it shorter.",
        user_id=user.id,
    )
    db.add(made)
    db.flush()
    return made


def uploaded(db: Session, user: User) -> QuestionImport:
    """A file with one question that this user has not decided on."""
    item = {
        "question_id": "from-a-file",
        "text": text("from-a-file"),
        "faults": [],
        "losses": [],
        "like": "",
        "likeness": 0,
    }
    found = {"items": [item], "same": [], "faults": [], "losses": [], "further": 0}
    made = QuestionImport(user_id=user.id, file_name="questions.zip", format="archive", found=found)
    db.add(made)
    db.flush()
    return made
