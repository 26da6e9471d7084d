"""Imports items that are answered by choosing, ordering and matching."""

from __future__ import annotations

from math import factorial, prod

from question_bank.body import Written, entry
from question_bank.formats import bodies
from question_bank.formats.bodies import Choice
from question_bank.formats.qti_markup import from_element
from question_bank.formats.qti_reading import CannotRead, Reading, usable
from question_bank.formats.qti_rules import Comment, Moment
from question_bank.formats.qti_tree import Element, every, line_text
from question_bank.kinds.true_false import WORDS

INSIDE = ("feedbackInline", "feedbackBlock")
"""The feedback that may stand within a choice."""
_FIXED = "An order that is fixed there is shuffled here."


def choices(reading: Reading, interaction: Element) -> tuple[str, Written]:
    """A choice interaction, or one of words in a text: single, multiple, or true and false."""
    response = interaction.get("responseIdentifier", "")
    named = {choice.get("identifier", ""): choice for choice in every(interaction, "simpleChoice", "hottext")}
    if len(named) < len(every(interaction, "simpleChoice", "hottext")):
        reading.lose("options", "Of choices with the same identifier, the last one was kept.")
    comments, others = reading.split(response, named)
    right = _right(reading, response, named)
    cardinality = reading.declaration(response).get("cardinality", "single")
    several = cardinality != "single" and (interaction.get("maxChoices") != "1" or len(right) != 1)
    reading.general(others if several else _shared_out(reading, others, right, named, comments))
    _score_losses(reading, response, right, list(named), several=several)
    options = [
        Choice(
            reading.markdown(choice, f"option {number}"),
            name in right,
            comments.get(name) or _inside(reading, choice),
        )
        for number, (name, choice) in enumerate(named.items(), start=1)
    ]
    texts = [option.text.casefold() for option in options]
    if not several and sorted(texts) == sorted(word.casefold() for word in WORDS):
        by_word = dict(zip(texts, options, strict=True))
        return "true-false", bodies.true_false(
            by_word["true"].right, by_word["true"].feedback, by_word["false"].feedback
        )
    if interaction.get("shuffle") != "true" or any(c.get("fixed") == "true" for c in named.values()):
        reading.lose("order", _FIXED)
    return ("multiple" if several else "single"), bodies.choices(usable(options, reading.lose))


def _shared_out(
    reading: Reading,
    said: list[Comment],
    right: set[str],
    named: dict[str, Element],
    comments: dict[str, str],
) -> list[Comment]:
    """Put what is said about right and wrong answers to the choices that have no text of their own."""
    others = []
    for comment in said:
        if comment.moment not in (Moment.RIGHT, Moment.WRONG):
            others.append(comment)
            continue
        text = reading.text(comment.text, "feedback")
        for name, choice in named.items():
            if (name in right) == (comment.moment is Moment.RIGHT) and not every(choice, *INSIDE):
                comments.setdefault(name, text)
    return others


def _right(reading: Reading, response: str, named: dict[str, Element]) -> set[str]:
    """The names of the right choices. Raises `CannotRead` when the item doesn't say."""
    right = {name for name in reading.correct(response) if name in named}
    if not right:
        worth = reading.mapping(response)
        best = max((value for name, value in worth.items() if name in named), default=0.0)
        several = reading.declaration(response).get("cardinality") != "single"
        right = {
            name for name, value in worth.items() if name in named and value > 0 and (several or value == best)
        }
    if not right:
        for test in reading.rules.scoring_tests(response, "match", "member"):
            right |= {line_text(value) for value in every(test, "baseValue")} & set(named)
    if not right:
        raise CannotRead("It doesn't say which choice is right.")
    return right


def _score_losses(reading: Reading, response: str, right: set[str], names: list[str], *, several: bool) -> None:
    worth = reading.mapping(response)
    if not several:
        if any(value > 0 for name, value in worth.items() if name not in right):
            reading.lose("score", "Some choices are worth a part of the points there: here one earns all.")
        return
    if not reading.rules.maps(response):
        reading.lose("score", "It is all or nothing there: here each right choice earns a share.")
        return
    wanted = {name: (1 if name in right else -1) for name in names}
    largest = max((abs(value) for value in worth.values()), default=0.0) or 1.0
    if any(abs(worth.get(name, 0.0) / largest - value) > 1e-6 for name, value in wanted.items()):
        said = "Choices are weighted differently there: here a right one earns a share and a wrong one takes it away."
        reading.lose("score", said)


def _inside(reading: Reading, choice: Element) -> str:
    """The feedback that stands within a choice."""
    texts = every(choice, *INSIDE)
    return "\n\n".join(reading.markdown(text, "feedback") for text in texts)


