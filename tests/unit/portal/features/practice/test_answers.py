"""Forms of every kind: what is shown can be answered, and what is answered is read back."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from flask import Flask, render_template

from portal.content import Content
from portal.features.practice import is_blank, read_answer, seed_of, variant_of, views
from portal.features.practice.answers import PRACTICE_KINDS, QUIZ_KINDS, VARIANTS
from question_bank import KINDS, AnswerRefused, Question
from tests.fixtures import questions
from tests.fixtures.portal import check_page


class Fields(HTMLParser):
    """The fields of a form: name → values that can be chosen; None for what is typed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.fields: dict[str, list[str] | None] = {}
        self.filled: dict[str, list[str]] = {}
        self._select = ""
        self._area = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        have = dict(attrs)
        name, value = have.get("name") or "", have.get("value") or ""
        if tag == "select":
            self._select = name
            self.fields[name] = []
        elif tag == "option":
            options = self.fields[self._select]
            assert options is not None
            options.append(value)
            if "selected" in have:
                self.filled.setdefault(self._select, []).append(value)
        elif tag == "textarea":
            self.fields[name], self._area = None, name
        elif tag == "input" and have.get("type") in ("radio", "checkbox"):
            self.fields.setdefault(name, [])
            options = self.fields[name]
            assert options is not None
            options.append(value)
            if "checked" in have:
                self.filled.setdefault(name, []).append(value)
        elif tag == "input":
            self.fields[name] = None
            if value:
                self.filled[name] = [value]

    def handle_data(self, data: str) -> None:
        if self._area and data:
            self.filled[self._area] = [data]

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self._area = ""


def form_of(
    app: Flask, question: Question, seed: int, given: object = None, error: str | None = None
) -> Fields:
    with app.test_request_context(base_url="http://localhost:8000"):
        view = views.asked(question, seed, given=given, error=error)  # type: ignore[arg-type]
        html = render_template("practice/_question.html", question=view, total=1)
    check_page(html)
    return Fields(html)


def sent(question: Question, answer: object) -> dict[str, list[str]]:
    """The form that a browser would send for this answer."""
    name = f"q-{question.id}"
    if question.kind == "ordering":
        assert isinstance(answer, list)
        return {f"{name}-{key}": [str(place)] for place, key in enumerate(answer, 1)}
    if isinstance(answer, dict):
        return {f"{name}-{key}": [str(value)] for key, value in answer.items()}
    return {name: answer if isinstance(answer, list) else [str(answer)]}


def test_every_kind_is_asked_somewhere_or_said_to_need_a_lab() -> None:
    assert set(KINDS) == PRACTICE_KINDS | {"code"}
    assert {"open"} == PRACTICE_KINDS - QUIZ_KINDS


@pytest.mark.parametrize("kind", questions.KINDS)
def test_what_is_right_can_be_sent_by_its_form(app: Flask, kind: str) -> None:
    question = questions.question(kind)
    seed = 47
    answer = questions.right_answer(question, seed_of(question, seed))
    form = sent(question, answer)
    fields = form_of(app, question, seed).fields
    for name, values in form.items():
        assert name in fields
        offered = fields[name]
        assert offered is None or set(values) <= set(offered)
    graded = question.grade(read_answer(question, form), seed_of(question, seed))
    assert graded.answered
    assert graded.correct or not graded.complete


@pytest.mark.parametrize("kind", questions.KINDS)
def test_an_empty_form_is_blank(kind: str) -> None:
    question = questions.question(kind)
    assert is_blank(read_answer(question, {}))
    assert is_blank(read_answer(question, {f"q-{question.id}": [""]}))


@pytest.mark.parametrize("kind", questions.KINDS)
def test_what_was_refused_is_filled_in_again(app: Flask, kind: str) -> None:
    question = questions.question(kind)
    form = sent(question, questions.right_answer(question, seed_of(question, 3)))
    given = read_answer(question, form)
    again = form_of(app, question, 3, given, "Say it again.").filled
    assert {name: sorted(values) for name, values in again.items()} == {
        name: sorted(values) for name, values in form.items()
    }


@pytest.mark.parametrize("kind", questions.KINDS)
def test_after_the_answer_the_page_says_why(app: Flask, content: Content, kind: str) -> None:
    question = questions.question(kind)
    given = questions.right_answer(question, seed_of(question, 3))
    with app.test_request_context(base_url="http://localhost:8000"):
        for answer in (given, None):
            view = views.graded(
                question,
                3,
                content=content,
                given=answer,
                fraction=1.0,
                correct=True,
                content_hash=question.content_hash,
            )
            html = render_template("practice/_graded.html", question=view, mark_url="/x", csrf_token=lambda: "")
            check_page(html)
            waits = kind == "open" and answer is not None
            assert ("This is how one gets there." in html) is not waits


@pytest.mark.parametrize(
    "places", [{}, {"x": "1"}, {"x": "1", "y": "1", "z": "2"}, {"x": "1", "y": "2", "z": "x"}]
)
def test_places_that_are_no_order_are_refused(places: dict[str, str]) -> None:
    question = questions.question("ordering")
    keys = [item.key for item in question.body.items]  # type: ignore[attr-defined]
    form = {
        f"q-{question.id}-{key}": [places[name]]
        for key, name in zip(keys, "xyz", strict=True)
        if name in places
    }
    answer = read_answer(question, form)
    if not places:
        assert is_blank(answer)
        return
    with pytest.raises(AnswerRefused, match="all 3 items"):
        question.grade(answer)


def test_long_values_are_bounded(content: Content) -> None:
    single, text = questions.question("single"), questions.question("open")
    assert read_answer(single, {f"q-{single.id}": ["x" * 1000]}) == "x" * 200
    multiple = questions.question("multiple")
    many = read_answer(multiple, {f"q-{multiple.id}": ["x"] * 999})
    assert isinstance(many, list)
    assert len(many) == 50
    with pytest.raises(AnswerRefused, match="shorten"):
        text.grade(read_answer(text, {f"q-{text.id}": ["x" * 50_000]}))


def test_variants_are_few_and_named(app: Flask) -> None:
    question, plain = questions.question("variants"), questions.question("single")
    assert {variant_of(question, seed) for seed in range(500)} == {str(n) for n in range(1, VARIANTS + 1)}
    assert variant_of(plain, 77) == ""
    assert seed_of(plain, 77) == 77
    with app.test_request_context():
        prompts = {views.asked(question, seed)["prompt_html"] for seed in range(100)}
    assert 2 < len(prompts) <= VARIANTS
    assert all(re.search(r"At \d{3} orders", prompt) for prompt in prompts)


def test_a_gap_in_code_cannot_break_out_of_its_field(app: Flask) -> None:
    question = questions.question("cloze")
    given = {"lock": '"><script>alert(1)</script>'}
    fields = form_of(app, question, 0, given, "No.")
    assert fields.filled[f"q-{question.id}-lock"] == [given["lock"]]
