"""What the lint finds in answers: options that stand out, places of right ones, variants that go wrong."""

from __future__ import annotations

import pytest

from question_bank import lint, load
from question_bank.arrange import arranged
from question_bank.loader import parse

WHY = "This one has a reason of its own, namely {}."


def options(right: str, *wrong: str) -> str:
    entries = [f"- [x] {right}\n  > {WHY.format('right')}\n"]
    entries += [f"- [ ] {text}\n  > {WHY.format(f'number {n}')}\n" for n, text in enumerate(wrong)]
    return "".join(entries)


@pytest.fixture
def messages(bank, text):
    def of(**parts: str) -> list[str]:
        return [str(fault) for fault in lint(bank({"row-locks/lost-update.md": text(**parts)}))]

    return of


@pytest.mark.parametrize(
    ("right", "wrong", "says"),
    [
        ("Wait for 20 ms first", ["Ask the other side", "Read it again later"], "only one with a number"),
        ("Call `commit` first", ["Ask the other side", "Read it again later"], "only one with code"),
        ("It may be read late", ["Ask the other side", "Read it again later"], "only hedged one"),
        (
            "Ask the other side",
            ["Always read it again", "Never read it twice"],
            "All wrong options are absolute",
        ),
    ],
)
def test_a_right_option_whose_tone_gives_it_away(messages, right, wrong, says):
    (message,) = messages(options=options(right, *wrong))
    assert says in message
    assert "[giveaway]" in message
    assert ":16:" in message


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("Wait for 20 ms first", ["Ask the other side", "Read it after 5 ms"]),
        ("Call `commit` first", ["Call `rollback` first", "Read it again later"]),
        ("Ask the other side", ["Wait for 20 ms first", "Call `commit` first"]),
        ("Always ask the other", ["Always read it again", "Never read it twice"]),
    ],
)
def test_tones_that_give_nothing_away(messages, right, wrong):
    assert messages(options=options(right, *wrong)) == []


def test_a_short_answer_that_stands_in_the_prompt(messages):
    extra = "answer:\n  accept: [Row lock]\n  mistakes: [{accept: [latch], why: It is held for microseconds only.}]\n"
    assert messages(kind="short", extra=extra, prompt="What is taken by an update?") == []
    (message,) = messages(kind="short", extra=extra, prompt="An update takes a `row lock`. What is it called?")
    assert "contains the answer “Row lock”" in message


def statements(count: int, right: str) -> dict[str, str]:
    other = {"True": "False", "False": "True"}[right]
    words = [f"alpha{n} beta{n} gamma{n} delta{n} epsilon{n}" for n in range(count)]
    marks = f"- [{{}}] True\n  > {WHY.format('the first')}\n- [{{}}] False\n  > {WHY.format('the second')}\n"
    chosen = marks.format(*("x" if word == right else " " for word in ("True", "False")))
    assert other in chosen
    return {f"{right}-{n}".lower(): (word, chosen) for n, word in enumerate(words)}


@pytest.mark.parametrize(("true", "false", "faults"), [(30, 2, 2), (16, 16, 0), (20, 12, 0)])
def test_statements_that_are_nearly_always_true(bank, text, true, false, faults):
    files = {}
    for id_, (words, chosen) in {**statements(true, "True"), **statements(false, "False")}.items():
        written = text(id=id_, kind="true-false", prompt=f"{words} {id_}", options=chosen)
        files[f"row-locks/{id_}.md"] = written
    found = [fault for fault in lint(bank(files)) if fault.rule == "positions"]
    assert len(found) == faults
    assert all("turn some statements round" in fault.message for fault in found)
    assert lint(bank(files)) == found


