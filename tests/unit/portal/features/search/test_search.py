"""The search: what is found, in which order, and what a query may hold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.content import Content, load_content
from portal.features.search.documents import Document, Found, documents, plain
from portal.features.search.index import MAX_HITS, SearchIndex, index_of


def document(id_: str, title: str, text: str = "", words: str = "", kind: Found = Found.LESSON) -> Document:
    return Document(kind, id_, title, words, text, "A module")


@pytest.fixture(scope="module")
def index() -> SearchIndex:
    return SearchIndex(
        [
            document("skew", "Write skew", "Two transactions read the same rows."),
            document("levels", "Isolation levels", "Write skew is what repeatable read lets through."),
            document("pool", "Connection pools", "A pool that ran dry. Préparé.", kind=Found.TOPIC),
            document("term", "Fencing token", "A number that rises.", "fence <b>", Found.TERM),
        ]
    )


@pytest.fixture(scope="module")
def content() -> Content:
    return load_content()


def ids(index: SearchIndex, query: str) -> list[str]:
    return [hit.id for hit in index.search(query).hits]


def test_the_title_weighs_more_than_the_text(index: SearchIndex) -> None:
    assert ids(index, "write skew") == ["skew", "levels"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("transaction", ["skew"]),
        ("isol", ["levels"]),
        ("fence", ["term"]),
        ("prepare", ["pool"]),
        ("POOLS dry", ["pool"]),
        ("dr", ["pool"]),
        ("zebra", []),
    ],
)
def test_words_are_found_by_stem_beginning_and_other_name(
    index: SearchIndex, query: str, found: list[str]
) -> None:
    assert ids(index, query) == found


def test_some_of_the_words_when_nothing_has_all(index: SearchIndex) -> None:
    found = index.search("fencing pools")

    assert found.any_word
    assert {hit.id for hit in found.hits} == {"pool", "term"}
    assert found.counts == {Found.TOPIC: 1, Found.TERM: 1}
    assert not index.search("write skew").any_word


def test_what_was_found_is_marked(index: SearchIndex) -> None:
    (hit,) = index.search("repeatable").hits

    assert ("repeatable", True) in hit.extract
    assert "".join(text for text, _ in hit.extract) == "Write skew is what repeatable read lets through."


@given(st.text(max_size=400))
def test_no_query_breaks_it(query: str) -> None:
    one = SearchIndex([document("skew", "Write skew", "Two transactions.")])

    assert len(one.search(query).hits) <= 1


@pytest.mark.parametrize(
    "query", ['"', "a AND", "NEAR(", "title:write", "*", "-skew", "write OR", "); DROP TABLE things", "", "  "]
)
def test_what_means_something_to_the_engine_means_nothing_here(index: SearchIndex, query: str) -> None:
    index.search(query)

    assert ids(index, "write skew") == ["skew", "levels"]


def test_the_number_of_hits_is_bounded() -> None:
    index = SearchIndex(document(f"d{number}", f"Same title {number}") for number in range(MAX_HITS + 50))

    assert len(index.search("same").hits) == MAX_HITS


def test_all_that_authors_wrote_is_there_once(content: Content) -> None:
    found = [(one.kind, one.id) for one in documents(content)]

    assert len(set(found)) == len(found)
    counts = {kind: sum(1 for one, _ in found if one is kind) for kind in Found}
    catalogue = content.roadmap
    assert counts == {
        Found.LESSON: len(catalogue.lessons),
        Found.LAB: len(content.labs.labs),
        Found.QUESTION: len(content.bank.questions),
        Found.TERM: len(catalogue.terms),
        Found.MODULE: len(catalogue.modules),
        Found.TOPIC: len(catalogue.topics),
        Found.ACTIVITY: len(catalogue.activities),
    }


def test_a_lesson_is_found_by_its_title_among_all_content(content: Content) -> None:
    hits = index_of(content).search("sagas and compensation").hits

    assert (hits[0].kind, hits[0].id) == (Found.LESSON, "sagas-and-compensation")


def test_the_same_content_is_indexed_once(content: Content) -> None:
    assert index_of(content) is index_of(content)
    assert index_of(load_content()) is not index_of(content)


def test_markup_is_not_searched() -> None:
    text = plain(
        "## Why\n\n- **Bold** and [a link](/lessons/x)\n\n```python\nx = a_b()\n```\n\n| a | b |\n|---|---|"
    )

    assert text == "Why Bold and a link x = a b() a b"
