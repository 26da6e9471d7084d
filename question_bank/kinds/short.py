"""Short answer: a few typed words, compared with accepted forms and patterns, all or nothing."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import ClassVar, Self

from question_bank.body import Body, Written
from question_bank.document import Document
from question_bank.graded import Feedback, Verdict
from question_bank.items import Report
from question_bank.kinds.typed import TypedAnswer, read_typed
from question_bank.presented import Shown
from question_bank.runner import CodeRunner
from question_bank.values import read_value, sparse
from question_bank.wording import as_code


@dataclass(frozen=True)
class ShortAnswer(Body):
    """A few typed words; the answer is its text."""

    answer: TypedAnswer
    name: ClassVar[str] = "short"
    fields: ClassVar[frozenset[str]] = frozenset({"answer"})

    @classmethod
    def parse(cls, question_id: str, document: Document, report: Report) -> Self | None:
        cls.refuse_unknown_parts(document, report)
        answer = read_value(TypedAnswer, document, ("answer",), report)
        return cls(answer) if answer else None

    def show(self, shuffle: random.Random) -> Shown:
        case = "Capital letters count." if self.answer.case_sensitive else "Capital letters don't matter."
        return Shown(rule=f"Type a few words. {case} It scores all or nothing.")

    def grade(self, answer: object, runner: CodeRunner | None = None) -> Verdict:
        typed = read_typed(answer)
        right = typed is not None and self.answer.accepts(typed)
        feedback: tuple[Feedback, ...] = ()
        if typed is not None:
            comment = self.answer.feedback if right else ""
            if not right and (mistake := self.answer.mistake_for(typed)):
                comment = mistake.why
            feedback = (Feedback(key="", text=as_code(typed), chosen=True, right=right, comment=comment),)
        return Verdict(
            fraction=1.0 if right else 0.0,
            answered=typed is not None,
            feedback=feedback,
            right_answer=self.answer.shown,
        )

    def write(self) -> Written:
        return Written(front={"answer": sparse(self.answer)})

    def remarks(self) -> tuple[tuple[str, str], ...]:
        if not self.answer.mistakes:
            return (
                ("answer", "Foresee at least one wrong answer: list it under `answer.mistakes`, and say why."),
            )
        return ()
