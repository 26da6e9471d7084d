"""Reading answers out of submitted forms: one reader a kind of question."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from question_bank import Answer, Question

MAX_ANSWER = 200
"""Characters of a choice or a short answer; longer values are cut."""
MAX_VALUES = 50

Form = Mapping[str, list[str]]
"""Field name → its values, as `request.form.to_dict(flat=False)` gives them."""

NOT_HERE = frozenset({"code"})
"""Kinds that neither quizzes nor practice ask: code is run in a lab."""
SELF_MARKED = frozenset({"open"})
"""Kinds whose answers the learner marks: asked in practice, never in a quiz, which scores itself."""


def practisable(question: Question) -> bool:
    """Whether a practice session can ask the question."""
    return question.kind not in NOT_HERE


def quizzable(question: Question) -> bool:
    """Whether a quiz can ask the question."""
    return question.kind not in NOT_HERE | SELF_MARKED


def field_name(question: Question) -> str:
    """The name of the question's field; a kind with several adds `-` and a name of its own."""
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


def _values(question: Question, form: Form) -> list[str]:
    return [value.strip()[:MAX_ANSWER] for value in form.get(field_name(question), [])][:MAX_VALUES]


def _one(question: Question, form: Form) -> Answer:
    values = _values(question, form)
    return values[0] if values and values[0] else None


def _several(question: Question, form: Form) -> Answer:
    return _values(question, form)


READERS: dict[str, Callable[[Question, Form], Answer]] = {
    "single": _one,
    "multiple": _several,
    "numeric": _one,
}
