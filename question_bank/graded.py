"""What grading gives back: frozen values, for after the answer."""

from __future__ import annotations

from pydantic import Field

from question_bank.schema import Frozen


class Feedback(Frozen):
    """What there is to say about one option, item, pair, gap, case or criterion, or about a typed answer."""

    key: str
    """The key of the option, item, left side or criterion; a gap's or a case's name; empty for a typed answer."""
    text: str
    """Markdown: the option or item, or the answer as it was understood."""
    chosen: bool
    """Whether the learner chose it, or answered it at all."""
    right: bool
    """For an option: whether it is a right one. For all else: whether the learner's answer to it is right."""
    comment: str
    """Markdown: why it is right or wrong; may be empty for a typed answer that nobody foresaw."""
    given: str = ""
    """What the learner gave for this pair or gap (Markdown), or what the program wrote for a visible case (plain)."""
    expected: str = ""
    """What would have been right for this pair or gap (Markdown), or for a visible case (plain); for an item to
    order, its place."""
    points: float | None = None
    """What this criterion of a rubric is worth."""


class Verdict(Frozen):
    """What a kind says about an answer; the question adds the explanation."""

    fraction: float = Field(ge=0.0, le=1.0)
    """The share of the question's points that the answer earned."""
    answered: bool
    """False when the question was left blank: that earns nothing and is no error."""
    feedback: tuple[Feedback, ...]
    """For choices, one entry an option in the author's order; for what is typed, one entry; for the other
    kinds one entry an item, pair, gap, case or criterion."""
    right_answer: str
    """Markdown: the right answer in words, or the model answer."""
    message: str = ""
    """Plain text: what is to be said of the answer as a whole, such as the error that kept code from running."""
    complete: bool = True
    """False when an open answer waits for its criteria to be marked: `feedback` lists them."""


class Graded(Verdict):
    """The result of grading one answer."""

    correct: bool
    """True for a fully right answer only."""
    explanation: str
    """Markdown."""
