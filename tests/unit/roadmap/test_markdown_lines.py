"""Fences and links are found where Markdown sees them, with their lines."""

from __future__ import annotations

from roadmap.markdown_lines import fenced_blocks, own_links, prose_lines


def test_a_block_has_its_language_its_flags_and_its_first_line() -> None:
    (block,) = fenced_blocks("Text\n\n```sql noexec\nSELECT 1;\n```\nMore", first_line=10)

    assert (block.language, block.flags, block.code, block.line, block.closed) == (
        "sql",
        ("noexec",),
        "SELECT 1;",
        13,
        True,
    )


def test_a_longer_fence_may_hold_a_shorter_one() -> None:
    (block,) = fenced_blocks("````markdown\n```sql\nSELECT 1;\n```\n````")

    assert block.code == "```sql\nSELECT 1;\n```"


def test_tildes_close_only_tildes() -> None:
    (block,) = fenced_blocks("~~~\n```\n~~~\n")

    assert block.code == "```"


def test_an_open_fence_is_told() -> None:
    (block,) = fenced_blocks("```python\nx = 1\n")

    assert not block.closed


def test_inline_code_with_backticks_opens_no_fence() -> None:
    assert fenced_blocks("```inline``` text\n") == []


def test_links_in_code_do_not_count() -> None:
    body = "[a](/lessons/one)\n`[b](/lessons/two)`\n```text\n[c](/lessons/three)\n```\n[d](/labs/four#task)"

    assert [(link.kind, link.id, link.line) for link in own_links(body)] == [
        ("lessons", "one", 1),
        ("labs", "four", 6),
    ]


def test_prose_leaves_out_what_stands_in_fences() -> None:
    assert prose_lines("a\n```\nb\n```\nc") == [(1, "a"), (5, "c")]
