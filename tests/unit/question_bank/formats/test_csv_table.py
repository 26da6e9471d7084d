"""Tables that people write in a spreadsheet become questions, and none becomes a formula."""

from __future__ import annotations

import csv
import io

import pytest

from question_bank.formats import FORMATS, FormatRefused

CSV = FORMATS["csv"]


def read(text):
    return CSV.read(text.encode(), "table.csv")


def test_a_table_by_hand_needs_little():
    found = read(
        "Question;Option 1;Option 2;Option 3;Right;Feedback 1\n"
        "Which status?;403;429;503;B;That is about rights.\n"
        "Which two?;a;b;c;1, 3;\n"
    )
    assert found.faults == ()
    assert [(q.kind, [o.right for o in q.options]) for q in found.questions] == [
        ("single", [False, True, False]),
        ("multiple", [True, False, True]),
    ]
    assert found.questions[0].options[0].feedback == "That is about rights."


def test_answers_are_numbers_or_words():
    found = read("prompt,answer,tolerance,unit\nHow many?,18,0.5,ms\nHow is it called?,outbox|the outbox,,\n")
    number, word = found.questions
    assert number.grade("18.4 ms").correct
    assert word.grade("The Outbox").correct


def test_pairs_and_orders_have_columns():
    found = read(
        "kind,prompt,option 1,partner 1,option 2,partner 2,option 3,partner 3\n"
        ",Match,a,x,b,y,,z\n"
        "ordering,Order,one,,two,,three,\n"
    )
    assert [q.kind for q in found.questions] == ["matching", "ordering"]
    assert [d.side.text for d in found.questions[0].body.distractors] == ["z"]


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("a,b,,1", "Give 2 to 8 options"),
        ("a,b,c,", "Say in `right`"),
        ("a,b,c,7", "Say in `right`"),
        ("a,b,b,1", "word for word"),
    ],
)
def test_a_bad_row_is_named_by_its_line_and_the_others_come_in(row, says):
    found = read(f'prompt,option 1,option 2,right\n"two\nlines",x,y,2\n{row}\nlast,x,y,1\n')
    assert [q.prompt for q in found.questions] == ["two\nlines", "last"]
    assert [(fault.line, says in fault.message) for fault in found.faults] == [(4, True)]


def test_unknown_columns_kinds_and_numbers_are_named():
    found = read("prompt,kind,colour,difficulty\nWhat?,guess,red,3\nWhat?,short,red,x\n")
    assert [fault.line for fault in found.faults] == [1, 2, 3]
    assert "`colour`" in found.faults[0].message
    assert "There is no kind “guess”" in found.faults[1].message
    assert "`difficulty` must be a whole number" in found.faults[2].message


def test_no_cell_is_a_formula_in_a_spreadsheet(question):
    asked = question(prompt="=HYPERLINK(1)", explanation="@SUM(1+1) " * 12 + "end.")
    data = CSV.write([asked]).data
    rows = list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"))))
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in rows[0].values())
    assert CSV.read(data).questions == (asked,)


def test_a_quote_before_a_formula_is_kept(question):
    asked = question(prompt="'=1 is quoted, ''- too")
    assert CSV.read(CSV.write([asked]).data).questions == (asked,)


def test_a_table_without_prompts_is_refused():
    with pytest.raises(FormatRefused, match="no column `prompt`"):
        read("a,b\n1,2\n")


def test_a_quote_that_is_never_closed_costs_the_rows_from_there():
    found = read('prompt,option 1,option 2,right\nWhat?,a,b,1\n"open,a,b,1\nmore,a,b,1\n')
    assert len(found.questions) == 1
    assert [fault.line for fault in found.faults] == [3]


def test_a_broken_or_enormous_row_costs_itself_alone():
    found = read('prompt,option 1,option 2,right\n"a"b,a,b,1\n' + "x" * 200_000 + ",a,b,1\nWhat?,a,b,1\n")
    assert [question.prompt for question in found.questions] == ["What?"]
    assert [fault.line for fault in found.faults] == [2, 3]


def test_fields_that_are_nested_without_end_are_refused():
    deep = "[" * 900 + "]" * 900
    found = read(f'prompt,kind,fields\nWhat?,short,"{{""answer"": {deep}}}"\n')
    assert found.questions == ()
    assert found.faults[0].line == 2
