"""Imports add what is new, once; what is nearly there waits; what has faults becomes a draft."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from question_bank import load, write
from question_bank.formats import FORMATS, Imported, Loss
from question_bank.importing import CannotImport, carry_out, prepare
from question_bank.loader import parse

GIFT = """\
::Lost update:: Two writers read the same row and both write it. What keeps both changes? {
    =A version that is checked by the write # It matches no row.
    ~Reading the row again before the write
    ~A longer timeout
}

::Outbox:: What writes the event together with the data of the order? {=outbox =the outbox}
"""
OTHER = (
    "::Lost update:: How is lost update called in German textbooks on databases? {=Verlorene Aktualisierung}\n"
)


def gift(text=GIFT):
    return FORMATS["gift"].read(text.encode(), "quiz.gift")


def imported(*questions):
    return Imported(questions)


def files(root: Path) -> dict[str, str]:
    return {path.relative_to(root).as_posix(): path.read_text() for path in sorted(root.rglob("*.md"))}


@pytest.fixture
def stored(tmp_path, question):
    """A bank with one question."""
    path = tmp_path / "row-locks" / "lost-update.md"
    path.parent.mkdir()
    path.write_text(write(question()))
    return tmp_path


def test_imported_questions_are_files_of_the_bank(tmp_path):
    root = tmp_path / "new" / "bank"
    plan = prepare(gift(), root, module="databases", topic="locks")
    assert not root.exists()
    assert carry_out(plan, root) == ["locks/_lost-update.md", "locks/_outbox.md"]
    question = parse(files(root)["locks/_outbox.md"], "x.md", [])
    assert (question.id, question.module, question.topics) == ("outbox", "databases", ("locks",))
    assert question.grade("The Outbox").correct
    assert not [path for path in root.rglob("*") if path.is_file() and path.suffix != ".md"]


def test_what_the_lint_objects_to_is_a_draft_and_no_part_of_the_bank(tmp_path, question):
    whole = question(id="whole-one", prompt="Whole and without a fault: which of these keeps both changes?")
    plan = prepare(imported(whole, *gift().questions), tmp_path)
    carry_out(plan, tmp_path)
    assert {entry.question.id: entry.draft for entry in plan.new} == {
        "whole-one": False,
        "lost-update": True,
        "outbox": True,
    }
    assert list(load(tmp_path).questions) == ["whole-one"]
    draft = plan.new[1]
    assert {fault.rule for fault in draft.faults} >= {"feedback", "explanation", "import"}
    assert all(fault.path == "imported/lost-update.md" for fault in draft.faults)


def test_importing_twice_adds_nothing(tmp_path, stored):
    carry_out(prepare(gift(), tmp_path), tmp_path)
    before = files(tmp_path)
    plan = prepare(gift(), tmp_path)
    assert (plan.new, plan.near) == ((), ())
    assert plan.same == (("lost-update", "lost-update-2"), ("outbox", "outbox"))
    assert carry_out(plan, tmp_path) == []
    assert files(tmp_path) == before


@pytest.mark.parametrize("name", ["moodle-xml", "gift", "csv", "archive"])
def test_what_was_exported_is_there_already(tmp_path, stored, name, question):
    data = FORMATS[name].write([question()]).data
    plan = prepare(FORMATS[name].read(data), tmp_path)
    assert plan.same == (("lost-update", "lost-update"),)
    assert (plan.new, plan.near) == ((), ())


def test_other_feedback_or_topics_make_no_other_question(tmp_path, stored, question):
    other = replace(question(id="other-id", topics="[elsewhere]"), explanation="Another explanation. " * 9)
    assert prepare(imported(other), tmp_path).same == (("other-id", "lost-update"),)


def test_a_completed_draft_is_recognised(tmp_path):
    carry_out(prepare(gift(), tmp_path), tmp_path)
    draft = tmp_path / "imported" / "_outbox.md"
    draft.write_text(
        draft.read_text().replace("imported", "events").partition("‹")[0] + "The outbox does. " * 10
    )
    draft.rename(draft.with_name("outbox.md"))
    assert prepare(gift(), tmp_path).same[1] == ("outbox", "outbox")


def test_near_duplicates_wait_for_a_decision_side_by_side(tmp_path, stored, question):
    close = question(
        id="close-one", prompt="Two writers read the same row and both write. What keeps both of them?"
    )
    plan = prepare(imported(close), tmp_path)
    (near,) = plan.near
    assert (near.placed.question.id, near.other.id) == ("close-one", "lost-update")
    assert 0.5 <= near.likeness < 1
    assert carry_out(plan, tmp_path) == []
    assert carry_out(plan, tmp_path, take={"close-one"}) == ["row-locks/close-one.md"]


def test_all_near_duplicates_can_be_taken(tmp_path, stored, question):
    close = question(
        id="close-one", prompt="Two writers read the same row and both write. What keeps both of them?"
    )
    assert carry_out(prepare(imported(close), tmp_path), tmp_path, take=None) == ["row-locks/close-one.md"]


def test_a_decision_on_something_else_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(CannotImport, match="no near-duplicate `nobody`"):
        carry_out(prepare(gift(), tmp_path), tmp_path, take={"nobody"})
    assert files(tmp_path) == {}


def test_near_duplicates_within_one_file_wait_too(tmp_path, question):
    one, two = (
        question(id="one-one"),
        question(id="two-two", prompt="Two writers read the same row and write. What now?"),
    )
    plan = prepare(imported(one, two), tmp_path)
    assert [entry.question.id for entry in plan.new] == ["one-one"]
    assert [(entry.placed.question.id, entry.other.id) for entry in plan.near] == [("two-two", "one-one")]


def test_an_id_that_is_taken_gets_a_number_and_is_named(tmp_path, stored):
    plan = prepare(gift(OTHER), tmp_path)
    assert [entry.question.id for entry in plan.new] == ["lost-update-2"]
    assert Loss("lost-update-2", "id", "`lost-update` is taken in the bank by another question.") in plan.losses
    assert {loss.question for loss in plan.losses} == {"lost-update-2"}


def test_ids_that_were_replaced_are_taken_too(tmp_path, stored, question):
    (tmp_path / "row-locks" / "lost-update.md").write_text(write(question(extra="replaces: [outbox]")))
    assert "outbox-2" in {entry.question.id for entry in prepare(gift(), tmp_path).new}
    old = question(
        id="brand-new", extra="replaces: [lost-update, gone-one]", prompt="Something else is asked here?"
    )
    placed = [
        *prepare(imported(old), tmp_path).new,
        *(e.placed for e in prepare(imported(old), tmp_path).near),
    ][0]
    assert placed.question.replaces == ("gone-one",)


def test_files_that_do_not_load_keep_their_names(tmp_path):
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "outbox.md").write_text("broken")
    assert "outbox-2" in {entry.question.id for entry in prepare(gift(), tmp_path).new}


def test_module_and_topic_are_for_those_that_have_none(tmp_path, question):
    plan = prepare(imported(question()), tmp_path, module="other-module", topic="other-topic")
    assert (plan.new[0].question.module, plan.new[0].question.topics) == ("transactions", ("row-locks",))


def test_faults_and_losses_come_along(tmp_path):
    plan = prepare(gift(GIFT + "\n::Broken:: What? {=a ~b\n"), tmp_path)
    assert [fault.line for fault in plan.faults] == [9]
    assert {loss.question for loss in plan.losses} == {"lost-update", "outbox"}


def test_a_file_that_came_into_being_meanwhile_is_not_overwritten(tmp_path):
    plan = prepare(gift(), tmp_path)
    (tmp_path / "imported").mkdir()
    (tmp_path / "imported" / "_outbox.md").write_text("mine")
    with pytest.raises(CannotImport, match=r"_outbox.md came into being meanwhile"):
        carry_out(plan, tmp_path)
    assert (tmp_path / "imported" / "_outbox.md").read_text() == "mine"
    assert not list(tmp_path.rglob(".*"))


def test_a_bank_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "bank").write_text("x")
    with pytest.raises(CannotImport, match="is no folder"):
        prepare(gift(), tmp_path / "bank")
