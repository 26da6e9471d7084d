"""The kinds of question. A new kind is a module beside this one and a line in `KINDS`."""

from __future__ import annotations

from question_bank.body import Body
from question_bank.kinds.cloze import Cloze
from question_bank.kinds.code import Code
from question_bank.kinds.matching import Matching
from question_bank.kinds.multiple import MultipleChoice
from question_bank.kinds.numeric import Numeric
from question_bank.kinds.open import OpenAnswer
from question_bank.kinds.ordering import Ordering
from question_bank.kinds.short import ShortAnswer
from question_bank.kinds.single import SingleChoice
from question_bank.kinds.true_false import TrueFalse

KINDS: dict[str, type[Body]] = {
    "single": SingleChoice,
    "multiple": MultipleChoice,
    "numeric": Numeric,
    "true-false": TrueFalse,
    "short": ShortAnswer,
    "ordering": Ordering,
    "matching": Matching,
    "cloze": Cloze,
    "code": Code,
    "open": OpenAnswer,
}

__all__ = ["KINDS", "Body"]
