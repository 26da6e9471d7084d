"""Loading a folder: everything that loads is returned, and so is every fault."""

from __future__ import annotations

from pathlib import Path

import pytest

from question_bank import load
from question_bank.schema import MAX_FILE_BYTES


def test_loads_good_questions_beside_broken_ones(bank, text):
    loaded = bank(
        {
            "row-locks/lost-update.md": text(),
            "row-locks/broken.md": "no front matter",
            "row-locks/other.md": text(id="other", extra="colour: red"),
        }
    )
    assert list(loaded.questions) == ["lost-update"]
    assert [(fault.path, fault.line) for fault in loaded.faults] == [
        ("row-locks/broken.md", 1),
        ("row-locks/other.md", 8),
    ]


def test_reports_all_faults_of_a_file_at_once(faults_of, text):
    found = faults_of(
        text(kind="single", topics="[Bad Topic]", extra="links: {lab: UPPER}\nanswer: 3", explanation="")
    )
    lines = [fault.line for fault in found]
    assert len(found) >= 4
    assert 5 in lines  # topics
    assert 8 in lines  # links
    assert 9 in lines  # answer is no field of a single choice


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("difficulty", "6"),
        ("difficulty", "'2'"),
        ("seconds", "5"),
        ("id", "Has Spaces"),
        ("topics", "[]"),
        ("topics", "[a-b, a-b]"),
    ],
)
def test_values_out_of_bounds_are_faults_at_the_field(faults_of, text, field, value):
    lines = text().splitlines()
    index = next(number for number, line in enumerate(lines) if line.startswith(f"{field}:"))
    lines[index] = f"{field}: {value}"
    assert [fault.line for fault in faults_of("\n".join(lines))] == [index + 1]


def test_an_unknown_kind_names_those_there_are(faults_of, text):
    found = faults_of(text(kind="riddle"))
    assert any("single, multiple, numeric" in fault.message for fault in found)


def test_a_missing_field_is_named(faults_of, text):
    found = faults_of(text().replace("module: transactions\n", ""))
    assert any("`module`" in fault.message for fault in found)


def test_ids_are_unique_and_replaced_ids_are_gone(bank, text):
    loaded = bank(
        {
            "row-locks/a.md": text(id="aa"),
            "row-locks/b.md": text(id="aa"),
            "row-locks/c.md": text(id="cc", extra="replaces: [aa, old]"),
            "row-locks/d.md": text(id="dd", extra="replaces: [old]"),
        }
    )
    messages = " ".join(fault.message for fault in loaded.faults)
    assert "is taken by row-locks/a.md" in messages
    assert "still in the bank" in messages
    assert "already replaced by `cc`" in messages


def test_find_follows_a_replaced_id(bank, text):
    loaded = bank({"row-locks/new-one.md": text(id="new-one", extra="replaces: [old-one]")})
    assert loaded.find("old-one") is loaded.questions["new-one"]
    assert loaded.find("new-one") is loaded.questions["new-one"]
    assert loaded.find("neither") is None


def test_unreadable_files_are_faults(tmp_path: Path, text):
    (tmp_path / "latin.md").write_bytes("---\nid: x\n# caf\xe9\n---\n".encode("latin-1"))
    (tmp_path / "huge.md").write_text("x" * (MAX_FILE_BYTES + 1))
    (tmp_path / "link.md").symlink_to("/etc/hostname")
    (tmp_path / "_draft.md").write_text("not looked at")
    loaded = load(tmp_path)
    found = {fault.path: fault for fault in loaded.faults}
    assert set(found) == {"latin.md", "huge.md", "link.md"}
    assert found["latin.md"].line == 3
    assert "UTF-8" in found["latin.md"].message


def test_a_missing_folder_is_a_fault(tmp_path: Path):
    loaded = load(tmp_path / "nowhere")
    assert not loaded.questions
    assert "nowhere" in loaded.faults[0].message


def test_the_content_hash_follows_the_text_and_not_the_line_ends(question, text, bank):
    plain = question()
    assert (
        question(explanation="Another explanation, which says the same at some greater length.").content_hash
        != plain.content_hash
    )
    loaded = bank({"row-locks/lost-update.md": text().replace("\n", "\r\n")})
    assert loaded.questions["lost-update"].content_hash == plain.content_hash


def test_a_byte_order_mark_is_no_fault(bank, text):
    assert bank({"row-locks/lost-update.md": "\ufeff" + text()}).faults == []


def test_counts_questions_by_module(bank, text):
    assert bank({"row-locks/lost-update.md": text()}).modules() == {"transactions": 1}
