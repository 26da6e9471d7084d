"""Authors' Markdown becomes HTML that can't act."""

from __future__ import annotations

import html
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from portal.markdown import render, render_foreign, render_inline


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


class TestForeign:
    """What learners write is shown to others."""

    def test_markdown_is_rendered_below_the_headings_of_the_page(self) -> None:
        html = render_foreign("# One\n\nTwo\n===\n\n###### Six\n\n**bold** `code`\n\n|a|\n|-|\n|b|\n")
        assert "<h3>One</h3>" in html
        assert "<h3>Two</h3>" in html
        assert "<h6>Six</h6>" in html
        assert "<strong>bold</strong> <code>code</code>" in html
        assert "<td>b</td>" in html

    def test_html_is_text(self) -> None:
        html = render_foreign('<h1 id="main">x</h1> <script>alert(1)</script>\n\n<div onclick="x">y</div>')
        assert "<h1" not in html
        assert "<script" not in html
        assert "<div" not in html
        assert "&lt;script&gt;" in html

    def test_nothing_is_loaded(self) -> None:
        html = render_foreign(
            "![a cat](https://spy.example.org/cat.png) ![b][r]\n\n[r]: https://spy.example.org/b.png"
        )
        assert "<img" not in html
        assert "a cat (https://spy.example.org/cat.png)" in html

    @pytest.mark.parametrize(
        "address", ["javascript:alert(1)", "data:text/html,x", "vbscript:x", "JaVaScRiPt:x"]
    )
    def test_links_that_act_are_no_links(self, address: str) -> None:
        assert "href" not in render_foreign(f"[go]({address}) <{address}>")

    def test_links_tell_the_other_side_nothing(self) -> None:
        assert 'rel="noopener noreferrer nofollow"' in render_foreign("[go](https://example.org)")

    @pytest.mark.parametrize("sign", ["[", "![", "[a](", "*a _b ", "> ", "`", "1. ", "<a@", "|a"])
    def test_twenty_thousand_hostile_signs_are_rendered(self, sign: str) -> None:
        assert render_foreign((sign * 20_000)[:20_000])
