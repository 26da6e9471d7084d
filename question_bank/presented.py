"""What a learner sees of a question, before an answer: frozen values that never tell what is right."""

from __future__ import annotations

from question_bank.runner import Language
from question_bank.schema import Frozen


class PresentedOption(Frozen):
    """One thing to choose, to order or to match, as a learner sees it."""

    key: str
    """What to send back for it: stable for one wording, opaque, the same under every seed."""
    text: str
    """Markdown."""


class PresentedGap(Frozen):
    """One gap of a cloze; its place in `Presented.text` is marked `[[?name]]`."""

    name: str
    """What to send the answer under."""
    choices: tuple[PresentedOption, ...] = ()
    """What to choose from, in the order in which to show it, as plain text; empty when the answer is typed."""
    unit: str | None = None
    """The unit in which a number is asked for."""


class PresentedCase(Frozen):
    """A visible example of a code question."""

    input: str
    output: str
    about: str


class PresentedCode(Frozen):
    """The task of a code question."""

    language: Language
    starter: str
    """The text that the editor begins with."""
    harness: str
    """The program around the learner's own, for reading; for SQL the tables. May be empty."""
    examples: tuple[PresentedCase, ...]
    hidden: int
    """How many further cases there are."""
    seconds: float
    """How long one case may run."""


class Shown(Frozen):
    """The part of a presented question that depends on its kind."""

    rule: str
    """One or two sentences for the learner: how to answer and how it is scored."""
    options: tuple[PresentedOption, ...] = ()
    """What to choose from, in the order in which to show it; empty when nothing is chosen."""
    unit: str | None = None
    """The unit in which a number is asked for."""
    items: tuple[PresentedOption, ...] = ()
    """What to put in order, shuffled."""
    left: tuple[PresentedOption, ...] = ()
    """What to find a partner for."""
    right: tuple[PresentedOption, ...] = ()
    """The partners to choose from, shuffled; there may be more or fewer of them than on the left."""
    text: str = ""
    """Markdown with gaps, each marked `[[?name]]`; `kinds.cloze.fill_gaps` puts fields there."""
    gaps: tuple[PresentedGap, ...] = ()
    """The gaps of `text`, in its order."""
    code: PresentedCode | None = None
    """The programming task."""


class Presented(Shown):
    """A question as a learner sees it; nothing in it tells which answer is right."""

    id: str
    kind: str
    prompt: str
    """Markdown."""
    seconds: int
    """How long a prepared learner needs."""
    difficulty: int
