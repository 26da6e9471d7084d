"""Files as Moodle writes them become questions; what has no counterpart is named with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from question_bank.formats import FORMATS, FormatRefused, Imported
from question_bank.kinds.cloze import Cloze
from question_bank.kinds.matching import Matching
from question_bank.kinds.numeric import Numeric
from question_bank.kinds.open import OpenAnswer
from question_bank.kinds.ordering import Ordering
from question_bank.kinds.short import ShortAnswer
from question_bank.loader import parse

DATA = Path(__file__).parents[3] / "data" / "question_bank"
MOODLE = FORMATS["moodle-xml"]


@pytest.fixture(scope="module")
def exported() -> Imported:
    return MOODLE.read((DATA / "moodle.xml").read_bytes(), "moodle.xml")


def found_in(imported, question_id):
    return next(each for each in imported.questions if each.id == question_id)


def lost(imported, question_id):
    return {loss.part for loss in imported.losses if loss.question == question_id}


def test_every_type_that_has_a_counterpart_comes_in(exported):
    assert [(q.id, q.kind) for q in exported.questions] == [
        ("lost-update", "single"),
        ("isolation", "multiple"),
        ("unique-and-null", "true-false"),
        ("the-pattern", "short"),
        ("little-s-law", "numeric"),
        ("symptoms", "matching"),
        ("add-a-column", "ordering"),
        ("two-phase-commit", "open"),
        ("claim-a-job", "cloze"),
        ("words", "cloze"),
    ]
    assert {q.topics for q in exported.questions} == {("locks-latches",)}


def test_what_has_no_counterpart_is_named_with_its_line(exported):
    lines = (DATA / "moodle.xml").read_text().splitlines()
    assert [lines[fault.line - 1].strip() for fault in exported.faults] == [
        '<question type="description">',
        '<question type="calculatedsimple">',
    ]
    assert "“Introduction” (description)" in exported.faults[0].message
    assert "parameters" in exported.faults[1].message


def test_html_becomes_markdown_with_its_code(exported):
    asked = found_in(exported, "lost-update")
    assert asked.prompt == (
        "Two writers read the **same** row. What keeps both changes?\n\n"
        "```sql\nUPDATE t\nSET n = 1  -- a < b\nWHERE id = 7;\n```\n\n[A row]"
    )
    assert [option.text for option in asked.options] == [
        "Reading again",
        "A version column, `WHERE version = 3`",
        "A longer timeout",
    ]
    assert [option.right for option in asked.options] == [False, True, False]
    assert asked.explanation == "A version is checked *with* the write."
    assert asked.difficulty == 4


def test_what_is_lost_of_a_choice_is_named(exported):
    assert lost(exported, "lost-update") == {
        "text", "fractions", "hints", "tags", "incorrectfeedback", "assumed",
    }  # fmt: skip
    messages = " ".join(loss.message for loss in exported.losses if loss.question == "lost-update")
    assert "an image `row.png`" in messages
    assert "exam 2024" in messages
    assert "difficulty" not in messages
    assert "explanation" in lost(exported, "isolation")


def test_short_answers_keep_forms_patterns_and_mistakes(exported):
    body = found_in(exported, "the-pattern").body
    assert isinstance(body, ShortAnswer)
    assert body.answer.accept == ("outbox",)
    assert body.answer.accepts("the Outbox Pattern")
    assert not body.answer.accepts("inbox")
    assert body.answer.mistake_for("inbox").why == "The other side."
    assert lost(exported, "the-pattern") >= {"feedback", "fractions"}


def test_numbers_keep_tolerance_units_and_mistakes(exported):
    body = found_in(exported, "little-s-law").body
    assert isinstance(body, Numeric)
    assert (body.answer.value, body.answer.tolerance, body.answer.unit) == (10, 0.5, "requests")
    assert [(m.value, m.why) for m in body.answer.mistakes] == [(4000, "Divided by the time.")]
    assert "units" in lost(exported, "little-s-law")


def test_pairs_items_and_model_answers_are_kept(exported):
    pairs = found_in(exported, "symptoms").body
    assert isinstance(pairs, Matching)
    assert [(p.left.text, p.right.text) for p in pairs.pairs] == [
        ("Books twice", "Idempotency key"),
        ("Overwrites", "Version & check"),
    ]
    assert [other.side.text for other in pairs.distractors] == ["Timeout"]
    items = found_in(exported, "add-a-column").body
    assert isinstance(items, Ordering)
    assert [item.text for item in items.items] == ["Add it", "Fill it", "Read it"]
    essay = found_in(exported, "two-phase-commit").body
    assert isinstance(essay, OpenAnswer)
    assert essay.model_answer == "Locks are held while the coordinator is down."
    assert lost(exported, "two-phase-commit") >= {"rubric", "responsetemplate"}


def test_gaps_are_graded_as_they_were(exported):
    asked = found_in(exported, "claim-a-job")
    assert isinstance(asked.body, Cloze)
    assert [gap.body.name for gap in asked.body.gaps] == ["short", "numeric", "single"]
    right = next(o.key for o in asked.body.gaps[2].body.options if o.right)
    assert asked.grade({"g1": "for update", "g2": "6.4", "g3": right}).fraction == 1.0
    assert asked.grade({"g1": "for share", "g2": "7", "g3": right}).fraction == pytest.approx(1 / 3)
    assert lost(exported, "claim-a-job") >= {"gap g1", "weights"}


def test_words_for_places_become_gaps_with_the_words_of_their_group(exported):
    body = found_in(exported, "words").body
    assert isinstance(body, Cloze)
    assert body.text == "The [[?g1]] sits on the [[?g2]]."
    assert [[o.text for o in gap.body.options] for gap in body.gaps] == [["cat", "dog"], ["mat", "moon"]]


def test_a_broken_file_gives_all_that_is_whole():
    found = MOODLE.read((DATA / "moodle-broken.xml").read_bytes(), "broken.xml")
    assert [q.id for q in found.questions] == ["first", "second"]
    lines = [fault.line for fault in found.faults]
    assert lines == [11, 17, 19, 30]
    assert "“Bad number” (numerical): “ten” is no number." in found.faults[2].message
    assert "not complete" in found.faults[3].message


def test_other_xml_is_refused_with_its_root():
    with pytest.raises(FormatRefused, match="its root is `assessmentItem`"):
        MOODLE.read(b"<assessmentItem/>", "item.xml")


def test_latin_letters_without_a_declaration_are_read_with_a_doubt():
    text = (
        '<quiz><question type="truefalse"><name><text>Über</text></name><questiontext><text>Größer ist größer.'
        '</text></questiontext><answer fraction="100"><text>true</text></answer><answer fraction="0">'
        "<text>false</text></answer></question></quiz>"
    )
    found = MOODLE.read(text.encode("latin-1"), "x.xml")
    assert found.questions[0].prompt == "Größer ist größer."
    assert "Windows-1252" in found.faults[0].message
    declared = f'<?xml version="1.0" encoding="ISO-8859-1"?>{text}'.encode("latin-1")
    again = MOODLE.read(declared, "x.xml")
    assert (again.questions, again.faults) == (found.questions, ())


def test_options_share_the_points_as_moodle_wants_it(question):
    asked = question(kind="multiple")
    data = MOODLE.write([asked]).data.decode()
    assert data.count('fraction="50"') == 2
    assert data.count('fraction="-50"') == 2


def test_categories_hold_module_and_topic(question):
    data = MOODLE.write([question(), question(id="other-one")]).data.decode()
    assert data.count('<question type="category">') == 1
    assert "<text>$course$/top/transactions/row-locks</text>" in data


GAPS = "gaps:\n  one:\n    accept: [sure]\n    mistakes:\n      - {accept: ['a} ~#\\'], why: 'Ends } ~ # = here.'}\n"


def cloze(parse_text, prompt, text):
    front = f"id: a-gap\nkind: cloze\nmodule: m-m\ntopics: [t-t]\ndifficulty: 1\nseconds: 60\n{GAPS}"
    return parse_text(
        f"---\n{front}---\n\n{prompt}\n\n## Text\n\n{text}\n\n## Explanation\n\nSo it is.\n", "x.md", []
    )


def test_signs_in_a_gap_are_only_text():
    asked = cloze(parse, "Fill it.", "A [[?one]].")
    (again,) = MOODLE.read(MOODLE.write([asked]).data).questions
    assert again.body.gaps[0].body == asked.body.gaps[0].body


@pytest.mark.parametrize(
    ("prompt", "text"),
    [
        ("Of {1:SHORTANSWER:=x}?", "A [[?one]]."),
        ("Fill.", "A {1:NUMERICAL:=1} [[?one]]."),
        ("Fill.", "A\n\n---\n\n[[?one]]"),
    ],
)
def test_a_text_that_moodle_would_read_otherwise_stays_behind(prompt, text):
    made = MOODLE.write([cloze(parse, prompt, text)])
    assert made.written == ()
    assert [(loss.question, loss.part) for loss in made.losses] == [("a-gap", "question")]


def test_a_rule_in_the_prompt_stays_in_the_prompt():
    asked = cloze(parse, "Fill.\n\n---\n\nAll of it.", "A [[?one]].")
    (again,) = MOODLE.read(MOODLE.write([asked]).data).questions
    assert again.prompt == asked.prompt


def test_a_file_that_another_program_made():
    found = FORMATS["moodle-xml"].read((DATA / "moodlexport.xml").read_bytes(), "moodlexport.xml")
    assert found.faults == ()
    assert [(question.id, question.kind) for question in found.questions] == [
        ("which-index-by-default", "single"),
        ("two-that-hold", "multiple"),
        ("why-a-lock-outlives-its-holder", "open"),
    ]
    index, holding, _open = found.questions
    assert [option.text for option in index.options if option.right] == ["B-tree"]
    assert [option.right for option in holding.options] == [True, True, False]
    assert {loss.part for loss in found.losses} >= {"correctfeedback"}