def ordering(reading: Reading, interaction: Element) -> tuple[str, Written]:
    """An order interaction."""
    response = interaction.get("responseIdentifier", "")
    named = {choice.get("identifier", ""): choice for choice in every(interaction, "simpleChoice")}
    comments, others = reading.split(response, named)
    reading.general(others)
    order = [name for name in reading.correct(response) if name in named]
    if len(set(order)) < len(order) or set(order) != set(named):
        raise CannotRead("It doesn't give one right order of all its items.")
    if not reading.rules.maps(response):
        reading.lose("score", "It is all or nothing there: here each pair of items earns a share.")
    places = _places(order, _further_orders(reading, response, named))
    entries = (
        entry(
            f"{place}. ",
            bodies.entry_text(reading.markdown(named[name], f"item {number}")),
            bodies.feedback_text(comments.get(name) or _inside(reading, named[name])),
            indent=3,
        )
        for number, (name, place) in enumerate(zip(order, places, strict=True), start=1)
    )
    return "ordering", Written(sections={"Items": "\n".join(entries)})


def _further_orders(reading: Reading, response: str, named: dict[str, Element]) -> list[list[str]]:
    """The other orders that count as right."""
    found = []
    for test in reading.rules.scoring_tests(response, "match"):
        for ordered in every(test, "ordered"):
            names = [line_text(value) for value in every(ordered, "baseValue")]
            if sorted(names) == sorted(named) and names not in found:
                found.append(names)
    return found


def _places(order: list[str], others: list[list[str]]) -> list[int]:
    """The place of each item: items that the orders exchange with each other share one."""
    orders = [order, *(other for other in others if other != order)]
    places, place, start = [], 0, 0
    sizes = []
    for end in range(1, len(order) + 1):
        if len({frozenset(each[start:end]) for each in orders}) == 1:
            place += 1
            places += [place] * (end - start)
            sizes.append(end - start)
            start = end
    exchangeable = prod(factorial(size) for size in sizes) == len(orders)
    return places if exchangeable else list(range(1, len(order) + 1))


def matching(reading: Reading, interaction: Element) -> tuple[str, Written]:
    """A match interaction in which every left side has one partner."""
    response = interaction.get("responseIdentifier", "")
    sets = every(interaction, "simpleMatchSet")
    if len(sets) != 2:
        raise CannotRead("It doesn't have two sets to match.")
    lefts, rights = (
        {side.get("identifier", ""): side for side in every(each, "simpleAssociableChoice")} for each in sets
    )
    pairs = _pairs(reading, response)
    if len({left for left, _ in pairs}) < len(pairs) and len({right for _, right in pairs}) == len(pairs):
        lefts, rights = rights, lefts
        pairs = [(right, left) for left, right in pairs]
    partner = {left: right for left, right in pairs if left in lefts and right in rights}
    if len(partner) < len(pairs) or not partner:
        raise CannotRead("It matches one thing with several, or doesn't say what belongs together.")
    comments, others = reading.split(response, [*lefts, *rights, *(f"{a} {b}" for a, b in pairs)])
    reading.general(others)
    for name in lefts:
        if name not in partner:
            said = f"“{line_text(lefts[name])[:60]}” has no partner, which can't be stored: left out."
            reading.lose("pairs", said)
    if not reading.rules.maps(response):
        reading.lose("score", "It is all or nothing there: here each right pair earns a share.")
    written = [
        (
            reading.markdown(lefts[left], "pairs"),
            reading.markdown(rights[right], "pairs"),
            comments.get(left) or comments.get(f"{left} {right}") or _inside(reading, lefts[left]),
        )
        for left, right in sorted(partner.items(), key=lambda pair: list(lefts).index(pair[0]))
    ]
    spare = [
        (reading.markdown(side, "distractors"), comments.get(name, ""))
        for name, side in rights.items()
        if name not in partner.values()
    ]
    return "matching", bodies.matching(written, spare)


def gap_choices(reading: Reading, interaction: Element) -> tuple[str, dict[str, dict[str, object]]]:
    """A gap match interaction as the text with its gaps, each of which is chosen from all the texts."""
    response = interaction.get("responseIdentifier", "")
    if every(interaction, "gapImg"):
        raise CannotRead("Images are put into its gaps.")
    texts = {text.get("identifier", ""): line_text(text) for text in every(interaction, "gapText")}
    right = {gap: text for text, gap in _pairs(reading, response)}
    comments, others = reading.split(response, [])
    del comments
    reading.general(others)
    names = {gap.get("identifier", ""): f"gap{n}" for n, gap in enumerate(every(interaction, "gap"), start=1)}
    if missing := [name for name in names if right.get(name) not in texts]:
        raise CannotRead(f"It doesn't say what belongs into the gap `{missing[0]}`.")
    shown = from_element(
        interaction,
        lambda part: (
            f" gapmark{names[part.get('identifier', '')]}e "
            if part.tag == "gap"
            else ("" if part.tag in ("gapText", "prompt") else None)
        ),
    )
    text = reading.text(shown, "text")
    for name in names.values():
        text = text.replace(f"gapmark{name}e", f"[[?{name}]]")
    gaps: dict[str, dict[str, object]] = {
        name: bodies.choice_gap([Choice(text, right[gap] == key) for key, text in texts.items()])
        for gap, name in names.items()
    }
    return text, gaps


def _pairs(reading: Reading, response: str) -> list[tuple[str, str]]:
    """The right pairs of a response."""
    found = reading.correct(response) or [key for key, value in reading.mapping(response).items() if value > 0]
    pairs = [tuple(pair.split()) for pair in found]
    return [(pair[0], pair[1]) for pair in pairs if len(pair) == 2]
