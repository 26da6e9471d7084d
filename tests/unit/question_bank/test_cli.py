"""The command line: exit status, and one JSON document when asked."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from question_bank.cli import main


@pytest.fixture
def root(bank, text, tmp_path: Path) -> Path:
    bank({"row-locks/lost-update.md": text(extra="links: {lab: a-lab}")})
    return tmp_path


def test_lint_of_a_clean_bank_exits_0(root, capsys):
    assert main(["lint", "--root", str(root)]) == 0
    assert "1 questions, 0 faults" in capsys.readouterr().out


def test_lint_prints_faults_with_file_and_line_and_exits_1(root, capsys):
    (root / "row-locks" / "broken.md").write_text("nothing")
    assert main(["lint", "--root", str(root)]) == 1
    assert "row-locks/broken.md:1: " in capsys.readouterr().out


def test_lint_prints_one_json_document(root, capsys, tmp_path):
    known = tmp_path / "known.json"
    known.write_text(json.dumps({"labs": []}))
    assert main(["lint", "--root", str(root), "--known", str(known), "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["questions"] == 1
    assert document["faults"] == [
        {"path": "row-locks/lost-update.md", "line": 8, "message": "There is no lab `a-lab`.", "rule": "links"}
    ]
    assert {guesser["name"] for guesser in document["guessers"]} == {
        "longest option",
        "word overlap with the prompt",
    }


@pytest.mark.parametrize("content", ["[]", '{"labs": 3}', '{"shops": []}', "not json"])
def test_a_broken_list_of_known_ids_exits_2(root, tmp_path, content):
    known = tmp_path / "known.json"
    known.write_text(content)
    with pytest.raises(SystemExit) as stopped:
        main(["lint", "--root", str(root), "--known", str(known)])
    assert stopped.value.code == 2


def test_list_names_the_questions_and_filters_by_module(root, capsys):
    assert main(["list", "--root", str(root), "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["id"], row["path"], row["links"]["lab"]) == ("lost-update", "row-locks/lost-update.md", "a-lab")
    assert main(["list", "--root", str(root), "--module", "other"]) == 0
    assert capsys.readouterr().out == "0 questions\n"


def test_list_says_when_faults_keep_questions_out(root, capsys):
    (root / "broken.md").write_text("nothing")
    assert main(["list", "--root", str(root), "--json"]) == 0
    captured = capsys.readouterr()
    assert len(json.loads(captured.out)) == 1
    assert "1 faults" in captured.err


def test_runs_as_a_module(root):
    command = [sys.executable, "-m", "question_bank", "list", "--root", str(root), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert json.loads(done.stdout)[0]["id"] == "lost-update"
