"""What the routes of practice begin with: the visitor's own session, one question of it, and the service."""

from __future__ import annotations

from flask_login import current_user

from portal.errors import NotFound
from portal.extensions import db, portal
from portal.features.practice import practisable
from portal.features.reviews import queries
from portal.features.reviews.service import PracticeService
from portal.models import PracticeAnswer, PracticeSession
from question_bank import Question


def own_session(session_id: int) -> PracticeSession:
    """A session of whoever asks. Raises NotFound."""
    found = queries.session(db(), current_user.id, session_id)
    if found is None:
        raise NotFound("There is no such session among yours.")
    return found


def own_answer(session: PracticeSession, position: int) -> tuple[PracticeAnswer, Question]:
    """One question of a session. Raises NotFound."""
    answer = next((one for one in session.answers if one.position == position), None)
    found = portal().content.bank.find(answer.question_id) if answer is not None else None
    if answer is None or found is None or not practisable(found):
        raise NotFound("There is no such question in this session, or it was withdrawn since.")
    return answer, found


def practice_service() -> PracticeService:
    """The service of this request."""
    return PracticeService(db(), portal().content, portal().settings)
