from __future__ import annotations

import pytest

from question_bank.loader import load
from question_bank.tangle import tangled


@pytest.mark.parametrize(
    "text",
    [
        "[" * 401,
        "```\n" + "[" * 8_000,  # a block that never ends is no block
        "  ```\n" + "[" * 8_000 + "\n  ```",
        "<a " * 1_001,
        "# a\n" * 501,
        "a\n===\n" * 501,
        "> ```a\n" * 501,
        "- " * 25 + "a",
        "> 1. " * 13 + "a",
    ],
)
def test_what_nobody_writes_is_tangled(text: str) -> None:
    assert tangled(text)


@pytest.mark.parametrize(
    "text",
    ["", "[" * 400, "a\n" * 20_000, "- a\n" * 2_000, "`a < b` " * 500, "-" * 80, "a\n" + "-" * 80, "*" * 80],
)
def test_what_is_merely_long_is_not(text: str) -> None:
    assert not tangled(text)


def test_no_question_of_the_bank_comes_near_the_limits() -> None:
    texts = [
        section.text
        for question in load().questions.values()
        if (document := question.document)
        for section in (document.prompt, *document.sections.values())
    ]
    assert texts
    assert not any(tangled("\n".join([text] * 3)) for text in texts)
