"""Reading labs: everything that loads, every fault with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from labs.catalogue import content_hash, load, load_lab
from labs.errors import LabNotFound
from labs.grader import grading_spec
from tests.unit.labs.conftest import MANIFEST, TEXT, write_lab, write_other_answer, write_wrong_answer


def messages(folder: Path) -> list[str]:
    _, faults = load_lab(folder)
    return [f"{fault.path.name}:{fault.line}: {fault.message}" for fault in faults]


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_a_sound_lab_loads_without_faults(lab_folder: Path) -> None:
    lab, faults = load_lab(lab_folder)
    assert faults == []
    assert lab is not None
    assert (lab.id, lab.title, lab.max_score, lab.minutes, lab.level) == (
        "tiny",
        "Tiny lab",
        100,
        10,
        "foundation",
    )
    assert [task.id for task in lab.tasks] == ["add", "double"]
    assert {answer.name: answer.loses for answer in lab.wrong_answers}["squares"] == {"double"}


def test_a_broken_lab_does_not_stop_the_others(tmp_path: Path) -> None:
    write_lab(tmp_path, "good")
    broken = write_lab(tmp_path, "bad")
    (broken / "lab.yaml").write_text("id: [")
    catalogue = load(tmp_path)
    assert list(catalogue.labs) == ["good"]
    assert {fault.path for fault in catalogue.faults} == {broken / "lab.yaml"}


def test_every_fault_of_a_manifest_is_told_with_its_line(lab_folder: Path) -> None:
    path = lab_folder / "lab.yaml"
    replace(path, "minutes: 10", "minutes: a while")
    replace(path, "    points: 60", "    points: 600")
    replace(path, "level: foundation", "level: foundation\ncolour: blue")
    lines = MANIFEST.replace("level: foundation", "level: foundation\ncolour: blue").splitlines()
    found = messages(lab_folder)
    assert any(one.startswith(f"lab.yaml:{lines.index('minutes: 10') + 1}: `minutes`") for one in found)
    assert any(
        one.startswith(f"lab.yaml:{lines.index('colour: blue') + 1}: `colour` is not a name") for one in found
    )
    assert any(
        one.startswith(f"lab.yaml:{lines.index('    points: 60') + 1}: `tasks.0.points`") for one in found
    )


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("minutes: 10", "minutes: 10\nminutes: 11", "says `minutes` twice"),
        ("title: Tiny lab", "title: &a Tiny lab\nimage: *a", "uses an alias"),
        ("id: double", "id: add", "the task id `add` is used twice"),
        ("minutes: 10", "minutes: 10\nreplaces: [tiny]", "the lab replaces itself"),
        ("minutes: 10", "minutes: 10\nservices: {postgres: {port: 5432}}", "`services.postgres.port`"),
        ("[Think of plus., It is one operator., \"return a + b\"]", "[One hint only.]", "`tasks.0.hints`"),
        ("minutes: 10", "minutes: 10\nmode: live", "`mode`"),
        ("minutes: 10", "minutes: " + "[" * 50 + "]" * 50, "nests deeper"),
    ],
)  # fmt: skip
def test_what_a_manifest_may_not_say(lab_folder: Path, old: str, new: str, expected: str) -> None:
    replace(lab_folder / "lab.yaml", old, new)
    assert any(expected in one for one in messages(lab_folder)), messages(lab_folder)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('```python task="add"', "```python", "has a solution region in a cell without"),
        ('```python task="add"', '```python task="ad"', "of a task `ad` that lab.yaml does not name"),
        ('```python task="add"', '```python task="add" hidden=true', "only `task="),
        ("    ### BEGIN SOLUTION\n", "", "needs one solution region"),
        ("    total = a + b", "    total = = b", "is not valid Python"),
        ("given = 1\n```", "given = 1", "has a code fence that is never closed"),
        ('```python task="double"', '```python task="add"', "is a second cell of task `add`"),
    ],
)
def test_what_a_notebook_source_may_not_be(lab_folder: Path, old: str, new: str, expected: str) -> None:
    replace(lab_folder / "lab.md", old, new)
    assert any(expected in one for one in messages(lab_folder)), messages(lab_folder)


def test_a_fault_in_a_cell_points_at_its_line(lab_folder: Path) -> None:
    replace(lab_folder / "lab.md", "given = 1", "given = = 1")
    line = TEXT.splitlines().index("given = 1") + 1
    assert f"lab.md:{line}: is not valid Python: invalid syntax" in messages(lab_folder)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('@check("add")', '@check("ad")', "checks a task `ad` that lab.yaml does not name"),
        ('@check("double")', '@check("add")', "is a second check of `add`"),
        ('    """Adds any two numbers."""\n', "", "needs a docstring"),
        ("def adds(", "def adds((", "is not valid Python"),
    ],
)
def test_what_checks_may_not_be(lab_folder: Path, old: str, new: str, expected: str) -> None:
    replace(lab_folder / "checks.py", old, new)
    assert any(expected in one for one in messages(lab_folder)), messages(lab_folder)


def test_a_support_file_that_is_not_python_is_a_fault(lab_folder: Path) -> None:
    (lab_folder / "support.py").write_text("x = 1\ny = = 2\n")
    assert "support.py:2: is not valid Python: invalid syntax" in messages(lab_folder)


def test_reading_a_lab_does_not_run_its_code(lab_folder: Path, tmp_path: Path) -> None:
    witness = tmp_path / "ran"
    with (lab_folder / "checks.py").open("a") as file:
        file.write(f"\nopen({str(witness)!r}, 'w').close()\n")
    lab, _ = load_lab(lab_folder)
    assert lab is not None
    assert not witness.exists()


def test_a_task_needs_two_wrong_answers_but_the_lab_is_usable(lab_folder: Path) -> None:
    (lab_folder / "wrong_answers" / "squares.md").unlink()
    lab, faults = load_lab(lab_folder)
    assert lab is not None
    assert [fault.message for fault in faults] == ["1 wrong answers lose task `double`; it needs at least 2"]


def test_faults_of_wrong_answers_are_told_with_their_lines(lab_folder: Path) -> None:
    write_wrong_answer(lab_folder, "stranger", "triple", "x = 1")
    write_wrong_answer(lab_folder, "loses-stranger", "add", "x = 1", loses="triple")
    (lab_folder / "wrong_answers" / "bare.md").write_text("no front matter\n")
    found = messages(lab_folder)
    assert "stranger.md:6: answers a task `triple` that lab.yaml does not name" in found
    assert "loses-stranger.md:2: loses a task `triple` that lab.yaml does not name" in found
    assert any(one.startswith("bare.md:1: needs front matter") for one in found)


def test_an_answer_that_is_right_names_no_task_that_it_loses(lab_folder: Path) -> None:
    write_other_answer(lab_folder, "fine", "add", "return b + a")
    write_other_answer(lab_folder, "loses", "add", "return b + a", header="loses: [add]\n")
    lab, faults = load_lab(lab_folder)
    assert lab is not None
    assert [(answer.name, answer.loses) for answer in lab.other_answers] == [("fine", frozenset())]
    assert [(fault.path.name, fault.line) for fault in faults] == [("loses.md", 3)]


def test_strange_files_links_and_missing_files_are_faults(lab_folder: Path) -> None:
    (lab_folder / "notes.txt").write_text("x")
    (lab_folder / "wrong_answers" / "link.md").symlink_to("/etc/hostname")
    (lab_folder / "lab.md").unlink()
    found = messages(lab_folder)
    assert any("notes.txt:1: does not belong in a lab" in one for one in found)
    assert any("link.md:1: is a link" in one for one in found)
    assert "lab.md:1: is missing" in found


def test_text_that_is_not_utf8_is_a_fault_on_its_line(lab_folder: Path) -> None:
    (lab_folder / "lab.md").write_bytes(b"# Tiny\n\n\xff\n")
    assert "lab.md:3: is not UTF-8 text" in messages(lab_folder)


def test_the_folder_must_have_the_name_of_the_lab(tmp_path: Path) -> None:
    folder = write_lab(tmp_path)
    folder.rename(tmp_path / "other")
    assert any("says id `tiny` in a folder `other`" in one for one in messages(tmp_path / "other"))


def test_an_old_id_finds_the_lab_that_replaced_it(tmp_path: Path) -> None:
    folder = write_lab(tmp_path)
    replace(folder / "lab.yaml", "minutes: 10", "minutes: 10\nreplaces: [small]")
    catalogue = load(tmp_path)
    assert catalogue.lab("small").id == "tiny"
    with pytest.raises(LabNotFound, match=r"There is no lab 'large'\. The labs are: tiny"):
        catalogue.lab("large")


def test_two_labs_can_not_replace_the_same_one(tmp_path: Path) -> None:
    for slug in ("one", "two"):
        replace(write_lab(tmp_path, slug) / "lab.yaml", "minutes: 10", "minutes: 10\nreplaces: [zero]")
    assert [fault.message for fault in load(tmp_path).faults] == [
        "replaces `zero`, which is also what `one` is or replaces"
    ]


def test_the_content_hash_follows_contents_and_names_but_not_caches(lab_folder: Path) -> None:
    before = content_hash(lab_folder)
    (lab_folder / "__pycache__").mkdir()
    (lab_folder / "__pycache__" / "checks.pyc").write_bytes(b"x")
    assert content_hash(lab_folder) == before
    (lab_folder / "starter").mkdir()
    (lab_folder / "starter" / "a.txt").write_text("x")
    with_file = content_hash(lab_folder)
    (lab_folder / "starter" / "a.txt").rename(lab_folder / "starter" / "b.txt")
    assert len({before, with_file, content_hash(lab_folder)}) == 3


def test_the_workspace_begins_with_the_notebook_and_the_starter_files(lab_folder: Path) -> None:
    (lab_folder / "starter" / "data").mkdir(parents=True)
    (lab_folder / "starter" / "data" / "a.csv").write_text("1,2\n")
    lab, _ = load_lab(lab_folder)
    assert lab is not None
    files = lab.workspace_files()
    assert set(files) == {"tiny.ipynb", "data/a.csv"}
    assert b"NotImplementedError" in files["tiny.ipynb"]


def test_a_root_that_is_not_there_is_a_fault(tmp_path: Path) -> None:
    catalogue = load(tmp_path / "none")
    assert catalogue.labs == {}
    assert [fault.message for fault in catalogue.faults] == ["is not a folder: there are no labs"]


def test_a_lab_knows_what_its_cells_import(lab_folder: Path) -> None:
    replace(lab_folder / "lab.md", "given = 1", "import statistics\ngiven = 1")
    lab, faults = load_lab(lab_folder)
    assert lab is not None, faults
    assert lab.preload == ("statistics",)
    assert grading_spec(lab, lab_folder).preload == ("statistics",)
