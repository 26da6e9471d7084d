"""The instance's own questions as files, and how a running portal notices them."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest

from portal.content import Content, ContentSource
from portal.errors import Unavailable
from portal.own_bank import OwnBank
from tests.fixtures import questions


def text_of(question_id: str, prompt: str = "Which one holds?", extra: str = "") -> str:
    options = "\n".join(
        f"- [{'x' if n == 1 else ' '}] The option {n}\n  > Because of the reason number {n} here."
        for n in (1, 2, 3)
    )
    return (
        f"---\nid: {question_id}\nkind: single\nmodule: schema-design\ntopics: [normalization]\ndifficulty: 2\n"
        f"seconds: 60\n{extra}---\n\n{prompt}\n\n## Options\n\n{options}\n\n## Explanation\n\nThis is how.\n"
    )


@pytest.fixture
def own(tmp_path: Path) -> OwnBank:
    return OwnBank(tmp_path / "bank")


@pytest.fixture
def source(content: Content, own: OwnBank) -> ContentSource:
    return ContentSource(questions.content_of(content), own)


def test_without_a_folder_the_content_is_what_the_product_brings(source: ContentSource) -> None:
    assert source.current() is source.base


def test_a_published_file_is_seen_at_once_and_the_same_content_is_given_until_the_next(
    source: ContentSource, own: OwnBank
) -> None:
    before = source.current()
    own.publish("fresh", "normalization", text_of("fresh"))
    after = source.current()
    assert "fresh" in after.bank.questions
    assert "fresh" not in before.bank.questions
    assert source.current() is after


def test_another_process_sees_it_too(source: ContentSource, own: OwnBank) -> None:
    source.current()
    context = multiprocessing.get_context("spawn")
    child = context.Process(target=own.publish, args=("fresh", "normalization", text_of("fresh")))
    child.start()
    child.join(60)
    assert child.exitcode == 0
    assert "fresh" in source.current().bank.questions


def test_an_own_file_stands_over_the_built_in_one(source: ContentSource, own: OwnBank) -> None:
    own.publish("a-single", "normalization", text_of("a-single", "A better prompt?"))
    found = source.current().bank.questions["a-single"]
    assert found.prompt == "A better prompt?"
    assert len(source.current().bank.questions) == len(source.base.bank.questions)


def test_a_retired_question_is_asked_no_more_but_still_found(source: ContentSource, own: OwnBank) -> None:
    own.retire("a-single", "normalization", text_of("a-single"))
    bank = source.current().bank
    assert "a-single" not in bank.questions
    assert bank.find("a-single") is bank.retired["a-single"]
    own.publish("a-single", "normalization", text_of("a-single"))
    bank = source.current().bank
    assert "a-single" in bank.questions
    assert not bank.retired


def test_what_replaces_a_retired_question_is_found_in_its_place(source: ContentSource, own: OwnBank) -> None:
    own.retire("a-single", "normalization", text_of("a-single"))
    own.publish("heir", "normalization", text_of("heir", extra="replaces: [a-single]\n"))
    bank = source.current().bank
    assert bank.faults == source.base.bank.faults
    assert bank.find("a-single") is bank.questions["heir"]


def test_a_question_that_moves_to_another_topic_leaves_no_file_behind(own: OwnBank) -> None:
    own.publish("fresh", "normalization", text_of("fresh"))
    moved = text_of("fresh").replace("[normalization]", "[acid]")
    own.publish("fresh", "acid", moved)
    assert [path.parent.name for path in (own.root / "questions").glob("*/fresh.md")] == ["acid"]
    assert not list(own.root.rglob(".fresh*"))


def test_a_broken_file_is_a_fault_and_hides_nothing_else(source: ContentSource, own: OwnBank) -> None:
    own.publish("fresh", "normalization", text_of("fresh"))
    own.publish("broken", "normalization", "no front matter\n")
    bank = source.current().bank
    assert "fresh" in bank.questions
    assert any(fault.path == "normalization/broken.md" for fault in bank.faults)


def test_only_changed_files_are_read_again(source: ContentSource, own: OwnBank) -> None:
    own.publish("one", "normalization", text_of("one"))
    first = source.current().bank.questions["one"]
    own.publish("two", "normalization", text_of("two"))
    bank = source.current().bank
    assert "two" in bank.questions
    assert bank.questions["one"] is first


def test_a_link_is_not_followed(source: ContentSource, own: OwnBank, tmp_path: Path) -> None:
    secret = tmp_path / "secret.md"
    secret.write_text(text_of("secret"))
    own.publish("fresh", "normalization", text_of("fresh"))
    (own.root / "questions" / "normalization" / "secret.md").symlink_to(secret)
    own.publish("fresh", "normalization", text_of("fresh", "Again?"))
    bank = source.current().bank
    assert "secret" not in bank.questions
    assert any("link" in fault.message for fault in bank.faults)


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    own = OwnBank(tmp_path / "file" / "bank")
    with pytest.raises(Unavailable, match="BANK_DIR"):
        own.publish("fresh", "normalization", text_of("fresh"))
    with pytest.raises(Unavailable, match="BANK_DIR"), own.locked():
        pass


def test_who_comes_second_waits_for_the_lock_and_gives_up_in_the_end(
    own: OwnBank, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("portal.own_bank.LOCK_SECONDS", 0.1)
    with own.locked(), pytest.raises(Unavailable, match="Try again"), OwnBank(own.root).locked():
        pass
    with OwnBank(own.root).locked():
        pass
