"""Packages that other programs made, and what is in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from question_bank import Question
from question_bank.formats import FORMATS, FormatRefused, Imported

DATA = Path(__file__).parents[3] / "data" / "question_bank" / "qti"


def read(name: str, format_name: str) -> Imported:
    return FORMATS[format_name].read((DATA / name).read_bytes(), name)


def by_id(found: Imported) -> dict[str, Question]:
    return {question.id: question for question in found.questions}


def options(question: Question) -> list[tuple[bool, str, str]]:
    return [(option.right, option.text, option.feedback) for option in question.options]


def test_a_quiz_for_canvas():
    found = read("canvas-quiz.zip", "qti-1.2")
    assert found.faults == ()
    questions = by_id(found)
    assert [question.kind for question in found.questions] == [
        "single", "multiple", "numeric", "numeric", "short", "true-false", "open",
    ]  # fmt: skip
    index = questions["index-choice"]
    assert index.prompt == "Which index does PostgreSQL build for `CREATE INDEX` without `USING`?"
    assert index.explanation == "A look at the manual tells it."
    assert options(index) == [
        (False, "Hash", "Only equality."),
        (True, "B-tree", "The default."),
        (False, "GiST", "Wrong: read the chapter on indexes."),
    ]
    assert [option.right for option in questions["both-hold"].options] == [True, False, True]
    assert questions["bits-of-a-byte"].grade("8").correct
    assert not questions["bits-of-a-byte"].grade("8.1").correct
    assert questions["round-trip"].grade("4.5").correct
    assert not questions["round-trip"].grade("4.4").correct
    assert questions["a-protocol"].grade("tls").correct
    points = [loss for loss in found.losses if loss.part == "score"]
    assert [(loss.question, loss.message[:20]) for loss in points] == [("index-choice", "It is worth 2 points")]


def test_a_package_for_blackboard():
    found = read("blackboard-2.1.zip", "qti-2.1")
    assert found.faults == ()
    questions = by_id(found)
    assert [question.kind for question in found.questions] == [
        "single", "multiple", "matching", "numeric", "short", "ordering",
    ]  # fmt: skip
    assert [o.text for o in questions["which-index-does-postgresql-build-by-default"].options if o.right] == [
        "B-tree"
    ]
    pairs = questions["match-the-status-and-its-meaning"].body.pairs
    assert [(pair.left.text, pair.right.text) for pair in pairs] == [
        ("404", "Not found"), ("429", "Too many requests"), ("503", "Unavailable"),
    ]  # fmt: skip
    assert questions["match-the-status-and-its-meaning"].prompt == "Match the status and its meaning."
    assert questions["how-many-bits-has-a-byte"].body.answer.value == 8
    assert [item.text for item in questions["order-by-latency"].body.items] == [
        "L1 cache",
        "Main memory",
        "SSD",
    ]
    said = {(loss.question, loss.part) for loss in found.losses}
    assert ("which-survive-a-crash", "score") in said
    assert ("order-by-latency", "score") in said


@pytest.mark.parametrize("format_name", ["qti-2.1", "qti-3.0"])
def test_items_of_version_3_without_a_manifest(format_name):
    found = read("items-3.0.zip", format_name)
    assert [fault.message for fault in found.faults] == [
        "The package has no `imsmanifest.xml`: every XML file in it was tried."
    ]
    questions = by_id(found)
    assert sorted(question.kind for question in found.questions) == [
        "cloze", "cloze", "matching", "multiple", "open", "ordering", "single",
    ]  # fmt: skip
    assert options(questions["which-index-does-postgresql-build-by-default"]) == [
        (False, "Hash", "Only equality."),
        (True, "B-tree", "It answers ranges, too."),
        (False, "GiST", ""),
    ]
    secured = next(question for question in found.questions if "TLS" in str(question.body.write().front))
    assert secured.body.text == "HTTP is secured by [[?response]]."
    assert secured.grade({"response": "transport layer security"}).correct
    matched = questions["match-the-status-and-its-meaning"].body
    assert [other.side.text for other in matched.distractors] == ["Gone"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [("canvas-quiz.zip", "qti-1.2"), ("blackboard-2.1.zip", "qti-2.1"), ("items-3.0.zip", "qti-3.0")],
)
def test_each_is_known_for_what_it_is(name, expected):
    data = (DATA / name).read_bytes()
    assert [each for each in ("qti-1.2", "qti-2.1", "qti-3.0") if FORMATS[each].sniff(data)] == [expected]


def test_another_version_is_named_or_refused():
    found = read("canvas-quiz.zip", "qti-2.1")
    assert found.questions == ()
    assert any("is QTI 1.2" in fault.message for fault in found.faults)
    with pytest.raises(FormatRefused, match=r"has no file of QTI 1.2"):
        read("blackboard-2.1.zip", "qti-1.2")
