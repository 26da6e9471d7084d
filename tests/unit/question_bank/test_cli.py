"""The command line: exit status, and one JSON document when asked."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from question_bank import KINDS, load
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
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=True)
    assert json.loads(done.stdout)[0]["id"] == "lost-update"


def test_new_writes_a_file_that_lints_clean_but_for_placeholders(tmp_path, capsys):
    arguments = [
        "new",
        "ordering",
        "blue-green",
        "--topic",
        "rollouts",
        "--module",
        "delivery",
        "--root",
        str(tmp_path),
    ]
    assert main(arguments) == 0
    path = tmp_path / "rollouts" / "blue-green.md"
    assert str(path) in capsys.readouterr().out
    assert "id: blue-green\nkind: ordering\nmodule: delivery\ntopics: [rollouts]" in path.read_text()
    assert main(["lint", "--root", str(tmp_path), "--json"]) == 1
    assert {fault["rule"] for fault in json.loads(capsys.readouterr().out)["faults"]} == {"placeholder"}


@pytest.mark.parametrize(
    "arguments",
    [["riddle"], ["single", "Not An Id"], ["single", "lost-update"], ["single", "an-id", "--topic", "../up"]],
)
def test_new_refuses_unknown_kinds_odd_names_and_taken_ids(root, arguments, capsys):
    before = sorted(root.rglob("*"))
    with pytest.raises(SystemExit) as stopped:
        main(["new", *arguments, "--root", str(root)])
    assert stopped.value.code == 2
    assert sorted(root.rglob("*")) == before


def test_preview_shows_what_a_learner_sees_and_the_answer_only_when_asked(root, capsys):
    path = str(root / "row-locks" / "lost-update.md")
    assert main(["preview", path, "--seed", "7"]) == 0
    shown = capsys.readouterr().out
    assert "seed 7" in shown
    assert "Check the version" in shown
    assert "accepted on unchanged data" not in shown
    assert main(["preview", path, "--solved"]) == 0
    assert "accepted on unchanged data" in capsys.readouterr().out


def test_preview_as_a_page_has_every_seed_and_no_markup_of_the_author(root, text, capsys):
    path = root / "row-locks" / "hostile.md"
    path.write_text(text(id="hostile", prompt="<script>alert(1)</script> A <b onclick='x'>prompt</b>?"))
    assert main(["preview", str(path), "--html", "--seed", "1", "--seed", "2"]) == 0
    page = capsys.readouterr().out
    assert page.count("<h1>hostile</h1>") == 2
    assert "<script" not in page
    assert "onclick" not in page


def test_preview_of_a_broken_file_says_what_is_wrong(root, capsys):
    path = root / "broken.md"
    path.write_text("nothing")
    assert main(["preview", str(path)]) == 1
    assert "broken.md:1: " in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["preview", str(root / "missing.md")])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("html", [[], ["--html"]])
def test_every_kind_has_a_preview(kind, html, tmp_path, capsys):
    main(["new", kind, "one", "--root", str(tmp_path)])
    assert main(["preview", str(tmp_path / "topic-id" / "one.md"), *html, "--solved"]) == 0
    shown = capsys.readouterr().out
    assert "Explanation" in shown
    assert "[[?" not in shown


def test_stats_count_by_module_kind_difficulty_and_level(bank, text, tmp_path, capsys):
    bank(
        {
            "row-locks/one.md": text(id="one", extra="links: {lab: a-lab, code: [src/a.py]}\nscenario: true\n"),
            "row-locks/two.md": text(
                id="two", kind="numeric", extra="level: staff\n", prompt="How many ms does it take?"
            ),
            "row-locks/three.md": text(
                id="three",
                extra="parameters: {n: {from: 1, to: 9}}\n",
                prompt="Of {{n}} writers, which is right?",
            ),
        }
    )
    assert main(["stats", "--root", str(tmp_path), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    total = document["total"]
    assert (total["questions"], total["kinds"]) == (3, {"single": 2, "numeric": 1})
    assert total["levels"] == {"senior": 2, "staff": 1}
    flags = {"scenario": 1, "parameterised": 1, "calculated": 2, "lab": 1, "code": 1, "linked": 1}
    assert total["flags"] == flags
    assert document["modules"]["transactions"] == total
    cell = {"kind": "numeric", "module": "transactions", "difficulty": 2, "level": "staff", "questions": 1}
    assert cell in document["cells"]
    assert sum(cell["questions"] for cell in document["cells"]) == 3
    assert len(document["guessers"]) == 2
    assert main(["stats", "--root", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split()[:4] == ["transactions", "3", "2", "·"]
    assert lines[2].startswith("all ")
    assert lines[3].startswith("guesser by")


def test_verify_runs_the_solutions_of_code_questions(tmp_path, capsys):
    main(["new", "code", "one", "--root", str(tmp_path)])
    assert main(["verify", "--root", str(tmp_path)]) == 0
    path = tmp_path / "topic-id" / "one.md"
    path.write_text(path.read_text().replace("return sum(numbers)", "return len(numbers)"))
    capsys.readouterr()
    assert main(["verify", str(path)]) == 1
    captured = capsys.readouterr()
    assert "one.md:" in captured.err
    assert "asked for is '6'" in captured.err
    assert "1 questions, 2 faults" in captured.out


def test_arrange_rewrites_the_files_and_then_has_nothing_to_do(bank, text, tmp_path, capsys):
    loaded = bank({f"row-locks/q-{n}.md": text(id=f"q-{n}", kind="multiple") for n in range(4)})
    before = {question.id: set(question.options) for question in loaded.questions.values()}
    assert main(["arrange", "--root", str(tmp_path)]) == 0
    assert "0 rearranged" not in capsys.readouterr().out
    assert {question.id: set(question.options) for question in load(tmp_path).questions.values()} == before
    assert main(["arrange", "--root", str(tmp_path)]) == 0
    assert "4 questions, 0 rearranged" in capsys.readouterr().out
