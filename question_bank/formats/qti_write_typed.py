"""Exports the kinds that are answered by typing: numbers, short answers, texts with gaps, open answers, programs."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from question_bank.fences import fenced
from question_bank.formats import qti_logic as logic
from question_bank.formats.qti_draft import Draft
from question_bank.formats.qti_logic import FEEDBACK, RESPONSE, SCORE, number
from question_bank.formats.qti_markup import to_blocks, with_gaps
from question_bank.formats.qti_tree import Element, Part, make
from question_bank.kinds.cloze import Cloze, Gap
from question_bank.kinds.code import Code
from question_bank.kinds.numeric import Numeric, NumericAnswer
from question_bank.kinds.open import MAX_CRITERIA, OpenAnswer
from question_bank.kinds.short import ShortAnswer
from question_bank.kinds.single import SingleChoice
from question_bank.kinds.typed import Forms, TypedAnswer

_ONLY_RE2 = re.compile(r"\(\?|\\[bBAzZQEGCxaftv]|\\\d|[*+?}]\?|(?<![\[\\])\^|\$|\[\[:")
"""What RE2 has and the expressions of XML Schema have not, or read differently."""


@dataclass(frozen=True, slots=True)
class Names:
    """What the variables of one field are called."""

    response: str = RESPONSE
    score: str = SCORE
    feedback: str = FEEDBACK


def numeric(draft: Draft, body: Numeric) -> None:
    """A number with a tolerance."""
    draft.blocks.append(make("p", None, *_number_field(draft, body.answer, Names())))


def short(draft: Draft, body: ShortAnswer) -> None:
    """A few words."""
    draft.blocks.append(make("p", None, *_text_field(draft, body.answer, Names())))


def cloze(draft: Draft, body: Cloze) -> None:
    """A text with gaps, each of which earns an equal share."""
    gaps = {gap.name: gap for gap in body.gaps}

    def field(name: str) -> list[Part]:
        gap = gaps[name]
        names = Names(f"GAP_{name}", f"SCORE_{name}", f"FEEDBACK_{name}")
        draft.outcomes.append(logic.outcome(names.score, "float", default="0"))
        return _gap_field(draft, gap, names)

    draft.blocks.append(make("div", {"class": "gaps"}, *with_gaps(body.text, field)))
    total = logic.call("sum", *(logic.variable(f"SCORE_{gap.name}") for gap in body.gaps))
    share = logic.call("divide", total, logic.value("float", str(len(body.gaps))))
    draft.rules.append(logic.setting(SCORE, share))


def open_answer(draft: Draft, body: OpenAnswer) -> None:
    """Free text that a person marks by the rubric."""
    _essay(draft, [(entry.points, entry.criterion) for entry in body.rubric], body.model_answer)
    draft.lose("kind", "The rubric is a note for markers there: nobody is asked for its points one by one.")


def code(draft: Draft, body: Code) -> None:
    """A program, which becomes free text: nothing runs it there."""
    task = body.task
    shown = ["Begin with:", fenced(body.starter, task.language)]
    for example in task.examples:
        shown += [f"Example: {example.about}", *([fenced(example.input, "text")] if example.input else [])]
        shown += ["gives", fenced(example.output, "text")]
    draft.blocks.extend(to_blocks("\n\n".join(shown)))
    probed = Counter(" ".join(case.about.split()) for case in task.cases)
    if len(probed) > MAX_CRITERIA:
        draft.lose(
            "rubric", f"Only the first {MAX_CRITERIA} of {len(probed)} things probed are listed for markers."
        )
    rubric = [(count, f"Passes: {about}") for about, count in list(probed.items())[:MAX_CRITERIA]]
    _essay(draft, rubric, fenced(body.solution, task.language), "preformatted")
    draft.lose(
        "kind",
        "It becomes an open answer there, which a person marks: the program isn't run. The harness and what the "
        "hidden cases put in and expect stay behind.",
    )


def _essay(draft: Draft, rubric: list[tuple[int, str]], model_answer: str, form: str = "plain") -> None:
    draft.by_hand = True
    draft.responses.append(logic.response(RESPONSE, "string", "single"))
    draft.blocks.append(
        make("extendedTextInteraction", {"responseIdentifier": RESPONSE, "expectedLines": "10", "format": form})
    )
    entries = [make("li", None, f"{points} point{'s' * (points > 1)}: {text}") for points, text in rubric]
    for_markers = make("div", {"class": "model-answer"}, *to_blocks(model_answer))
    draft.blocks.append(
        make(
            "rubricBlock",
            {"view": "scorer", "use": "scoring"},
            make("ul", {"class": "rubric"}, *entries),
            for_markers,
        )
    )
    draft.texts.append(logic.modal(logic.SOLUTION, "model_answer", to_blocks(model_answer), "Model answer"))


def _gap_field(draft: Draft, gap: Gap, names: Names) -> list[Part]:
    if isinstance(gap.body, SingleChoice):
        return [_choice_field(draft, gap.body, names)]
    if isinstance(gap.body, Numeric):
        return _number_field(draft, gap.body.answer, names)
    return _text_field(draft, gap.body.answer, names)


def _choice_field(draft: Draft, body: SingleChoice, names: Names) -> Element:
    named = [(f"choice_{number}", option) for number, option in enumerate(body.options, start=1)]
    right = [name for name, option in named if option.right]
    draft.responses.append(logic.response(names.response, "identifier", "single", right))
    holds = logic.call("match", logic.variable(names.response), logic.correct(names.response))
    draft.rules.append(logic.when([(holds, [_full(names)])]))
    if any([draft.comment(name, o.feedback, o.text, names.feedback) for name, o in named]):  # noqa: C419
        draft.feedback_outcome("single", names.feedback)
        draft.rules.append(logic.setting(names.feedback, logic.variable(names.response)))
    return make(
        "inlineChoiceInteraction",
        {"responseIdentifier": names.response, "shuffle": "true"},
        *(make("inlineChoice", {"identifier": name}, option.text) for name, option in named),
    )


def _number_field(draft: Draft, answer: NumericAnswer, names: Names) -> list[Part]:
    draft.responses.append(logic.response(names.response, "float", "single", [number(answer.value)]))
    given, right = logic.variable(names.response), logic.correct(names.response)
    by_percent = answer.tolerance_percent and answer.margin > answer.tolerance
    if not answer.margin:
        holds = logic.call("equal", given, right, toleranceMode="exact")
    elif by_percent:
        holds = _equal(given, right, "relative", answer.tolerance_percent)
    else:
        holds = _equal(given, right, "absolute", answer.tolerance)
    if answer.tolerance and answer.tolerance_percent:
        draft.lose(
            "answer", "Only the more generous of the two tolerances is written; the other has no effect."
        )
    if answer.unit_aliases:
        spellings = ", ".join(answer.unit_aliases)
        draft.lose("unit", f"Other spellings of the unit are not accepted there: {spellings}.")
    if answer.unit:
        draft.lose("unit", "The number has to be typed without its unit there.")
    mistakes = []
    for mistake in answer.mistakes:
        margin = max(answer.margin, abs(mistake.value) * 0.005)
        meant = logic.value("float", number(mistake.value))
        mistakes.append((_equal(logic.variable(names.response), meant, "absolute", margin), mistake.why))
    _judge(draft, names, holds, answer.feedback, mistakes)
    entry = make("textEntryInteraction", {"responseIdentifier": names.response, "expectedLength": "12"})
    return [entry, " ", make("span", {"class": "unit"}, answer.unit)] if answer.unit else [entry]


def _equal(given: Element, wanted: Element, mode: str, margin: float) -> Element:
    return logic.call(
        "equal", given, wanted, toleranceMode=mode, tolerance=f"{number(margin)} {number(margin)}"
    )


def _text_field(draft: Draft, answer: TypedAnswer, names: Names) -> list[Part]:
    forms = list(dict.fromkeys(answer.accept))
    worth = logic.mapping(
        [(form, 1.0) for form in forms], lower=0.0, upper=1.0, case_sensitive=answer.case_sensitive
    )
    draft.responses.append(logic.response(names.response, "string", "single", forms[:1], worth))
    known = logic.call("gt", make("mapResponse", {"identifier": names.response}), logic.value("float", "0"))
    further = _patterns(draft, answer, answer, names)
    holds = logic.call("or", known, *further) if further else known
    draft.lose("answer", "Runs of spaces, quotes around the answer and a full stop at its end count there.")
    mistakes = []
    for mistake in answer.mistakes:
        tests = [
            logic.call(
                "stringMatch",
                logic.variable(names.response),
                logic.value("string", form),
                caseSensitive="true" if answer.case_sensitive else "false",
            )
            for form in mistake.accept
        ]
        tests += _patterns(draft, mistake, answer, names)
        if tests:
            mistakes.append((logic.call("or", *tests) if len(tests) > 1 else tests[0], mistake.why))
        else:
            draft.lose("mistakes", f"A foreseen mistake stays behind: “{mistake.why[:60]}”.")
    _judge(draft, names, holds, answer.feedback, mistakes)
    length = str(max(len(form) for form in forms))
    return [make("textEntryInteraction", {"responseIdentifier": names.response, "expectedLength": length})]


def _patterns(draft: Draft, forms: Forms, answer: TypedAnswer, names: Names) -> list[Element]:
    made = []
    for pattern in forms.patterns:
        if _ONLY_RE2.search(pattern):
            draft.lose("patterns", f"`{pattern}` can't be written as an expression of XML Schema: left out.")
            continue
        if not answer.case_sensitive:
            draft.lose("patterns", f"Capital letters count there in `{pattern}`.")
        made.append(logic.call("patternMatch", logic.variable(names.response), pattern=pattern))
    return made


def _judge(
    draft: Draft, names: Names, holds: Element, praise: str, mistakes: list[tuple[Element, str]]
) -> None:
    """The score of a field, and what is said about its answer."""
    done = [_full(names)]
    if draft.comment("right", praise, outcome=names.feedback):
        done.append(_say(names, "right"))
    cases = [(holds, done)]
    for place, (test, why) in enumerate(mistakes, start=1):
        draft.comment(f"mistake_{place}", why, outcome=names.feedback)
        cases.append((test, [_say(names, f"mistake_{place}")]))
    if len(done) + len(cases) > 2:
        draft.feedback_outcome("single", names.feedback)
    draft.rules.append(logic.when(cases))


def _say(names: Names, identifier: str) -> Element:
    return logic.setting(names.feedback, logic.value("identifier", identifier))


def _full(names: Names) -> Element:
    return logic.setting(names.score, logic.value("float", "1"))
