"""Practice: quizzes drawn from the question bank."""

from portal.features.practice.routes import blueprint
from portal.features.practice.service import QuizService

__all__ = ["QuizService", "blueprint"]
