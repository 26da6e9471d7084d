"""The kinds of question. A new kind is a module beside this one and a line in `KINDS`."""

from __future__ import annotations

from question_bank.body import Body
from question_bank.kinds.multiple import MultipleChoice
from question_bank.kinds.numeric import Numeric
from question_bank.kinds.single import SingleChoice

KINDS: dict[str, type[Body]] = {
    "single": SingleChoice,
    "multiple": MultipleChoice,
    "numeric": Numeric,
}

__all__ = ["KINDS", "Body"]
