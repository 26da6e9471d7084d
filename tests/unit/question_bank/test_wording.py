"""Looking at wording."""

from __future__ import annotations

from question_bank.wording import likeness, normalised, shingles, telling_words, visible_length, without_code


def test_markup_has_no_length():
    assert visible_length("**bold**  and\n`code`") == len("bold and code")


def test_words_are_compared_by_their_stem_and_common_ones_left_out():
    assert telling_words("The locks are locking a locked row") == telling_words("lock row")


def test_normalised_keeps_symbols_and_drops_markup():
    assert normalised("Use **this**!") == normalised("use this")
    assert normalised("`a -> b`") != normalised("`a ->> b`")


def test_code_is_taken_out():
    assert without_code("Before\n```sql\nNOT\n```\nafter `NOT` it").split() == ["Before", "after", "it"]


def test_likeness_is_the_share_in_common():
    assert likeness({1, 2, 3}, {2, 3, 4}) == 0.5
    assert likeness(set(), {1}) == 0.0
    assert shingles("one two three four") == {("one", "two", "three"), ("two", "three", "four")}
    assert shingles("one") == {("one",)}
