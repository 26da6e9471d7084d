"""The question bank: questions as Markdown files, loaded, linted, drawn, presented and graded.

bank = load()
for question in draw(bank, module="redis-and-caching", count=10, seed=attempt_seed):
    shown = question.present(attempt_seed)     # what the learner sees: without the answer
    graded = question.grade(answer)            # after they answered; raises AnswerRefused
"""

from __future__ import annotations

from question_bank.draw import draw
from question_bank.kinds import KINDS
from question_bank.lint import Known, lint
from question_bank.loader import Bank, load
from question_bank.question import Question
from question_bank.schema import (
    Answer,
    AnswerRefused,
    Fault,
    Feedback,
    Graded,
    Links,
    Presented,
    PresentedOption,
    QuestionBankError,
    Seed,
)

__all__ = [
    "KINDS",
    "Answer",
    "AnswerRefused",
    "Bank",
    "Fault",
    "Feedback",
    "Graded",
    "Known",
    "Links",
    "Presented",
    "PresentedOption",
    "Question",
    "QuestionBankError",
    "Seed",
    "draw",
    "lint",
    "load",
]
