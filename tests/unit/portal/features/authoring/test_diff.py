"""Two texts, line by line."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from portal.features.authoring.diff import Change, compare, counts

TEXTS = st.lists(st.sampled_from(["a", "b b", "", "c d e", "same"]), max_size=30).map("\n".join)


def test_equal_texts_have_no_difference() -> None:
    assert compare("a\nb\n", "a\nb") == []


def test_far_lines_are_left_out_and_counted() -> None:
    old = "\n".join(f"line {n}" for n in range(40))
    lines = compare(old, old.replace("line 20", "line twenty"))
    assert [line.skipped for line in lines if line.change is Change.SKIPPED] == [17, 16]
    assert counts(lines) == (1, 1)
    added = next(line for line in lines if line.change is Change.ADDED)
    assert (added.new, added.old) == (21, None)
    assert [(piece.text, piece.marked) for piece in added.pieces] == [("line ", False), ("twenty", True)]


def test_lines_that_have_little_in_common_are_shown_whole() -> None:
    lines = compare("alpha beta gamma", "one two three four")
    assert [(piece.text, piece.marked) for line in lines for piece in line.pieces] == [
        ("alpha beta gamma", False),
        ("one two three four", False),
    ]


@given(TEXTS, TEXTS)
def test_both_texts_can_be_put_together_again(old: str, new: str) -> None:
    lines = compare(old, new, context=1_000)
    if old.splitlines() == new.splitlines():
        assert lines == []
        return

    def text(*changes: Change) -> list[str]:
        return ["".join(piece.text for piece in line.pieces) for line in lines if line.change in changes]

    assert text(Change.SAME, Change.REMOVED) == old.splitlines()
    assert text(Change.SAME, Change.ADDED) == new.splitlines()
    numbers = [line.new for line in lines if line.new is not None]
    assert numbers == list(range(1, len(new.splitlines()) + 1))


def test_a_text_of_equal_lines_takes_no_minutes() -> None:
    assert counts(compare("a\n" * 20_000, "b\n" + "a\n" * 20_001))[0] >= 1
