"""What tells the right option to somebody who knows nothing of the matter."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from question_bank.kinds.short import ShortAnswer
from question_bank.question import Question
from question_bank.rules.common import fault, option_fault
from question_bank.schema import Fault
from question_bank.wording import normalised, telling_words, visible_length, without_code

_NUMBER = re.compile(r"\d")
_HEDGE = re.compile(
    r"\b(usually|often|typically|generally|may|might|sometimes|mostly|unless|depend\w*)\b",
    re.IGNORECASE,
)
_ABSOLUTE = re.compile(r"\b(always|never|only|must|cannot|impossible|guarantee\w*)\b", re.IGNORECASE)


def giveaways(question: Question) -> Iterator[Fault]:
    """A right option that stands out by its wording."""
    if question.kind == "short":
        yield from _answer_in_prompt(question)
    if question.kind != "single":
        return
    right = next(option for option in question.options if option.right)
    wrong = [option for option in question.options if not option.right]
    length, rival = visible_length(right.text), max(visible_length(option.text) for option in wrong)
    if length > 1.3 * rival and length - rival > 15:
        message = f"The right option is by far the longest ({length} characters, the next {rival}): shorten it."
        yield option_fault(question, right, message, "giveaway")
    prompt = telling_words(question.prompt)
    shared, others = (
        len(telling_words(right.text) & prompt),
        max(len(telling_words(option.text) & prompt) for option in wrong),
    )
    if shared >= others + 3:
        message = (
            f"The right option repeats {shared} words of the prompt, the next one {others}: reword one of them."
        )
        yield option_fault(question, right, message, "giveaway")
    for sentence in _tones(right.text, [option.text for option in wrong]):
        yield option_fault(question, right, sentence, "giveaway")


def _tones(right: str, wrong: list[str]) -> Iterator[str]:
    """How the right option differs in tone from all others."""

    def alone(trait: Callable[[str], object]) -> bool:
        return bool(trait(right)) and not any(map(trait, wrong))

    if alone(lambda text: _NUMBER.search(without_code(text))):
        yield "The right option is the only one with a number: give the others numbers, or take it out."
    if alone(lambda text: "`" in text):
        yield "The right option is the only one with code: word all options alike."
    if alone(_HEDGE.search):
        yield "The right option is the only hedged one (“may”, “often”, “usually”): word all options alike."
    if len(wrong) > 1 and not _ABSOLUTE.search(right) and all(map(_ABSOLUTE.search, wrong)):
        yield "All wrong options are absolute (“always”, “only”, “must”), and the right one isn't: word all options alike."


def _answer_in_prompt(question: Question) -> Iterator[Fault]:
    assert isinstance(question.body, ShortAnswer)
    prompt = f" {normalised(question.prompt)} "
    for form in question.body.answer.accept:
        if f" {normalised(form)} " in prompt:
            yield fault(question, "prompt", f"The prompt contains the answer “{form}”.", "giveaway")
