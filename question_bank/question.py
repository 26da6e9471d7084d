"""One question: what all kinds share, around a body of its kind."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from question_bank.body import Body
from question_bank.document import Document
from question_bank.formula import Value
from question_bank.graded import Graded
from question_bank.presented import Presented
from question_bank.runner import CodeRunner
from question_bank.schema import Answer, FrontMatter, Links, Option, Seed
from question_bank.variants import Template


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
    content_hash: str = field(default="", compare=False)
    """A digest of the file's text: an attempt stores it, so that an edit doesn't blur statistics."""
    path: str = field(default="", compare=False)
    """The file, relative to the bank's root; empty when there is none."""
    document: Document | None = field(default=None, repr=False, compare=False)
    """The file it was read from, parameters filled in; None for a question that was built."""
    template: Template | None = field(default=None, repr=False)
    """What variants are drawn from. Prompt, body and explanation are then those of a sample."""
    values: Mapping[str, Value] = field(repr=False, default_factory=dict, compare=False)
    """The parameters of this variant; empty for a question without."""
    lines: Mapping[str, int] = field(repr=False, default_factory=dict, compare=False)
    """Where front matter fields and the parts `prompt` and `explanation` start, for faults."""

    @property
    def id(self) -> str:
        """The stable id; file names and attempts use it."""
        return self.meta.id

    @property
    def kind(self) -> str:
        """The kind's name, such as `single`; `KINDS` has them all."""
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

    @property
    def parameterised(self) -> bool:
        """Whether seeds give different variants."""
        return self.template is not None

    def at(self, seed: Seed) -> Question:
        """The variant of a seed, an ordinary question; the question itself when it has no parameters."""
        if self.template is None:
            return self
        variant = self.template.variant(seed)
        document = variant.document
        references = document.sections.get("References")
        return replace(
            self,
            prompt=document.prompt.text,
            body=variant.body,
            explanation=document.sections["Explanation"].text,
            references=references.text if references else "",
            document=document,
            template=None,
            values=variant.values,
        )

    def present(self, seed: Seed) -> Presented:
        """The question as a learner sees it. One seed always gives one variant and one order; nothing tells what is
        right.
        """
        question = self.at(seed)
        shown = question.body.show(random.Random(f"present:{self.id}:{seed}"))
        return Presented(
            **dict(shown),
            id=self.id,
            kind=self.kind,
            prompt=question.prompt,
            seconds=self.seconds,
            difficulty=self.difficulty,
        )

    def grade(self, answer: Answer, seed: Seed | None = None, runner: CodeRunner | None = None) -> Graded:
        """Score an answer to what `present(seed)` showed. A blank one scores 0.

        What an answer looks like is the kind's matter: an option's key, a list of keys, a number or its text, a
        mapping, a program. Raises `AnswerRefused`, with a message for the learner, when it can't be graded as it
        stands; `RunnerUnavailable` when it is a program and there is no `runner`, or a broken one; and `ValueError`
        when the question has variants and no seed says which.
        """
        if self.template is not None and seed is None:
            raise ValueError(f"`{self.id}` has variants: grade it with the seed that it was presented with")
        question = self if seed is None else self.at(seed)
        verdict = question.body.grade(answer, runner)
        return Graded(
            **dict(verdict),
            correct=verdict.fraction == 1.0 and verdict.complete,
            explanation=question.explanation,
        )
