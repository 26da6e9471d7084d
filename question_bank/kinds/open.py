"""Open answer: free text, a rubric with points, and a model answer. Whoever marks says which criteria are met: the
learner in practice, an instructor in an exam.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from pydantic import Field

from question_bank.body import Body, Written
from question_bank.choices import option_key
from question_bank.document import Document
from question_bank.graded import Feedback, Verdict
from question_bank.items import Report
from question_bank.presented import Shown
from question_bank.runner import CodeRunner
from question_bank.schema import AnswerRefused, Frozen
from question_bank.values import read_value, sparse

MAX_ANSWER = 20_000
MIN_CRITERIA = 2
MAX_CRITERIA = 12
MIN_MODEL_ANSWER = 200
"""A shorter model answer teaches nothing; the lint says so."""


class Criterion(Frozen):
    """One thing that a good answer has, and what it is worth."""

    points: int = Field(ge=1, le=20, strict=True)
    criterion: str = Field(min_length=1, max_length=500)
    """Something that can be found in an answer or not."""


class Rubric(Frozen):
    """The `rubric:` list of the front matter."""

    rubric: tuple[Criterion, ...] = Field(min_length=MIN_CRITERIA, max_length=MAX_CRITERIA)


@dataclass(frozen=True)
class OpenAnswer(Body):
    """Free text. The answer is the text alone, or `{"text": …, "met": [criterion keys]}` once it is marked.

    A text alone earns nothing yet: the verdict is not `complete`, and its feedback lists the criteria to mark.
    """

    question_id: str
    rubric: tuple[Criterion, ...]
    model_answer: str
    """Markdown."""
    name: ClassVar[str] = "open"
    fields: ClassVar[frozenset[str]] = frozenset({"rubric"})
    sections: ClassVar[frozenset[str]] = frozenset({"Model answer"})

    @classmethod
    def parse(cls, question_id: str, document: Document, report: Report) -> Self | None:
        cls.refuse_unknown_parts(document, report)
        model = document.sections.get("Model answer")
        if model is None or not model.text:
            line = model.line if model else document.line_of("kind")
            report(line, "A question of kind `open` needs a section `## Model answer`.")
        value = {"rubric": document.front["rubric"]} if "rubric" in document.front else {}
        rubric = read_value(Rubric, document, (), report, value)
        if rubric and len({_words(entry) for entry in rubric.rubric}) < len(rubric.rubric):
            report(document.line_of("rubric"), "A criterion stands in the rubric twice.")
            return None
        if rubric is None or model is None or not model.text:
            return None
        return cls(question_id, rubric.rubric, model.text)

    def show(self, shuffle: random.Random) -> Shown:
        return Shown(
            rule="Answer in your own words. Then you see the criteria and a model answer, and mark which criteria "
            "your answer meets; each is worth its points."
        )

    def grade(self, answer: object, runner: CodeRunner | None = None) -> Verdict:
        text, met = self._read(answer)
        keys = self.keys()
        total = sum(criterion.points for criterion in self.rubric)
        earned = sum(c.points for key, c in zip(keys, self.rubric, strict=True) if key in (met or ()))
        return Verdict(
            fraction=earned / total if text else 0.0,
            answered=bool(text),
            feedback=tuple(
                Feedback(
                    key=key,
                    text=criterion.criterion,
                    chosen=key in (met or ()),
                    right=key in (met or ()),
                    comment="",
                    points=criterion.points,
                )
                for key, criterion in zip(keys, self.rubric, strict=True)
            ),
            right_answer=self.model_answer,
            complete=not text or met is not None,
        )

    def write(self) -> Written:
        return Written(
            front={"rubric": sparse(Rubric(rubric=self.rubric))["rubric"]},
            sections={"Model answer": self.model_answer},
        )

    def remarks(self) -> tuple[tuple[str, str], ...]:
        if len(self.model_answer) < MIN_MODEL_ANSWER:
            message = (
                f"The model answer is shorter than {MIN_MODEL_ANSWER} characters: answer as a candidate would."
            )
            return (("Model answer", message),)
        return ()

    def keys(self) -> tuple[str, ...]:
        """The criteria's keys, in the order of the rubric."""
        return tuple(option_key(self.question_id, f"criterion {_words(entry)}") for entry in self.rubric)

    def _read(self, answer: object) -> tuple[str, frozenset[str] | None]:
        """The text, and the criteria that are marked as met; None when nobody marked yet."""
        if answer is None:
            return "", None
        text, met = (answer.get("text"), answer.get("met")) if isinstance(answer, Mapping) else (answer, None)
        if not isinstance(text, str | None):
            raise AnswerRefused("Send the answer as text.")
        if text and len(text) > MAX_ANSWER:
            raise AnswerRefused(f"That is longer than {MAX_ANSWER:,} characters: shorten it.")
        return (text or "").strip(), None if met is None else self._marks(met)

    def _marks(self, met: Any) -> frozenset[str]:
        if not isinstance(met, list | tuple | set | frozenset) or len(met) > MAX_CRITERIA:
            raise AnswerRefused("Send the criteria that are met as a list.")
        if not all(isinstance(key, str) for key in met) or not set(met) <= set(self.keys()):
            raise AnswerRefused(
                "This names a criterion that the rubric doesn't have. Reload the page and mark again."
            )
        return frozenset(met)


def _words(criterion: Criterion) -> str:
    return " ".join(criterion.criterion.split())
