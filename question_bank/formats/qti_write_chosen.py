"""Exports the kinds that are answered by choosing, ordering and matching."""

from __future__ import annotations

from itertools import groupby, islice, permutations, product

from question_bank.choices import ChoiceBody
from question_bank.formats import qti_logic as logic
from question_bank.formats.qti_draft import Draft
from question_bank.formats.qti_logic import RESPONSE, SCORE
from question_bank.formats.qti_markup import to_blocks
from question_bank.formats.qti_tree import Element, make
from question_bank.kinds.matching import Matching
from question_bank.kinds.multiple import MultipleChoice
from question_bank.kinds.ordering import Ordering
from question_bank.kinds.true_false import WORDS, TrueFalse
from question_bank.schema import Option

MAX_ORDERS = 24
"""How many right orders of one question are written down."""


def choices(draft: Draft, body: ChoiceBody) -> None:
    """Single and multiple choice, true or false."""
    named = _named(body)
    several = isinstance(body, MultipleChoice)
    right = [name for name, option in named if option.right]
    cardinality = "multiple" if several else "single"
    if several:
        worth = logic.mapping(
            [(name, 1.0 if option.right else -1.0) for name, option in named],
            lower=0.0,
            upper=float(len(right)),
        )
        draft.responses.append(logic.response(RESPONSE, "identifier", cardinality, right, worth))
        draft.rules.append(logic.setting(SCORE, _share(len(right))))
    else:
        draft.responses.append(logic.response(RESPONSE, "identifier", cardinality, right))
        holds = logic.call("match", logic.variable(RESPONSE), logic.correct(RESPONSE))
        draft.rules.append(logic.when([(holds, [_full_score()])]))
    spoken = [draft.comment(name, option.feedback, option.text) for name, option in named]
    if any(spoken):
        draft.feedback_outcome(cardinality)
        draft.rules.append(logic.setting(logic.FEEDBACK, logic.variable(RESPONSE)))
    shown = {
        "responseIdentifier": RESPONSE,
        "shuffle": "false" if isinstance(body, TrueFalse) else "true",
        "maxChoices": "0" if several else "1",
    }
    draft.blocks.append(
        make(
            "choiceInteraction",
            shown,
            *(make("simpleChoice", {"identifier": name}, *to_blocks(option.text)) for name, option in named),
        )
    )


def _named(body: ChoiceBody) -> list[tuple[str, Option]]:
    if isinstance(body, TrueFalse):
        return [
            (option.text.lower(), option) for option in sorted(body.options, key=lambda o: WORDS.index(o.text))
        ]
    return [(f"choice_{number}", option) for number, option in enumerate(body.options, start=1)]


def ordering(draft: Draft, body: Ordering) -> None:
    """Items to put in order: all or nothing, for QTI has no operator for pairs of items."""
    named = [(f"item_{number}", item) for number, item in enumerate(body.items, start=1)]
    right = [name for name, _ in named]
    draft.lose("score", "It is all or nothing there: credit for each pair of items can't be expressed.")
    draft.responses.append(logic.response(RESPONSE, "identifier", "ordered", right))
    holds = logic.call("match", logic.variable(RESPONSE), logic.correct(RESPONSE))
    groups = [[name for name, _ in group] for _, group in groupby(named, key=lambda pair: pair[1].place)]
    orders = list(islice(product(*(permutations(group) for group in groups)), MAX_ORDERS + 1))
    if len(orders) > MAX_ORDERS:
        draft.lose("places", "Items that may be exchanged are expected in the order of the file there.")
    elif len(orders) > 1:
        others = [_is_order([name for group in order for name in group]) for order in orders[1:]]
        holds = logic.call("or", holds, *others)
    draft.rules.append(logic.when([(holds, [_full_score()])]))
    draft.always([(name, item.feedback, item.text) for name, item in named])
    draft.blocks.append(
        make(
            "orderInteraction",
            {"responseIdentifier": RESPONSE, "shuffle": "true"},
            *(make("simpleChoice", {"identifier": name}, *to_blocks(item.text)) for name, item in named),
        )
    )


def _is_order(names: list[str]) -> Element:
    wanted = logic.call("ordered", *(logic.value("identifier", name) for name in names))
    return logic.call("match", logic.variable(RESPONSE), wanted)


def matching(draft: Draft, body: Matching) -> None:
    """Pairs, each of which earns an equal share."""
    rights: dict[str, tuple[str, str]] = {}
    for side in [*(pair.right for pair in body.pairs), *(other.side for other in body.distractors)]:
        rights.setdefault(side.key, (f"right_{len(rights) + 1}", side.text))
    lefts = [(f"left_{number}", pair) for number, pair in enumerate(body.pairs, start=1)]
    pairs = [f"{name} {rights[pair.right.key][0]}" for name, pair in lefts]
    worth = logic.mapping([(pair, 1.0) for pair in pairs], lower=0.0, upper=float(len(pairs)))
    draft.responses.append(logic.response(RESPONSE, "directedPair", "multiple", pairs, worth))
    draft.rules.append(logic.setting(SCORE, _share(len(pairs))))
    draft.always([(name, pair.feedback, pair.left.text) for name, pair in lefts])
    for other in body.distractors:
        name, text = rights[other.side.key]
        if draft.comment(name, other.feedback, text):
            draft.feedback_outcome("multiple")
            chosen = [_has_pair(f"{left} {name}") for left, _ in lefts]
            more = logic.call("multiple", logic.variable(logic.FEEDBACK), logic.value("identifier", name))
            draft.rules.append(logic.when([(logic.call("or", *chosen), [logic.setting(logic.FEEDBACK, more)])]))
    draft.blocks.append(
        make(
            "matchInteraction",
            {"responseIdentifier": RESPONSE, "shuffle": "true", "maxAssociations": str(len(pairs))},
            make("simpleMatchSet", None, *(_side(name, pair.left.text, 1) for name, pair in lefts)),
            make("simpleMatchSet", None, *(_side(name, text, 0) for name, text in rights.values())),
        )
    )


def _side(name: str, text: str, most: int) -> Element:
    return make("simpleAssociableChoice", {"identifier": name, "matchMax": str(most)}, *to_blocks(text))


def _has_pair(pair: str) -> Element:
    return logic.call("member", logic.value("directedPair", pair), logic.variable(RESPONSE))


def _share(whole: int) -> Element:
    """What the mapping gives, as a fraction."""
    given = make("mapResponse", {"identifier": RESPONSE})
    return logic.call("divide", given, logic.value("float", str(whole))) if whole > 1 else given


def _full_score() -> Element:
    return logic.setting(SCORE, logic.value("float", "1"))
