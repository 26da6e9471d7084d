"""Questions: how they are asked, read and recorded; and quizzes drawn from the bank."""

from portal.features.practice import views
from portal.features.practice.answers import (
    is_blank,
    practisable,
    quizzable,
    read_answer,
    seed_of,
    variant_of,
)
from portal.features.practice.rebuilding import Rebuilt, rebuild
from portal.features.practice.recording import WITH_PARTS, Encounter, Recorder, keep, memory_of
from portal.features.practice.routes import blueprint
from portal.features.practice.service import QuizService

__all__ = [
    "WITH_PARTS",
    "Encounter",
    "QuizService",
    "Rebuilt",
    "Recorder",
    "blueprint",
    "is_blank",
    "keep",
    "memory_of",
    "practisable",
    "quizzable",
    "read_answer",
    "rebuild",
    "seed_of",
    "variant_of",
    "views",
]