def test_right_options_in_one_place_are_found_and_arranging_spreads_them(bank, text, tmp_path):
    files = {}
    for n in range(40):
        words = [f"{word}{n}" for word in ("alpha", "bravo", "charlie", "delta")]
        files[f"row-locks/q-{n:02}.md"] = text(
            id=f"q-{n:02}", prompt=f"{n} foxtrot{n} golf{n} hotel{n} india{n}?", options=options(*words)
        )
    loaded = bank(files)
    assert {fault.rule for fault in lint(loaded)} == {"positions"}
    for question in loaded.questions.values():
        path = tmp_path / question.path
        path.write_text(arranged(question, path.read_text()))
    spread = load(tmp_path)
    assert lint(spread) == []
    assert {q.id: set(q.options) for q in spread.questions.values()} == {
        q.id: set(q.options) for q in loaded.questions.values()
    }
    places = [[o.right for o in q.options].index(True) for q in spread.questions.values()]
    assert set(places) == {0, 1, 2, 3}
    for question in spread.questions.values():
        written = (tmp_path / question.path).read_text()
        assert arranged(question, written) == written


def test_arranging_moves_whole_options_and_nothing_else(text):
    listed = (
        "- [ ] A first one:\n\n  ```sql\n  SELECT 1\n  ```\n  > Feedback of the first.\n\n"
        "- [x] A second one\n  > Feedback of the second,\n  > in two lines.\n\n- [ ] A third one\n  > Feedback of the third.\n"
    )
    written = text(options=listed)
    question = parse(written, "row-locks/lost-update.md", [])
    result = arranged(question, written)
    assert sorted(result.split("\n")) == sorted(written.split("\n"))
    again = parse(result, "row-locks/lost-update.md", [])
    assert [o.key for o in again.options] == sorted(o.key for o in question.options)
    assert {(o.text, o.feedback, o.right) for o in again.options} == {
        (o.text, o.feedback, o.right) for o in question.options
    }
    assert (again.prompt, again.explanation) == (question.prompt, question.explanation)


NUMERIC = """\
parameters:
  rate: {{from: 1, to: 10}}
  {extra}
answer:
  value: {value}
  mistakes:
    - {{value: {mistake}, why: "Nobody asked for that."}}
{more}
"""


def numeric(value: str = "= rate * 2", mistake: str = "= rate * 2 + 1", extra: str = "", more: str = "") -> str:
    return NUMERIC.format(value=value, mistake=mistake, extra=extra, more=more)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        (
            numeric(mistake="= rate + 4"),
            "lies within the tolerance: it would count as right. This is so when rate is 4.",
        ),
        (numeric(value="= 12 / (rate - 3)"), "divides by zero"),
        (numeric(mistake="= 10 ** (rate * 2)"), "beyond 10^15"),
        (numeric(extra="unused: {from: 1, to: 9}"), "`unused` is used nowhere"),
        (numeric(value="14.5", mistake="= rate"), "the same in every variant"),
        (
            numeric(more="    - {value: '= rate * 4 - 5', why: Nor for this.}"),
            "Two mistakes come to the same value",
        ),
        (
            numeric(
                extra="other: {choices: [1, 1]}",
                more="    - {value: '= other - 9', why: Nor.}\nrequire: [rate == 2]",
            ),
            "loosen it",
        ),
        (
            numeric(extra="hold: {choices: [1, 1]}", mistake="= hold - 9").replace("to: 10", "to: 2"),
            "fewer than 4",
        ),
    ],
)
def test_variants_that_go_wrong_for_some_values(messages, fields, says):
    found = messages(kind="numeric", extra=fields, prompt="At {{rate}} a second, how many?")
    assert len(found) == 1, found
    assert says in found[0]
    assert "[variants]" in found[0]


def test_variants_that_are_fine(messages):
    assert messages(kind="numeric", extra=numeric(), prompt="At {{rate}} a second, how many?") == []


def test_options_that_become_the_same_in_some_variant(messages):
    extra = "parameters:\n  rate: {from: 1, to: 9}\n"
    listed = options("Take {{rate}} of them", "Take {{10 - rate}} of them", "Take {{rate + 20}} of them")
    found = messages(extra=extra, options=listed)
    assert len(found) == 1
    assert "repeats the one in line" in found[0]
    assert "rate is 5" in found[0]
