"""QTI 1.2: the types of Canvas, Common Cartridges, and items that don't say what they are."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from question_bank import Question
from question_bank.formats import FORMATS, FormatRefused, Imported

SHAPES = Path(__file__).parents[3] / "data" / "question_bank" / "qti" / "canvas-shapes.xml"
QTI = FORMATS["qti-1.2"]


@pytest.fixture(scope="module")
def shapes() -> Imported:
    return QTI.read(SHAPES.read_bytes(), SHAPES.name)


@pytest.fixture(scope="module")
def by_id(shapes: Imported) -> dict[str, Question]:
    return {question.id: question for question in shapes.questions}


def bare(body: str, ident: str = "q1") -> bytes:
    return f'<questestinterop><item ident="{ident}" title="Bare">{body}</item></questestinterop>'.encode()


def choice(conditions: str, cardinality: str = "Single", names: str = "abc") -> bytes:
    labels = "".join(
        f'<response_label ident="{name}"><material><mattext>Text {name}</mattext></material></response_label>'
        for name in names
    )
    return bare(
        f"<presentation><material><mattext>Which &lt; one?</mattext></material>"
        f'<response_lid ident="R" rcardinality="{cardinality}"><render_choice>{labels}</render_choice></response_lid>'
        f"</presentation><resprocessing>{conditions}</resprocessing>"
    )


def scored(test: str, points: float = 100, action: str = "Set") -> str:
    return (
        f"<respcondition><conditionvar>{test}</conditionvar>"
        f'<setvar varname="SCORE" action="{action}">{points}</setvar></respcondition>'
    )


def test_what_can_be_taken_in_is_and_the_rest_is_named(shapes):
    assert [question.kind for question in shapes.questions] == [
        "matching",
        "cloze",
        "cloze",
        "numeric",
        "numeric",
    ]
    assert [fault.message for fault in shapes.faults] == [
        "“A file” can't be taken in: It asks for a file, which no kind of question does here.",
        "“No key” can't be taken in: It doesn't say which choice is right.",
    ]
    lines = SHAPES.read_text().split("\n")
    for fault, title in zip(shapes.faults, ("A file", "No key"), strict=True):
        assert f'title="{title}"' in lines[fault.line - 1]


def test_pairs_have_their_distractors_and_feedback(by_id):
    matching = by_id["status-codes"]
    assert matching.prompt == "Match the **status**."
    assert [(p.left.text, p.right.text, p.feedback) for p in matching.body.pairs] == [
        ("404", "Not found", "Nothing is at that address."),
        ("429", "Too many requests", ""),
    ]
    assert [other.side.text for other in matching.body.distractors] == ["Gone"]


def test_blanks_take_every_wording_and_stand_where_they_stood(by_id):
    query = by_id["a-query"]
    assert query.body.text == "SELECT 1 FOR [[?lock_kind]] SKIP [[?what]]"
    assert query.grade({"lock_kind": "no key update", "what": "locked"}).correct
    assert not query.grade({"lock_kind": "share", "what": "locked"}).correct


def test_dropdowns_become_chosen_gaps(by_id):
    (gap,) = by_id["drop-down"].body.gaps
    assert [(option.text, option.right) for option in gap.body.options] == [
        ("last in, first out", False),
        ("first in, first out", True),
    ]


def test_a_formula_becomes_parameters(by_id, shapes):
    load = by_id["load"]
    assert load.parameterised
    variant = load.at("seed")
    rate, ms = variant.values["rate"], variant.values["ms"]
    assert f"{rate} requests a second take {ms:g} ms each" in variant.prompt
    assert variant.body.answer.value == round(rate * ms / 1000, 1)
    assert variant.body.answer.tolerance_percent == 5
    assert any(loss.part == "parameters" for loss in shapes.losses if loss.question == "load")


def test_a_range_is_a_tolerance_and_a_wrong_number_a_mistake(by_id):
    answer = by_id["a-range"].body.answer
    assert (answer.value, answer.tolerance) == (77, 7)
    assert [(mistake.value, mistake.why) for mistake in answer.mistakes] == [(770, "Ten times too many.")]


def test_an_item_without_metadata_is_read_by_its_structure():
    one = QTI.read(choice(scored('<varequal respident="R">b</varequal>'))).questions[0]
    assert one.kind == "single"
    assert one.prompt == "Which &lt; one?"
    assert [option.right for option in one.options] == [False, True, False]
    many = '<and><varequal respident="R">a</varequal><not><varequal respident="R">b</varequal></not></and>'
    found = QTI.read(choice(scored(many), "Multiple"))
    assert [option.right for option in found.questions[0].options] == [True, False, False]
    assert any(loss.part == "score" for loss in found.losses)
    ordered = "".join(f'<varequal respident="R">{name}</varequal>' for name in "cab")
    order = QTI.read(choice(scored(ordered), "Ordered")).questions[0]
    assert [entry.text for entry in order.body.items] == ["Text c", "Text a", "Text b"]


def test_negative_points_are_wrong_and_the_best_of_a_choice_is_right():
    parts = "".join(
        scored(f'<varequal respident="R">{name}</varequal>', points, "Add")
        for name, points in (("a", 25), ("b", -10), ("c", 100))
    )
    found = QTI.read(choice(parts))
    assert [option.right for option in found.questions[0].options] == [False, False, True]
    assert "Some choices are worth a part of the points there" in " ".join(
        loss.message for loss in found.losses
    )


def test_empty_and_repeated_wrong_options_are_left_out_by_name():
    data = (
        choice(scored('<varequal respident="R">a</varequal>'))
        .replace(b"Text b", b"")
        .replace(b"Text c", b"Text a")
    )
    data = data.replace(
        b"</render_choice>",
        b'<response_label ident="d"><material><mattext>D</mattext></material></response_label></render_choice>',
    )
    found = QTI.read(data)
    assert [option.text for option in found.questions[0].options] == ["Text a", "D"]
    assert sorted(loss.message for loss in found.losses if loss.part == "options") == [
        "A wrong option that has no text was left out.",
        "A wrong option that repeats another was left out.",
    ]


def test_a_cartridge_with_the_same_quiz_twice_gives_it_once():
    quiz = choice(scored('<varequal respident="R">a</varequal>'))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("i1/assessment_qti.xml", quiz.replace(b"Text", b"Short"))
        archive.writestr("non_cc_assessments/i1.xml.qti", quiz)
        archive.writestr("course_settings/course_settings.xml", "<course/>")
    found = QTI.read(packed.getvalue(), "course.imscc")
    assert found.faults == ()
    assert [option.text for option in found.questions[0].options] == ["Text a", "Text b", "Text c"]
    assert len(found.questions) == 1


def test_a_cut_off_file_gives_what_was_complete():
    whole = SHAPES.read_bytes()
    found = QTI.read(whole[: whole.index(b'ident="c1"') + 200], "cut.xml")
    assert [question.id for question in found.questions] == ["status-codes", "a-query", "drop-down"]
    assert any("can't be read from here on" in fault.message for fault in found.faults)


def test_nothing_to_read_is_refused():
    with pytest.raises(FormatRefused, match=r"no QTI 1\.2"):
        QTI.read(b"<assessmentItem/>", "x.xml")
    with pytest.raises(FormatRefused, match="imported only"):
        QTI.write([])
