"""One question: what all kinds share, around a body of its kind."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field

from question_bank.body import Body
from question_bank.schema import Answer, FrontMatter, Graded, Links, Option, Presented, Seed


@dataclass(frozen=True, slots=True)
class Question:
    """A question as its author wrote it. It knows the answer: give learners `present(seed)`, never this."""

    meta: FrontMatter
    prompt: str
    """Markdown."""
    body: Body = field(repr=False)
    explanation: str = field(repr=False)
    """Markdown; for after the answer."""
    references: str = field(repr=False)
    """Markdown; further reading, may be empty; for after the answer."""
    content_hash: str
    """A digest of the file's text: an attempt stores it, so that an edit doesn't blur statistics."""
    path: str
    """The file, relative to the bank's root."""
    lines: Mapping[str, int] = field(repr=False, default_factory=dict)
    """Where front matter fields and the parts `prompt` and `explanation` start, for faults."""

    @property
    def id(self) -> str:
        """The stable id; file names and attempts use it."""
        return self.meta.id

    @property
    def kind(self) -> str:
        """The kind's name: single, multiple, numeric."""
        return self.meta.kind

    @property
    def module(self) -> str:
        """The id of the module that the question belongs to."""
        return self.meta.module

    @property
    def topics(self) -> tuple[str, ...]:
        """Topic ids; the first is the main one, and the name of the file's folder."""
        return self.meta.topics

    @property
    def difficulty(self) -> int:
        """From 1 (recall) to 5 (several traps at once)."""
        return self.meta.difficulty

    @property
    def seconds(self) -> int:
        """How long a prepared learner needs."""
        return self.meta.seconds

    @property
    def links(self) -> Links:
        """The lab, lesson and code on the same matter."""
        return self.meta.links

    @property
    def replaces(self) -> tuple[str, ...]:
        """Ids that this question had before, or of questions that were merged into it."""
        return self.meta.replaces

    @property
    def options(self) -> tuple[Option, ...]:
        """The author's options, keys included; empty when the answer is typed."""
        return self.body.choices()

    def present(self, seed: Seed) -> Presented:
        """The question as a learner sees it. One seed always gives one order; nothing tells which option is
        right.
        """
        shown = self.body.show(random.Random(f"present:{self.id}:{seed}"))
        return Presented(
            id=self.id,
            kind=self.kind,
            prompt=self.prompt,
            options=shown.options,
            unit=shown.unit,
            rule=shown.rule,
            seconds=self.seconds,
            difficulty=self.difficulty,
        )

    def grade(self, answer: Answer) -> Graded:
        """Score an answer: an option's key, a list of keys, or a number or its text. A blank one scores 0.

        Raises `AnswerRefused`, with a message for the learner, when the answer can't be graded as it stands.
        """
        verdict = self.body.grade(answer)
        return Graded(
            fraction=verdict.fraction,
            correct=verdict.fraction == 1.0,
            answered=verdict.answered,
            feedback=verdict.feedback,
            right_answer=verdict.right_answer,
            explanation=self.explanation,
        )
