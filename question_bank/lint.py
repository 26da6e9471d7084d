"""Finds what a reviewer would object to in questions that load: giveaways, broken links, repetition.

Each rule is a function from a question (or the bank) to faults; `QUESTION_RULES` and `BANK_RULES` list them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from question_bank.loader import Bank
from question_bank.question import Question
from question_bank.rules.bank import guessable, near_duplicates, positions
from question_bank.rules.code_blocks import code_blocks, shell_blocks
from question_bank.rules.common import Known
from question_bank.rules.giveaways import giveaways
from question_bank.rules.markdown import markdown
from question_bank.rules.shape import classified, feedback, links, place, placeholders
from question_bank.rules.variants import variants
from question_bank.rules.wording import catch_alls, negations, overlaps
from question_bank.schema import Fault

__all__ = ["BANK_RULES", "QUESTION_RULES", "Known", "lint", "lint_question"]

QUESTION_RULES: tuple[Callable[[Question], Iterator[Fault]], ...] = (
    place,
    classified,
    placeholders,
    feedback,
    catch_alls,
    negations,
    overlaps,
    giveaways,
    markdown,
    code_blocks,
    variants,
)
BANK_RULES: tuple[Callable[[Bank], Iterator[Fault]], ...] = (
    near_duplicates,
    guessable,
    positions,
    shell_blocks,
)


def lint(bank: Bank, known: Known | None = None) -> list[Fault]:
    """Everything that is wrong with a bank, the loader's faults included, sorted by file and line."""
    faults = list(bank.faults)
    for question in bank.questions.values():
        faults.extend(lint_question(question, known))
    faults.extend(fault for bank_rule in BANK_RULES for fault in bank_rule(bank))
    return sorted(faults)


def lint_question(question: Question, known: Known | None = None) -> list[Fault]:
    """What is wrong with one question as such, sorted by line: what an editor shows while one types."""
    faults = [fault for rule in QUESTION_RULES for fault in rule(question)]
    return sorted([*faults, *links(question, known or Known())])
