"""The commands `import` and `export`, as people and programs see them."""

from __future__ import annotations

import json

import pytest

from question_bank import load, write
from question_bank.cli import main
from question_bank.formats import FORMATS

GIFT = "::Outbox:: What writes the event with the data? {=outbox =%0%inbox#The other side.}\n\n::Bad:: What? {=a ~b\n"


@pytest.fixture
def quiz(tmp_path):
    path = tmp_path / "quiz.gift"
    path.write_text(GIFT)
    return path


@pytest.fixture
def stored(tmp_path, question):
    root = tmp_path / "bank"
    (root / "row-locks").mkdir(parents=True)
    (root / "row-locks" / "lost-update.md").write_text(write(question()))
    return root


def run_json(capsys, *arguments):
    code = main([*map(str, arguments), "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_import_says_what_came_what_was_lost_and_what_was_left_out(tmp_path, quiz, capsys):
    assert main(["import", "gift", str(quiz), "--into", str(tmp_path / "bank")]) == 1
    out = capsys.readouterr().out
    assert "quiz.gift:3: “Bad”: Its answers are not closed with `}`. [import]" in out
    assert "outbox: explanation: There is none in the file" in out
    assert "1 questions written, 1 of them as drafts; 0 already there, 0 nearly there, 1 faults" in out
    assert (tmp_path / "bank" / "imported" / "_outbox.md").is_file()


def test_import_prints_one_json_document(tmp_path, quiz, capsys):
    code, document = run_json(capsys, "import", "auto", quiz, "--into", tmp_path / "bank", "--module", "events")
    assert code == 1
    assert document["format"] == "gift"
    (written,) = document["written"]
    assert (written["id"], written["path"], written["draft"]) == ("outbox", "events/_outbox.md", True)
    assert {fault["rule"] for fault in written["faults"]} >= {"import", "explanation"}
    assert [fault["line"] for fault in document["faults"]] == [3]
    assert {loss["part"] for loss in document["losses"]} == {"assumed", "explanation"}
    _, again = run_json(capsys, "import", "auto", quiz, "--into", tmp_path / "bank")
    assert again["written"] == []
    assert again["already_there"] == [{"id": "outbox", "same_as": "outbox"}]


def test_a_dry_run_writes_nothing(tmp_path, quiz, capsys):
    code, document = run_json(capsys, "import", "gift", quiz, "--into", tmp_path / "bank", "--dry-run")
    assert (code, document["written"]) == (1, [])
    assert [entry["id"] for entry in document["not_written"]] == ["outbox"]
    assert not (tmp_path / "bank").exists()


def test_near_duplicates_are_shown_and_taken_on_demand(tmp_path, stored, question, capsys):
    close = question(
        id="close-one", prompt="Two writers read the same row and both write. What keeps both of them?"
    )
    file = tmp_path / "bank.zip"
    file.write_bytes(FORMATS["archive"].write([close]).data)
    assert main(["import", "archive", str(file), "--into", str(stored)]) == 1
    out = capsys.readouterr().out
    assert "`close-one` is nearly the same as `lost-update`" in out
    assert "new   | Two writers read the same row and both write. What keeps both of them?" in out
    assert "there | Two writers read the same row and both write. What keeps both changes?" in out
    code, document = run_json(capsys, "import", "archive", file, "--into", stored, "--take", "close-one")
    assert (code, document["near_duplicates"]) == (0, [])
    assert set(load(stored).questions) == {"close-one", "lost-update"}


@pytest.mark.parametrize("name", [each for each, found in FORMATS.items() if found.can_export])
def test_every_format_exports_a_bank(name, tmp_path, stored, capsys):
    file = tmp_path / f"out{FORMATS[name].extensions[0]}"
    code, document = run_json(capsys, "export", name, stored, file)
    assert (code, document["written"], document["left_behind"]) == (0, ["lost-update"], [])
    assert file.read_bytes() == FORMATS[name].write(list(load(stored).questions.values())).data


def test_export_names_what_stays_behind(tmp_path, stored, question, capsys):
    (stored / "row-locks" / "how-many.md").write_text(
        write(question(id="how-many", kind="numeric", prompt="How many?"))
    )
    assert main(["export", "aiken", str(stored), str(tmp_path / "out.txt")]) == 1
    out = capsys.readouterr().out
    assert "how-many: question: It stays behind: Aiken can't hold a question of kind `numeric`." in out
    assert "1 questions in" in out


def test_export_can_be_narrowed(tmp_path, stored, question, capsys):
    (stored / "row-locks" / "other-one.md").write_text(
        write(question(id="other-one", topics="[row-locks, acid]"))
    )
    _, document = run_json(capsys, "export", "csv", stored, tmp_path / "x.csv", "--topic", "acid")
    assert document["written"] == ["other-one"]
    _, document = run_json(capsys, "export", "csv", stored, tmp_path / "x.csv", "--module", "nothing")
    assert document["written"] == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["import", "gift", "missing.gift", "--into", "x"], "can't be read"),
        (["import", "nothing", "x", "--into", "x"], "invalid choice"),
        (["import", "anki", "x", "--into", "x"], "invalid choice"),
        (["export", "csv", "missing", "x.csv"], "there is no folder missing"),
    ],
)
def test_what_makes_no_sense_ends_with_2_and_says_why(arguments, says, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert says in capsys.readouterr().err


def test_a_refused_file_and_a_bad_topic_end_with_2(tmp_path, quiz, capsys):
    for arguments, says in (
        (["import", "moodle-xml", str(quiz), "--into", "x"], "is no XML"),
        (["import", "gift", str(quiz), "--into", "x", "--topic", "../up"], "words in lower case with hyphens"),
        (["export", "csv", str(tmp_path), str(tmp_path / "no" / "x.csv")], "can't be written"),
    ):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code == 2
        assert says in capsys.readouterr().err


@pytest.mark.parametrize(
    "name", [each for each, found in FORMATS.items() if found.can_import and found.can_export]
)
def test_a_format_is_recognised(name, tmp_path, stored, capsys):
    file = tmp_path / "unknown"
    file.write_bytes(FORMATS[name].write(list(load(stored).questions.values())).data)
    _, document = run_json(capsys, "import", "auto", file, "--into", stored)
    assert document["format"] == name
