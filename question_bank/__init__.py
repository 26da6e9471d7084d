"""The question bank: questions as Markdown files, loaded, linted, drawn, presented and graded.

bank = load()
for question in draw(bank, module="redis-and-caching", count=10, seed=attempt_seed):
    shown = question.present(attempt_seed)           # what the learner sees: without the answer
    graded = question.grade(answer, attempt_seed)    # after they answered; raises AnswerRefused
"""

from __future__ import annotations

from question_bank.draw import draw
from question_bank.graded import Feedback, Graded
from question_bank.kinds import KINDS
from question_bank.lint import Known, lint
from question_bank.loader import Bank, load
from question_bank.presented import Presented, PresentedCode, PresentedGap, PresentedOption
from question_bank.question import Question
from question_bank.runner import CodeRunner, Ended, Outcome, RunRequest, RunResult
from question_bank.schema import (
    Answer,
    AnswerRefused,
    CannotWrite,
    Fault,
    Links,
    QuestionBankError,
    RunnerUnavailable,
    Seed,
)
from question_bank.writer import write

__all__ = [
    "KINDS",
    "Answer",
    "AnswerRefused",
    "Bank",
    "CannotWrite",
    "CodeRunner",
    "Ended",
    "Fault",
    "Feedback",
    "Graded",
    "Known",
    "Links",
    "Outcome",
    "Presented",
    "PresentedCode",
    "PresentedGap",
    "PresentedOption",
    "Question",
    "QuestionBankError",
    "RunRequest",
    "RunResult",
    "RunnerUnavailable",
    "Seed",
    "draw",
    "lint",
    "load",
    "write",
]
