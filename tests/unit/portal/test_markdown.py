"""Authors' Markdown becomes HTML that can't act."""

from __future__ import annotations

import html
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from portal.markdown import render, render_inline


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        '<img src=x onerror="alert(1)">',
        "[x](javascript:alert(1))",
        '<a href="data:text/html,<script>alert(1)</script>">x</a>',
        '<iframe src="https://evil.example"></iframe>',
        '<p style="position:fixed">x</p>',
        "```mermaid\n</pre><script>alert(1)</script>\n```",
        '<svg onload="alert(1)"></svg>',
    ],
)
def test_nothing_that_acts_comes_through(text: str) -> None:
    html = render(text).html
    for forbidden in ("<script", "onerror", "onload", "javascript:", "data:text", "<iframe", "style="):
        assert forbidden not in html.lower()


def test_code_is_highlighted_without_inline_style() -> None:
    html = render("```python\nprint('x')\n```").html
    assert 'class="highlight"' in html
    assert "<span class=" in html


def test_words_after_the_language_are_not_shown() -> None:
    html = render("```sql noexec\nSELECT 1;\n```").html
    assert "noexec" not in html
    assert "SELECT" in html


def test_a_diagram_keeps_its_source() -> None:
    shown = render("```mermaid\nflowchart LR\n  A --> B\n```").html
    assert '<pre class="mermaid">' in shown
    assert "A --&gt; B" in shown


def test_headings_make_the_table_of_contents() -> None:
    rendered = render("## First & last\n\ntext\n\n### Detail\n\n#### Too deep\n")
    assert [(h.title, h.level) for h in rendered.headings] == [("First & last", 2), ("Detail", 3)]
    assert all(f'id="{h.id}"' in rendered.html for h in rendered.headings)


def test_a_short_text_has_no_paragraph_around_it() -> None:
    assert render_inline("Use `COPY`") == "Use <code>COPY</code>"


def test_pictures_may_be_inline_but_not_documents() -> None:
    assert "data:image/png;base64" in render("![dot](data:image/png;base64,AAAA)").html
    assert "data:image/svg" not in render("![dot](data:image/svg+xml;base64,AAAA)").html


@pytest.mark.parametrize("mark", ["[", "<a ", "# a\n", "```a\n", "- "])
def test_what_would_take_minutes_to_lay_out_is_shown_as_it_was_written(mark: str) -> None:
    text = mark * (60_000 // len(mark))
    with no_rendering():
        shown = render(text).html
    assert "It stands here as it was written." in shown
    assert html.escape(text.strip()) in shown
    assert "<script>" not in render(text + "<script>").html


@contextmanager
def no_rendering() -> Iterator[None]:
    """Whoever lays out Markdown in here fails."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("portal.markdown.markdown_library.Markdown", None)
        yield
