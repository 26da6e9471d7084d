"""GIFT as people write it becomes questions; what can't be read is named with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from question_bank.formats import FORMATS, FormatRefused, Imported

DATA = Path(__file__).parents[3] / "data" / "question_bank"
GIFT = FORMATS["gift"]


@pytest.fixture(scope="module")
def quiz() -> Imported:
    return GIFT.read((DATA / "quiz.gift").read_bytes(), "quiz.gift")


def found_in(imported, question_id):
    return next(each for each in imported.questions if each.id == question_id)


def lost(imported, question_id):
    return {loss.part for loss in imported.losses if loss.question == question_id}


def one(text):
    found = GIFT.read(text.encode(), "x.gift")
    assert found.faults == ()
    (question,) = found.questions
    return question


def test_every_type_comes_in(quiz):
    assert [(q.id, q.kind) for q in quiz.questions] == [
        ("eviction", "single"),
        ("ttl-and-staleness", "numeric"),
        ("colours-between-orange-and-green", "multiple"),
        ("range", "numeric"),
        ("grant", "single"),
        ("holds", "true-false"),
        ("name", "short"),
        ("match", "matching"),
        ("essay", "open"),
        ("after-it", "single"),
    ]


def test_what_is_no_question_or_never_closed_is_named_with_its_line(quiz):
    lines = (DATA / "quiz.gift").read_text().splitlines()
    assert [lines[fault.line - 1] for fault in quiz.faults] == [
        "Just a text that explains something.",
        "::Never closed:: What is this? {=a ~b",
    ]
    assert "not closed with `}`" in quiz.faults[1].message


def test_feedback_escapes_and_formats_are_read(quiz):
    asked = found_in(quiz, "eviction")
    assert [(o.text, o.right, o.feedback) for o in asked.options] == [
        ("LRU", True, "right; the name says it"),
        ("LFU", False, "that counts uses"),
        ("**FIFO** = first in\\, first out", False, ""),
    ]
    assert asked.explanation == "The order of use decides."
    assert asked.topics == ("cache-aside",)


def test_ids_tags_and_markdown_are_read(quiz):
    asked = found_in(quiz, "ttl-and-staleness")
    assert asked.prompt == "A TTL of `60 s`:\nhow stale may an entry be?"
    assert asked.difficulty == 4
    assert asked.grade("60").correct
    assert asked.grade("30").feedback[0].comment == "Not on average."
    assert lost(quiz, "ttl-and-staleness") == {"tags", "assumed", "explanation"}


def test_ranges_and_tolerances_are_the_same_thing(quiz):
    assert found_in(quiz, "range").body == one("a {#3:2}").body
    assert one("a {#3:2}").grade("5").correct
    assert not one("a {#3:2}").grade("5.1").correct


def test_a_word_that_is_missing_leaves_a_gap_in_the_prompt(quiz):
    assert found_in(quiz, "grant").prompt == r"Grant is \_\_\_\_\_ in Grant's tomb."


def test_short_answers_keep_what_is_wrong_and_why(quiz):
    asked = found_in(quiz, "name")
    assert asked.grade("maurice wilkes").correct
    assert asked.grade("Turing").feedback[0].comment == "Another man."
    assert lost(quiz, "name") >= {"fractions", "feedback"}


def test_true_and_false_have_their_own_feedback(quiz):
    asked = found_in(quiz, "holds")
    assert {o.text: (o.right, o.feedback) for o in asked.options} == {
        "True": (True, "Indeed."),
        "False": (False, "It may."),
    }


def test_a_pair_without_a_left_side_fits_nothing(quiz):
    body = found_in(quiz, "match").body
    assert [(p.left.text, p.right.text) for p in body.pairs] == [("L1", "per core"), ("L2", "larger")]
    assert [d.side.text for d in body.distractors] == ["on disk"]


@pytest.mark.parametrize(
    "sign",
    [
        "a = b",
        "~",
        "#",
        "{x}",
        "a\\b",
        "::",
        "a:b",
        "%50%",
        "[html]",
        "->",
        "\\n",
        "// no",
        "=x",
        "T",
        "$CATEGORY: x",
    ],
)
def test_signs_of_the_format_are_only_text_in_a_question(question, sign):
    asked = question(
        prompt=f"What is {sign} here?",
        options=f"- [x] {sign}\n  > {sign} is right, as it says above.\n- [ ] Other\n  > {sign} is not it.\n",
        explanation=f"{sign} means nothing. " * 8 + "End.",
    )
    assert GIFT.read(GIFT.write([asked]).data).questions == (asked,)


def test_what_gift_has_no_way_to_write_stays_behind(question):
    asked = question(
        kind="short", extra="answer:\n  accept: [a -> b]\n  mistakes:\n    - {accept: [c], why: It is not.}\n"
    )
    made = GIFT.write([asked])
    assert made.written == ()
    assert [(loss.question, loss.part) for loss in made.losses] == [("lost-update", "question")]


def test_text_that_is_no_gift_is_refused():
    with pytest.raises(FormatRefused, match="no question with its answers in braces"):
        GIFT.read(b"Dear all,\n\nthe exam is on Monday.\n", "mail.txt")


def test_a_brace_may_run_over_empty_lines():
    assert [o.text for o in one("A?{\n=yes\n\n~no\n}").options] == ["yes", "no"]


def test_windows_files_are_read_alike():
    text = "Größe? {=groß ~klein}\n"
    found = GIFT.read(text.replace("\n", "\r\n").encode("cp1252"), "x.gift")
    assert found.questions[0].options[0].text == "groß"
    assert "Windows-1252" in found.faults[0].message
    assert GIFT.read(text.encode("utf-16"), "x.gift").questions == found.questions
