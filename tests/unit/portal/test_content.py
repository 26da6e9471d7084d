"""What is made of the content is made once, and anew when the content is another."""

from __future__ import annotations

from dataclasses import replace

from portal.content import Content
from question_bank import Bank


def test_what_follows_from_the_content_is_made_once_for_each_content(content: Content) -> None:
    made: list[Content] = []

    def count(of: Content) -> int:
        made.append(of)
        return len(of.bank.questions)

    first, other = replace(content), replace(content, bank=Bank({}))
    assert [first.derived(count), first.derived(count)] == [len(content.bank.questions)] * 2
    assert len(made) == 1
    assert [other.derived(count), other.derived(count)] == [0, 0]
    assert len(made) == 2
