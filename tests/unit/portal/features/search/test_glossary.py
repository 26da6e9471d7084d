"""The glossary: terms by letter, and links to them in texts."""

from __future__ import annotations

import pytest

from portal.features.search import linked
from portal.features.search.glossary import by_letter
from roadmap import Term

TERMS = {
    term.id: term
    for term in (
        Term("write-skew", "Write skew", ("skewed write",), 'Two "reads" & two writes.', "levels"),
        Term("write", "Write", (), "A change.", None),
        Term("r-and-d", "R&D", (), "Trying.", None),
        Term("2pc", "2PC", (), "Two phases.", None),
    )
}


def links(html: str, but: str | None = None) -> str:
    return linked(html, TERMS, "/glossary", but)


def test_the_first_mention_becomes_a_link_that_tells_what_it_means() -> None:
    made = links("<p>A write skew. Another write skew.</p>")

    assert made == (
        '<p>A <a class="term" href="/glossary#term-write-skew" title="Two &quot;reads&quot; &amp; two writes.">write skew</a>. '
        "Another write skew.</p>"
    )


@pytest.mark.parametrize(
    "html",
    [
        "<h2>Write skew</h2>",
        "<pre><code>2PC</code></pre>",
        '<a href="/x">write skew</a>',
        "<p>rewrites, write-ahead</p>",
        '<p title="write">x</p>',
        '<pre><code><span class="k">write</span> 2PC</code> write</pre>',
    ],
)
def test_headings_code_links_and_parts_of_words_stay(html: str) -> None:
    assert links(html) == html


def test_other_names_and_words_with_signs_lead_there_too() -> None:
    assert 'term-write-skew"' in links("<p>a Skewed Write</p>")
    assert 'term-r-and-d"' in links("<p>in R&amp;D</p>")


def test_the_lesson_that_teaches_a_term_does_not_link_to_it() -> None:
    assert "term-write-skew" not in links("<p>write skew</p>", but="levels")


def test_without_terms_nothing_changes() -> None:
    assert linked("<p>write</p>", {}, "/glossary") == "<p>write</p>"


def test_terms_stand_under_their_letters() -> None:
    assert {letter: [term.id for term in terms] for letter, terms in by_letter(TERMS).items()} == {
        "#": ["2pc"],
        "R": ["r-and-d"],
        "W": ["write", "write-skew"],
    }
