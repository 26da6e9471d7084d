"""Questions: how they are asked, read and recorded; and quizzes drawn from the bank."""

from portal.features.practice import views
from portal.features.practice.answers import (
    SELF_MARKED,
    is_blank,
    practisable,
    quizzable,
    read_answer,
)
from portal.features.practice.recording import Encounter, Recorder, keep, memory_of
from portal.features.practice.routes import blueprint
from portal.features.practice.service import QuizService

__all__ = [
    "SELF_MARKED",
    "Encounter",
    "QuizService",
    "Recorder",
    "blueprint",
    "is_blank",
    "keep",
    "memory_of",
    "practisable",
    "quizzable",
    "read_answer",
    "views",
]
