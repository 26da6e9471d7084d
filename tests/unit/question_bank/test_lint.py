"""Each rule finds what it is for, at the right place, and leaves good questions alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from question_bank import Bank, Known, lint


def rules(bank: Bank, known: Known | None = None) -> list[tuple[str, int]]:
    return [(fault.rule, fault.line) for fault in lint(bank, known)]


@pytest.fixture
def linted(question):
    """The rules that a single question breaks."""

    def run(**parts: str) -> set[str]:
        made = question(**parts)
        return {fault.rule for fault in lint(Bank({made.id: made}))}

    return run


@pytest.mark.parametrize("kind", ["single", "multiple", "numeric"])
def test_a_good_question_has_no_faults(linted, kind):
    assert linted(kind=kind) == set()


def test_the_loaders_faults_are_among_them(bank, text):
    assert rules(bank({"row-locks/lost-update.md": text(extra="colour: red")})) == [("schema", 8)]


def test_file_and_folder_follow_id_and_topic(bank, text):
    assert rules(bank({"row-locks/other-name.md": text()})) == [("place", 2)]
    (fault,) = [
        f for f in lint(bank({"acid/lost-update.md": text(id="lost-update")})) if f.path.startswith("acid")
    ]
    assert (fault.rule, fault.line) in {("place", 5), ("ids", 2)}


def test_links_are_checked_against_what_is_known(bank, text, tmp_path: Path):
    loaded = bank(
        {
            "row-locks/lost-update.md": text(
                extra="links: {lab: a-lab, lesson: a-lesson, code: [src/shown.py#L3, src/gone.py]}"
            )
        }
    )
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "shown.py").write_text("a = 1\nb = 2\nc = 3\n")
    assert rules(loaded) == []
    full = Known(
        frozenset({"row-locks"}),
        frozenset({"transactions"}),
        frozenset({"a-lesson"}),
        frozenset({"a-lab"}),
        tmp_path,
    )
    assert [fault.message for fault in lint(loaded, full)] == ["There is no file `src/gone.py`."]
    none = Known(frozenset(), frozenset(), frozenset(), frozenset())
    assert sorted(rules(loaded, none)) == [("links", 4), ("links", 5), ("links", 8), ("links", 8)]


def test_code_links_cannot_leave_the_repository(faults_of, text):
    assert [f.line for f in faults_of(text(extra="links: {code: [../secret.py]}"))] == [8]
    assert [f.line for f in faults_of(text(extra="links: {code: [a/../../b.py]}"))] == [8]


def test_missing_and_repeated_feedback(linted):
    assert linted(options="- [x] Aa bb\n- [ ] Cc dd\n  > It is wrong for that reason.\n") == {"feedback"}
    same = "- [x] Aa bb\n  > The very same sentence.\n- [ ] Cc dd\n  > The very same sentence!\n"
    assert linted(options=same) == {"feedback"}


def test_a_number_without_foreseen_mistakes(linted):
    assert linted(kind="numeric", extra="answer: {value: 3}") == {"feedback"}


def test_a_short_explanation(linted):
    assert linted(explanation="Because.") == {"explanation"}


@pytest.mark.parametrize(
    "option",
    [
        "All of the above",
        "None of the above.",
        "Both of these options",
        "Neither A nor B",
        "None of these",
        "all of them",
    ],
)
def test_catch_all_options(linted, option):
    options = f"- [x] Lock the row\n  > It is right for this reason.\n- [ ] {option}\n  > It is wrong for that reason.\n"
    assert linted(options=options) == {"catch-all"}


@pytest.mark.parametrize(
    "option", ["Lock all of the rows", "Nothing", "Both replicas", "Reading all of the table"]
)
def test_options_that_only_sound_like_a_catch_all(linted, option):
    options = f"- [x] Lock a row\n  > It is right for this reason.\n- [ ] {option}\n  > It is wrong for that reason.\n"
    assert linted(options=options) == set()


@pytest.mark.parametrize(
    "prompt",
    [
        "Which of these is not a lock?",
        "A table is full. Which statement can't help?",
        "Choose what doesn't belong here.",
        "Which measure is least useful?",
        "What is true, except under load?",
    ],
)
def test_negations_have_to_stand_out(linted, prompt):
    assert linted(prompt=prompt) == {"negation"}


@pytest.mark.parametrize(
    "prompt",
    [
        "Which of these is **not** a lock?",
        "The job does not end. What do you do?",
        "`NOT NULL` is missing. Which column needs it?",
        "Which column is declared `NOT NULL`?",
        "Which design makes it possible with the least machinery?",
        "What goes wrong?",
    ],
)
def test_prompts_whose_question_is_positive(linted, prompt):
    assert linted(prompt=prompt) == set()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Use a **lock**.", "use a lock"),
        ("Lock the whole table", "Lock the whole table and wait"),
        ("10 to 20", "15–25"),
        ("1,000 - 2,000 ms", "1500 - 3000 ms"),
    ],
)
def test_options_that_overlap(linted, one, other):
    options = (
        f"- [x] {one}\n  > It is right for this reason.\n- [ ] {other}\n  > It is wrong for that reason.\n"
    )
    assert "overlap" in linted(options=options)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("`a -> b`", "`a ->> b`"),
        ("`acks=1`", "`acks=0`"),
        ("10 to 20", "20 to 30"),
        ("Lock rows", "Lock rows twice a day"),
    ],
)
def test_options_that_merely_resemble_each_other(linted, one, other):
    options = (
        f"- [x] {one}\n  > It is right for this reason.\n- [ ] {other}\n  > It is wrong for that reason.\n"
    )
    assert "overlap" not in linted(options=options)


def test_a_right_option_that_is_by_far_the_longest(linted):
    long = "Take the lock in the order of the ids, so that no circle of waiting transactions can come about"
    options = f"- [x] {long}\n  > It is right for this reason.\n- [ ] Wait\n  > It is wrong for that reason.\n"
    assert linted(options=options) == {"giveaway"}


def test_a_right_option_that_repeats_the_prompt(linted):
    prompt = "A worker polls jobs from a queue table under contention. What helps?"
    options = (
        "- [x] Workers skip locked queue jobs\n  > It is right for this reason.\n"
        "- [ ] Buying a faster machine today\n  > It is wrong for that reason.\n"
    )
    assert linted(prompt=prompt, options=options) == {"giveaway"}


def test_near_duplicates_are_found_across_the_bank(bank, text):
    prompt = "Two writers read the same row and both write it back. What keeps both of their changes?"
    loaded = bank(
        {
            "row-locks/lost-update.md": text(),
            "row-locks/again.md": text(id="again", prompt=prompt),
            "row-locks/number.md": text(
                id="number", kind="numeric", prompt="How long does a connection stay busy here?"
            ),
        }
    )
    assert [rule for rule, _ in rules(loaded)] == ["near-duplicate"]


@pytest.mark.parametrize(
    ("anchor", "there"),
    [
        ("L1", True),
        ("L3", True),
        ("L1-L3", True),
        ("line-2", True),
        ("L9", False),
        ("L3-L1", False),
        ("L0", False),
        ("top", False),
    ],
)
def test_a_link_to_a_line_names_one_that_the_file_has(bank, text, tmp_path: Path, anchor, there):
    (tmp_path / "shown.py").write_text("a = 1\nb = 2\nc = 3\n")
    loaded = bank({"row-locks/lost-update.md": text(extra=f"links: {{code: ['shown.py#{anchor}']}}")})
    found = [fault.message for fault in lint(loaded, Known(code_root=tmp_path))]
    assert found == ([] if there else [f"There is no line `shown.py#{anchor}`."])
