"""`python -m roadmap`: what it prints and with which code it ends."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from roadmap.cli import main

if TYPE_CHECKING:
    from tests.unit.roadmap.conftest import ContentFolder


def test_lint_of_sound_content_ends_with_zero(
    content: ContentFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["lint", "--root", str(content.root)]) == 0
    assert (
        capsys.readouterr().out
        == "1 tracks, 2 modules, 3 topics, 2 lessons, 2 activities, 0 plans, 0 terms: no fault\n"
    )


def test_lint_prints_each_fault_with_file_and_line_and_ends_with_one(
    content: ContentFolder, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(content.root.parent)
    content.change("modules/schema.yaml", "hours: 6", "hours: 900")

    assert main(["lint", "--root", str(content.root)]) == 1
    assert "content/modules/schema.yaml:8: hours: " in capsys.readouterr().out


def test_lint_json_is_one_document_and_nothing_else(
    content: ContentFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    content.change("lessons/levels.md", "(/labs/never-oversell)", "(/labs/never-undersell)")

    code = main(["lint", "--json", "--root", str(content.root)])
    document = json.loads(capsys.readouterr().out)

    assert code == 1
    assert document["ok"] is False
    assert document["counts"] == {
        "tracks": 1,
        "modules": 2,
        "topics": 3,
        "lessons": 2,
        "activities": 2,
        "plans": 0,
        "terms": 0,
    }
    assert [(fault["path"], fault["line"]) for fault in document["faults"]] == [
        ("lessons/levels.md", 9),
        ("lessons/levels.md", 13),
    ]


def test_list_names_every_entry(content: ContentFolder, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "--root", str(content.root)]) == 0

    out = capsys.readouterr().out
    for id_ in [
        "databases",
        "schema",
        "transactions",
        "constraints",
        "data-types",
        "isolation-levels",
        "levels",
    ]:
        assert id_ in out


def test_list_json_nests_modules_in_tracks(content: ContentFolder, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "--json", "--root", str(content.root)]) == 0

    (track,) = json.loads(capsys.readouterr().out)["tracks"]
    assert [module["id"] for module in track["modules"]] == ["schema", "transactions"]
    assert [topic["lesson"] for topic in track["modules"][0]["topics"]] == [
        "constraints-first",
        "constraints-first",
    ]
    assert track["modules"][1]["lessons"][0]["minutes"] == 15


def test_a_folder_that_is_not_there_is_wrong_usage(
    content: ContentFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["lint", "--root", str(content.root / "nowhere")])

    assert ended.value.code == 2
    assert "there is no folder" in capsys.readouterr().err


def test_it_runs_as_a_module(content: ContentFolder) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "roadmap", "lint", "--root", str(content.root)],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
