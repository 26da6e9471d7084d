"""Asking questions in forms: which kinds can be asked, under which seed, and how an answer is read: one reader a kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from question_bank import KINDS, Answer, Question

MAX_ANSWER = 200
"""Characters of a choice or a short answer; longer values are cut."""
MAX_TEXT = 20_000
"""Characters of an open answer."""
MAX_VALUES = 50

Form = Mapping[str, list[str]]
"""Field name → its values, as `request.form.to_dict(flat=False)` gives them."""

RUN_IN_A_LAB = frozenset({"code"})
"""Kinds that neither quizzes nor practice ask: a program needs a sandbox, and a lab has one."""
SELF_MARKED = frozenset({"open"})
"""Kinds whose answers the learner marks: asked in practice, never in a quiz, which scores itself."""
PRACTICE_KINDS = frozenset(KINDS) - RUN_IN_A_LAB
QUIZ_KINDS = PRACTICE_KINDS - SELF_MARKED

VARIANTS = 20
"""How many variants of a question with parameters learners meet. Bounded, so that each gathers enough answers to be compared."""


def practisable(question: Question) -> bool:
    """Whether a practice session can ask the question."""
    return question.kind in PRACTICE_KINDS


def quizzable(question: Question) -> bool:
    """Whether a quiz can ask the question."""
    return question.kind in QUIZ_KINDS


def seed_of(question: Question, seed: int) -> int:
    """The seed to ask the question with: of one with parameters, one of 20."""
    return seed % VARIANTS if question.parameterised else seed


def variant_of(question: Question, seed: int) -> str:
    """The name of the variant that this seed gives, `1` to `20`; empty for a question without parameters."""
    return str(seed_of(question, seed) + 1) if question.parameterised else ""


def field_name(question: Question) -> str:
    """The name of the question's field; a kind with several adds `-` and the key of the part."""
    return f"q-{question.id}"


def read_answer(question: Question, form: Form) -> Answer:
    """The answer to one question in a submitted form; None when there is none."""
    return READERS.get(question.kind, _one)(question, form)


def read_answers(questions: list[Question], form: Form) -> dict[str, Answer]:
    """Question id → the answer in a submitted form."""
    return {question.id: read_answer(question, form) for question in questions}


def is_blank(answer: Answer) -> bool:
    """Whether nothing was answered."""
    if isinstance(answer, Mapping):
        return not any(str(value).strip() for value in answer.values())
    return answer is None or answer == "" or answer == [] or answer == ()


def _values(question: Question, form: Form, longest: int = MAX_ANSWER) -> list[str]:
    return [value.strip()[:longest] for value in form.get(field_name(question), [])][:MAX_VALUES]


def _one(question: Question, form: Form) -> Answer:
    values = _values(question, form)
    return values[0] if values and values[0] else None


def _several(question: Question, form: Form) -> Answer:
    return [value for value in _values(question, form) if value]


def _text(question: Question, form: Form) -> Answer:
    # One character more than is allowed is kept, so that the kind refuses a long text instead of taking half of it.
    values = _values(question, form, MAX_TEXT + 1)
    return values[0].replace("\r\n", "\n").replace("\x00", "") or None if values else None


def _parts(question: Question, form: Form) -> dict[str, str]:
    """The parts of the question that were filled in: key → value."""
    prefix = f"{field_name(question)}-"
    names = [name for name in form if name.startswith(prefix)][:MAX_VALUES]
    parts = {name.removeprefix(prefix): form[name][0].strip()[:MAX_ANSWER] for name in names if form[name]}
    return {key: value for key, value in parts.items() if value}


def _mapping(question: Question, form: Form) -> Answer:
    return _parts(question, form) or None


def _order(question: Question, form: Form) -> Answer:
    """The keys in their order; the places as they were given where these are no order, which the kind then refuses."""
    places = _parts(question, form)
    if sorted(places.values()) != sorted(str(place) for place in range(1, len(places) + 1)):
        return places or None
    return sorted(places, key=lambda key: int(places[key])) or None


READERS: dict[str, Callable[[Question, Form], Answer]] = {
    "cloze": _mapping,
    "matching": _mapping,
    "multiple": _several,
    "open": _text,
    "ordering": _order,
}
