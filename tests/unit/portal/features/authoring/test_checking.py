"""What is said to a text while somebody types it."""

from __future__ import annotations

import pytest

from portal.content import Content
from portal.features.authoring.checking import check, digest, gist
from question_bank.loader import parse
from tests.factories import authoring


def rules(text: str, content: Content, **options: object) -> list[str]:
    given = {"question_id": "write-skew", "fixed": False, **options}
    return [remark.rule for remark in check(text, content, **given).remarks]  # type: ignore[arg-type]


def test_a_good_text_has_no_remark(small: Content) -> None:
    checked = check(authoring.TEXT, small, question_id="write-skew", fixed=False)
    assert checked.remarks == ()
    assert checked.usable


def test_a_fault_of_the_file_stops_it_and_names_its_line(small: Content) -> None:
    checked = check(
        authoring.TEXT.replace("kind: single", "kind: singel"), small, question_id="x-y", fixed=False
    )
    assert [(remark.line, remark.stops) for remark in checked.remarks] == [(3, True)]
    assert not checked.usable


def test_a_remark_of_the_lint_does_not_stop_it(small: Content) -> None:
    text = authoring.TEXT.replace("level: senior\n", "")
    checked = check(text, small, question_id="write-skew", fixed=False)
    assert [(remark.rule, remark.stops) for remark in checked.remarks] == [("classified", False)]
    assert checked.usable


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("topics: [acid]", "topics: [no-such-topic]", "no topic"),
        ("module: transactions-and-isolation", "module: no-such-module", "no module"),
        ("seconds: 60", "seconds: 60\nlinks: {lesson: no-such-lesson}", "no lesson"),
        ("seconds: 60", "seconds: 60\nlinks: {lab: no-such-lab}", "no lab"),
        ("seconds: 60", "seconds: 60\nlinks: {code: [reference_impl/no-such-file.py]}", "no file"),
    ],
)
def test_links_must_lead_somewhere(small: Content, old: str, new: str, says: str) -> None:
    checked = check(authoring.TEXT.replace(old, new), small, question_id="write-skew", fixed=False)
    assert [remark.rule for remark in checked.remarks] == ["links"]
    assert says in checked.remarks[0].message


def test_a_question_like_another_is_shown_beside_it(content: Content) -> None:
    known = next(iter(content.bank.questions.values()))
    from portal.features.authoring.service import _built_in_text

    text = (_built_in_text(known) or "").replace(f"id: {known.id}", "id: write-skew", 1)
    checked = check(text, content, question_id="write-skew", fixed=False)
    assert "near-duplicate" in [remark.rule for remark in checked.remarks]
    assert checked.similar[0][0].id == known.id
    assert checked.similar[0][1] == 1.0
    # The question itself is no duplicate of itself.
    assert "near-duplicate" not in rules(_built_in_text(known) or "", content, question_id=known.id, fixed=True)


def test_what_is_still_asked_can_t_be_replaced(small: Content) -> None:
    assert rules(authoring.text(extra="replaces: [a-single]\n"), small) == ["ids"]
    assert rules(authoring.text(extra="replaces: [long-gone]\n"), small) == []


def test_an_id_of_another_draft_is_taken(small: Content) -> None:
    assert rules(authoring.text("other-draft"), small, taken={"other-draft"}) == ["ids"]


@pytest.mark.parametrize(
    "text", ["", "---", "---\n---\n", "---\nid: [\n---\n", "\x00", "---\n" * 5_000, "x" * 200_000]
)
def test_nothing_that_one_types_breaks_it(small: Content, text: str) -> None:
    checked = check(text, small, question_id="write-skew", fixed=False)
    assert not checked.usable
    assert checked.remarks
    assert all(remark.line >= 1 for remark in checked.remarks)
    gist(text)


def test_the_digest_is_the_one_that_attempts_store() -> None:
    question = parse(authoring.TEXT, "", [])
    assert question is not None
    assert digest(authoring.TEXT) == question.content_hash
    assert digest(authoring.TEXT.replace("\n", "\r\n")) == question.content_hash


def test_the_gist_is_what_can_be_read() -> None:
    assert gist(authoring.TEXT).module == "transactions-and-isolation"
    assert gist("---\nid: 5\nkind: single\n---\n\nA prompt.\n").question_id == ""
    assert gist("---\nid: 5\nkind: single\n---\n\nA  prompt.\n").excerpt == "A prompt."


def test_a_text_that_can_not_be_laid_out_is_answered_with_a_remark(small: Content) -> None:
    checked = check(authoring.text(prompt="[" * 8_000), small, question_id="write-skew", fixed=False)
    assert [remark.message for remark in checked.remarks if remark.rule == "markdown"] == [
        "It has more brackets, tags, headings or lists in lists than can be laid out: write it more simply."
    ]
