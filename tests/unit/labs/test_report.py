"""Messages in a report are capped and harmless."""

from __future__ import annotations

import pytest

from labs.report import MAX_MESSAGE_BYTES, cap


@pytest.mark.parametrize("char", ["x", "é", "😀"])
def test_a_long_text_is_cut_at_a_character_within_the_limit(char: str) -> None:
    text = cap(char * 10_000)
    assert len(text.encode()) <= MAX_MESSAGE_BYTES
    assert text.endswith("…")
    assert set(text) == {char, " ", "…"}


def test_a_short_text_stays() -> None:
    assert cap("line one\nline two\t!") == "line one\nline two\t!"


def test_what_moves_a_terminals_cursor_is_replaced() -> None:
    assert cap("a\x1b[2Jb\x00") == "a�[2Jb�"
