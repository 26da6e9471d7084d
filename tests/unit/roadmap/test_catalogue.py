"""What `load` makes of sound content, and every fault it reports, with its line."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

from roadmap import Depth, Kind

if TYPE_CHECKING:
    from tests.unit.roadmap.conftest import ContentFolder


def test_sound_content_loads_without_a_fault(content: ContentFolder) -> None:
    catalogue = content.load()

    assert catalogue.faults == ()
    assert list(catalogue.tracks) == ["databases"]
    assert catalogue.tracks["databases"].modules == ("schema", "transactions")
    assert list(catalogue.topics) == ["constraints", "data-types", "isolation-levels"]
    assert catalogue.modules["transactions"].depth is Depth.EXPERT
    assert catalogue.modules["transactions"].prerequisites == ("schema",)


def test_modules_come_in_the_order_of_the_track_and_not_of_the_alphabet(content: ContentFolder) -> None:
    content.change(
        "tracks/databases.yaml", "      - schema\n      - transactions", "      - transactions\n      - schema"
    )
    content.change("modules/transactions.yaml", "prerequisites:\n  - schema\n", "")

    catalogue = content.load()

    assert catalogue.faults == ()
    assert list(catalogue.modules) == ["transactions", "schema"]
    assert list(catalogue.lessons) == ["levels", "constraints-first"]


def test_a_topic_knows_its_module_and_the_lesson_to_read(content: ContentFolder) -> None:
    topic = content.load().topics["constraints"]

    assert (topic.module, topic.lesson) == ("schema", "constraints-first")


def test_a_topic_that_no_lesson_teaches_has_none(content: ContentFolder) -> None:
    content.change("lessons/constraints-first.md", "[constraints, data-types]", "[constraints]")

    catalogue = content.load()

    assert catalogue.topics["data-types"].lesson is None
    assert catalogue.faults == ()


def test_a_topic_prefers_a_lesson_of_its_own_module(content: ContentFolder) -> None:
    content.change(
        "lessons/constraints-first.md", "[constraints, data-types]", "[isolation-levels, constraints]"
    )

    assert content.load().topics["isolation-levels"].lesson == "levels"


def test_values_are_frozen(content: ContentFolder) -> None:
    catalogue = content.load()

    with pytest.raises(dataclasses.FrozenInstanceError):
        catalogue.modules["schema"].title = "Other"  # type: ignore[misc]
    with pytest.raises(TypeError):
        catalogue.modules["other"] = catalogue.modules["schema"]  # type: ignore[index]


def test_a_lesson_hash_follows_its_text_but_not_its_line_ends(content: ContentFolder) -> None:
    path = content.root / "lessons/levels.md"
    before = content.load().lessons["levels"].content_hash

    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    with_other_line_ends = content.load().lessons["levels"]
    content.write("lessons/levels.md", path.read_text(encoding="utf-8") + "One more thing.\n")
    with_more_text = content.load().lessons["levels"]

    assert with_other_line_ends.content_hash == before
    assert with_more_text.content_hash != before
    assert with_more_text.body.endswith("One more thing.\n")


def test_all_faults_of_all_files_are_gathered(content: ContentFolder) -> None:
    content.change("tracks/databases.yaml", "      - transactions", "      - transaction")
    content.change("modules/schema.yaml", "hours: 6", "hours: 0")
    content.change("lessons/levels.md", "minutes: 15", "minutes: fifteen")

    files = {fault.path for fault in content.load().faults}

    assert files >= {"tracks/databases.yaml", "modules/schema.yaml", "lessons/levels.md"}


@pytest.mark.parametrize(
    ("name", "old", "new", "expected"),
    [
        pytest.param(
            "modules/schema.yaml",
            "hours: 6",
            "hours: 900",
            "modules/schema.yaml:8: hours: the value should be less than or equal to 200",
            id="number-out-of-bounds",
        ),
        pytest.param(
            "modules/schema.yaml",
            "depth: deep",
            "depth: bottomless",
            "modules/schema.yaml:9: depth: "
            "the value should be 'expert', 'deep', 'working', 'conceptual' or 'awareness'",
            id="unknown-depth",
        ),
        pytest.param(
            "modules/schema.yaml",
            "    summary: A type is the first constraint of all.\n",
            "",
            "modules/schema.yaml:14: topics, item 2, summary: this field is missing",
            id="missing-field-is-reported-at-its-item",
        ),
        pytest.param(
            "modules/schema.yaml",
            "    title: Data types\n",
            "    titel: Data types\n",
            "modules/schema.yaml:15: topics, item 2, titel: there is no such field; is it misspelt?",
            id="misspelt-field",
        ),
        pytest.param(
            "lessons/levels.md",
            "minutes: 15",
            "minutes: fifteen",
            "lessons/levels.md:5: minutes: the value should be a valid integer",
            id="front-matter-line-counts-from-the-file-start",
        ),
        pytest.param(
            "modules/schema.yaml",
            "  - id: constraints\n",
            "  - id: Constraints!\n",
            "modules/schema.yaml:11: topics, item 1, id: 'Constraints!' is no id: "
            "join lower-case words by hyphens, such as 'cache-aside'",
            id="bad-id",
        ),
        pytest.param(
            "modules/schema.yaml",
            "hours: 6",
            "hours: [6",
            "modules/schema.yaml:9: not valid YAML: did not find expected ',' or ']'",
            id="broken-yaml",
        ),
        pytest.param(
            "modules/schema.yaml",
            "hours: 6",
            "hours: 6\nhours: 7",
            "modules/schema.yaml:9: the key 'hours' stands here twice",
            id="duplicate-key",
        ),
        pytest.param(
            "tracks/databases.yaml",
            "      - transactions",
            "      - transactons",
            "tracks/databases.yaml:11: there is no module 'transactons'; did you mean 'transactions'?",
            id="unknown-module-in-a-track",
        ),
        pytest.param(
            "tracks/databases.yaml",
            "      - transactions",
            "      - transactions\n      - kafka",
            "tracks/databases.yaml:12: there is no module 'kafka'; the file modules/kafka.yaml is missing",
            id="missing-module-file",
        ),
        pytest.param(
            "modules/transactions.yaml",
            "  - levels",
            "  - levels\n  - deadlocks",
            "modules/transactions.yaml:17: there is no lesson 'deadlocks'; "
            "the file lessons/deadlocks.md is missing",
            id="missing-lesson-file",
        ),
        pytest.param(
            "lessons/levels.md",
            "  - isolation-levels",
            "  - isolation-levels\n  - sharding",
            "lessons/levels.md:8: there is no topic 'sharding'; a module has to list it under 'topics'",
            id="unknown-topic-in-a-lesson",
        ),
        pytest.param(
            "modules/transactions.yaml",
            "  - schema\n",
            "  - schemas\n",
            "modules/transactions.yaml:8: there is no module 'schemas'; did you mean 'schema'?",
            id="unknown-prerequisite",
        ),
        pytest.param(
            "modules/transactions.yaml",
            "  - id: isolation-levels",
            "  - id: constraints",
            "modules/transactions.yaml:12: the topic id 'constraints' is already taken "
            "at modules/schema.yaml:11",
            id="topic-in-two-modules",
        ),
        pytest.param(
            "modules/transactions.yaml",
            "id: transactions\n",
            "id: schema\n",
            "modules/transactions.yaml:1: the module id 'schema' is already taken by modules/schema.yaml",
            id="module-id-in-two-files",
        ),
        pytest.param(
            "lessons/levels.md",
            "id: levels\n",
            "id: isolation\n",
            "lessons/levels.md:2: the id 'isolation' and the file name 'levels' differ; make them equal",
            id="id-differs-from-file-name",
        ),
        pytest.param(
            "modules/transactions.yaml",
            "lessons:\n  - levels",
            "lessons: []",
            "lessons/levels.md:2: no module names the lesson 'levels', so nobody finds it",
            id="lesson-without-a-module",
        ),
        pytest.param(
            "tracks/databases.yaml",
            "      - transactions\n",
            "",
            "modules/transactions.yaml:1: no track names the module 'transactions', so nobody finds it",
            id="module-without-a-track",
        ),
        pytest.param(
            "tracks/databases.yaml",
            "      - schema\n      - transactions",
            "      - transactions\n      - schema",
            "tracks/databases.yaml:10: 'transactions' stands before 'schema', which it needs first",
            id="module-before-its-prerequisite",
        ),
        pytest.param(
            "modules/transactions.yaml",
            "  - levels",
            "  - levels\n  - levels",
            "modules/transactions.yaml:17: 'levels' stands in 'lessons' twice",
            id="same-id-twice-in-a-list",
        ),
        pytest.param(
            "lessons/constraints-first.md",
            "(/lessons/levels)",
            "(/lessons/level)",
            "lessons/constraints-first.md:12: the link leads to no lesson: 'level'; did you mean 'levels'?",
            id="link-to-an-unknown-lesson",
        ),
        pytest.param(
            "lessons/levels.md",
            "labs:\n  - never-oversell\n",
            "",
            "lessons/levels.md:11: the lab 'never-oversell' is linked but not listed under 'labs'",
            id="linked-lab-not-listed",
        ),
        pytest.param(
            "lessons/levels.md",
            "(/labs/never-oversell)",
            "`(/labs/never-oversell)`",
            "lessons/levels.md:9: the text never links to the lab 'never-oversell': "
            "write (/labs/never-oversell)",
            id="listed-lab-not-linked",
        ),
        pytest.param(
            "lessons/levels.md",
            "Prove it in",
            "```sql\nSELECT 1;\n\nProve it in",
            "lessons/levels.md:13: this code fence is never closed",
            id="open-fence",
        ),
        pytest.param(
            "lessons/levels.md",
            "---\nid: levels",
            "id: levels",
            "lessons/levels.md:1: a lesson starts with front matter: "
            "a line '---', the fields, and a line '---'",
            id="no-front-matter",
        ),
        pytest.param(
            "lessons/levels.md",
            "which-order]\n---\n",
            "which-order]\n",
            "lessons/levels.md:1: the front matter is not closed: write a line '---' after its fields",
            id="front-matter-never-closed",
        ),
    ],
)
def test_a_fault_is_reported_with_its_file_and_line(
    content: ContentFolder, name: str, old: str, new: str, expected: str
) -> None:
    content.change(name, old, new)

    assert expected in content.faults()


def test_a_prerequisite_cycle_is_reported_at_each_of_its_edges_and_dropped(content: ContentFolder) -> None:
    content.change("modules/schema.yaml", "prerequisites: []", "prerequisites: [transactions]")

    catalogue = content.load()

    messages = [str(fault) for fault in catalogue.faults if "cycle" in fault.message]
    assert messages == [
        "modules/schema.yaml:7: the prerequisite 'transactions' closes a cycle "
        "(in it: 'schema', 'transactions'); one has to go",
        "modules/transactions.yaml:8: the prerequisite 'schema' closes a cycle "
        "(in it: 'schema', 'transactions'); one has to go",
    ]
    assert catalogue.modules["schema"].prerequisites == ()
    assert catalogue.modules["transactions"].prerequisites == ()


def test_a_module_that_needs_itself_is_a_cycle(content: ContentFolder) -> None:
    content.change("modules/schema.yaml", "prerequisites: []", "prerequisites: [schema]")

    assert any("modules/schema.yaml:7" in fault and "cycle" in fault for fault in content.faults())


def test_a_diamond_of_prerequisites_is_no_cycle(content: ContentFolder) -> None:
    for name, needs in [("left", "[schema]"), ("right", "[schema]"), ("bottom", "[left, right]")]:
        module = (content.root / "modules/schema.yaml").read_text(encoding="utf-8")
        module = module.replace("id: schema", f"id: {name}").replace(
            "prerequisites: []", f"prerequisites: {needs}"
        )
        module = module.replace("id: constraints", f"id: {name}-a").replace("id: data-types", f"id: {name}-b")
        content.write(f"modules/{name}.yaml", module.replace("[constraints-first]", "[]"))
    content.change(
        "tracks/databases.yaml",
        "      - transactions\n",
        "      - transactions\n      - left\n      - right\n      - bottom\n",
    )

    catalogue = content.load()

    assert catalogue.faults == ()
    assert catalogue.modules["bottom"].prerequisites == ("left", "right")


def test_unknown_ids_are_left_out_of_the_values(content: ContentFolder) -> None:
    content.change("tracks/databases.yaml", "      - transactions", "      - transactions\n      - kafka")
    content.change("lessons/levels.md", "  - isolation-levels", "  - isolation-levels\n  - sharding")

    catalogue = content.load()

    assert catalogue.tracks["databases"].modules == ("schema", "transactions")
    assert catalogue.lessons["levels"].topics == ("isolation-levels",)
    assert len(catalogue.faults) == 2


def test_a_broken_file_causes_no_faults_in_the_files_that_name_it(content: ContentFolder) -> None:
    content.change("modules/schema.yaml", "hours: 6", "hours: 900")

    catalogue = content.load()

    assert {fault.path for fault in catalogue.faults} == {"modules/schema.yaml"}
    assert catalogue.tracks["databases"].modules == ("transactions",)
    assert catalogue.modules["transactions"].prerequisites == ()


def test_a_missing_folder_is_one_fault_and_the_rest_still_loads(content: ContentFolder) -> None:
    for path in (content.root / "tracks").iterdir():
        path.unlink()
    (content.root / "tracks").rmdir()

    catalogue = content.load()

    assert "tracks:1: the folder 'tracks' is missing from content/" in [
        str(fault) for fault in catalogue.faults
    ]
    assert set(catalogue.modules) == {"schema", "transactions"}


def test_a_file_with_another_ending_is_a_fault(content: ContentFolder) -> None:
    content.write("modules/forgotten.yml", "id: forgotten\n")
    content.write("modules/.editor-state", "noise")

    assert content.faults() == ["modules/forgotten.yml:1: only files that end in '.yaml' belong in 'modules'"]


def test_a_file_that_is_no_text_is_a_fault(content: ContentFolder) -> None:
    (content.root / "lessons/levels.md").write_bytes(b"---\nid: levels\n\xff\xfe")

    assert "lessons/levels.md:1: the file is not UTF-8 text (byte 15)" in content.faults()


def test_an_oversized_file_is_refused_before_it_is_parsed(content: ContentFolder) -> None:
    content.write("lessons/levels.md", "x" * (256 * 1024 + 1))

    assert (
        "lessons/levels.md:1: 262,145 bytes are too many; split the file, the limit is 262,144"
        in content.faults()
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id: &a schema\ntitle: *a\n", None),
        ("a: &a [x]\nb: *a\n", "modules/schema.yaml:1: YAML aliases are not allowed here: write the text out"),
        ("- just\n- a list\n", "modules/schema.yaml:1: fields are expected here"),
        ("", "modules/schema.yaml:1: fields are expected here"),
        (
            "a: !!python/object/apply:os.getcwd []\n",
            "modules/schema.yaml:1: not valid YAML: could not determine",
        ),
        ("[" * 5000, "modules/schema.yaml:"),
        ("when: 2024-02-31\n", "modules/schema.yaml:1: not valid YAML: day is out of range"),
    ],
)
def test_hostile_or_odd_yaml_ends_in_a_fault(content: ContentFolder, text: str, message: str | None) -> None:
    content.write("modules/schema.yaml", text)

    faults = [fault for fault in content.faults() if fault.startswith("modules/schema.yaml")]

    assert faults
    assert message is None or any(fault.startswith(message) for fault in faults), faults


def test_a_replaced_id_leads_to_its_successor(content: ContentFolder) -> None:
    content.change(
        "modules/schema.yaml", "  - id: data-types\n", "  - id: data-types\n    replaces: [column-types]\n"
    )
    content.change("modules/schema.yaml", "hours: 6", "hours: 6\nreplaces: [schemas]")

    catalogue = content.load()

    assert catalogue.faults == ()
    assert catalogue.current_id(Kind.TOPIC, "column-types") == "data-types"
    assert catalogue.current_id(Kind.TOPIC, "data-types") == "data-types"
    assert catalogue.current_id(Kind.MODULE, "schemas") == "schema"
    assert catalogue.current_id(Kind.MODULE, "column-types") is None
    assert catalogue.current_id(Kind.TOPIC, "never-was") is None


def test_an_id_in_use_cannot_be_replaced(content: ContentFolder) -> None:
    content.change("lessons/levels.md", "minutes: 15", "minutes: 15\nreplaces: [constraints-first]")

    catalogue = content.load()

    assert [str(fault) for fault in catalogue.faults] == [
        "lessons/levels.md:6: 'levels' replaces 'constraints-first', but a lesson with that id is still there"
    ]
    assert catalogue.current_id(Kind.LESSON, "constraints-first") == "constraints-first"


def test_an_id_cannot_be_replaced_twice(content: ContentFolder) -> None:
    content.change("modules/schema.yaml", "hours: 6", "hours: 6\nreplaces: [old-one]")
    content.change("modules/transactions.yaml", "hours: 8", "hours: 8\nreplaces: [old-one]")

    catalogue = content.load()

    assert [str(fault) for fault in catalogue.faults] == [
        "modules/transactions.yaml:10: 'old-one' is already replaced by 'schema'"
    ]
    assert catalogue.current_id(Kind.MODULE, "old-one") == "schema"
