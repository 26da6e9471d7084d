"""Stages, criteria and activities: what becomes of them, and the faults with their lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from roadmap import ActivityKind, Kind, Priority, ReadingKind

if TYPE_CHECKING:
    from tests.unit.roadmap.conftest import ContentFolder

STAGES = """\
stages:
  - id: tables
    title: Tables
    summary: Tables before what runs on them.
    weeks: 1-2
    priority: critical
    modules: [schema]
  - id: at-once
    title: At once
    summary: What others may see while you work.
    needs: [tables]
    modules: [transactions, schema]
criteria:
  - id: never-oversold
    title: You can say why nothing is sold twice
    evidence:
      topics: [isolation-levels]
      activities: [break-it, transactions-artifact]
      labs: [never-oversell]
  - id: told-it
    title: You have told it to somebody
"""
ACTIVITIES = """\
activities:
  - id: break-it
    kind: experiment
    title: Break it on purpose
    brief: Run two transactions side by side and write down what each of them sees.
    done_when:
      - Both schedules are written down with what was read.
    hours: 2
    topics: [isolation-levels, constraints]
reading:
  - title: The manual, chapter 13
    kind: documentation
    why: It says what each level promises, and no more than that.
    url: https://www.postgresql.org/docs/15/mvcc.html
"""


@pytest.fixture
def staged(content: ContentFolder) -> ContentFolder:
    text = (content.root / "tracks/databases.yaml").read_text(encoding="utf-8")
    content.write("tracks/databases.yaml", text.partition("stages:")[0] + STAGES)
    text = (content.root / "modules/transactions.yaml").read_text(encoding="utf-8")
    content.write("modules/transactions.yaml", text + ACTIVITIES)
    return content


def test_a_track_has_stages_and_each_module_once(staged: ContentFolder) -> None:
    catalogue = staged.load()

    assert catalogue.faults == ()
    track = catalogue.tracks["databases"]
    assert track.modules == ("schema", "transactions")
    first, second = track.stages
    assert (first.weeks, first.priority, second.needs) == ("1-2", Priority.CRITICAL, ("tables",))
    told = {each.id: each.evidence for each in track.criteria}
    assert told["told-it"] == ()
    assert told["never-oversold"] == (
        "topic/isolation-levels",
        "activity/break-it",
        "activity/transactions-artifact",
        "lab/never-oversell",
    )


def test_an_activity_knows_its_module_and_the_artifact_is_one(staged: ContentFolder) -> None:
    catalogue = staged.load()

    assert list(catalogue.activities) == ["schema-artifact", "break-it", "transactions-artifact"]
    activity = catalogue.activities["break-it"]
    assert (activity.kind, activity.module, activity.hours) == (ActivityKind.EXPERIMENT, "transactions", 2)
    assert activity.topics == ("isolation-levels", "constraints")
    artifact = catalogue.modules["transactions"].activities[-1]
    assert (artifact.id, artifact.kind) == ("transactions-artifact", ActivityKind.ARTIFACT)
    (reading,) = catalogue.modules["transactions"].reading
    assert (reading.kind, reading.by) == (ReadingKind.DOCUMENTATION, None)


def test_the_conditions_of_an_artifact_are_those_of_its_list(content: ContentFolder) -> None:
    artifact = (
        "artifact: |\n  Write it down:\n\n  - with the keys,\n    each with a reason;\n  - with a test.\n"
    )
    content.change(
        "modules/schema.yaml", "artifact: A database design document with tables, keys and reasons.\n", artifact
    )

    (made,) = content.load().modules["schema"].activities

    assert made.done_when == ("with the keys, each with a reason;", "with a test.")


@pytest.mark.parametrize(
    ("path", "old", "new", "fault"),
    [
        (
            "tracks/databases.yaml",
            "needs: [tables]",
            "needs: [later]",
            "'at-once' needs 'later', which is no stage before it",
        ),
        ("tracks/databases.yaml", "id: at-once", "id: tables", "the stage id 'tables' is already taken at"),
        (
            "tracks/databases.yaml",
            "id: told-it",
            "id: never-oversold",
            "the criterion id 'never-oversold' is already taken",
        ),
        (
            "tracks/databases.yaml",
            "[isolation-levels]",
            "[isolation-level]",
            "there is no topic 'isolation-level'; did you mean",
        ),
        (
            "tracks/databases.yaml",
            "[break-it,",
            "[brake-it,",
            "there is no activity 'brake-it'; did you mean 'break-it'?",
        ),
        ("tracks/databases.yaml", "weeks: 1-2", "weeks: one", "weeks: "),
        ("tracks/databases.yaml", "priority: critical", "priority: urgent", "priority: "),
        (
            "modules/transactions.yaml",
            "id: break-it",
            "id: transactions-artifact",
            "is the id of the module's artifact",
        ),
        (
            "modules/transactions.yaml",
            ", constraints]",
            ", constrains]",
            "there is no topic 'constrains'; did you mean",
        ),
        ("modules/transactions.yaml", "https://www", "javascript:www", "url: "),
        ("modules/transactions.yaml", "kind: experiment", "kind: party", "kind: "),
    ],
)
def test_a_fault_is_told_with_its_file(
    staged: ContentFolder, path: str, old: str, new: str, fault: str
) -> None:
    staged.change(path, old, new)

    faults = [str(each) for each in staged.load().faults]

    assert [each for each in faults if each.startswith(f"{path}:") and fault in each], faults


def test_an_activity_that_replaces_another_is_found_by_the_old_id(staged: ContentFolder) -> None:
    staged.change("modules/transactions.yaml", "    hours: 2\n", "    hours: 2\n    replaces: [smash-it]\n")

    catalogue = staged.load()

    assert catalogue.current_id(Kind.ACTIVITY, "smash-it") == "break-it"
    assert catalogue.current_id(Kind.ACTIVITY, "never") is None


def test_a_reference_finds_what_it_names(staged: ContentFolder) -> None:
    catalogue = staged.load()

    for reference, title in {
        "track/databases": "Databases",
        "stage/at-once": "At once",
        "criterion/told-it": "You have told it to somebody",
        "module/schema": "Schema design",
        "topic/constraints": "Constraints",
        "lesson/levels": "Levels",
        "activity/break-it": "Break it on purpose",
    }.items():
        assert catalogue.find(reference).title == title
    for reference in ("topic/none", "planet/mars", "topic", ""):
        assert catalogue.find(reference) is None


def test_the_artifact_of_a_module_that_replaces_another_is_found_by_the_old_id(staged: ContentFolder) -> None:
    staged.change("modules/schema.yaml", "hours: 6", "hours: 6\nreplaces: [old-schema]")

    catalogue = staged.load()

    assert catalogue.faults == ()
    assert catalogue.current_id(Kind.ACTIVITY, "old-schema-artifact") == "schema-artifact"
