from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandboxes.cli import main


@pytest.fixture
def no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent/engine.sock")


@pytest.fixture
def run_dir() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="pgu-"))
    yield folder
    shutil.rmtree(folder)


@pytest.mark.usefixtures("no_engine")
def test_where_nothing_runs_the_list_is_empty(run_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "--json", "--run-dir", str(run_dir)]) == 0
    assert json.loads(capsys.readouterr().out) == {"sandboxes": []}
    assert main(["list", "--run-dir", str(run_dir)]) == 0
    assert capsys.readouterr().out == "No sandbox runs.\n"


@pytest.mark.usefixtures("no_engine")
def test_without_an_engine_a_build_says_what_to_do_and_prints_no_document(
    run_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["build", "--json", "--run-dir", str(run_dir)]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert "install or start Docker" in " ".join(told.err.split())


def test_an_unknown_command_is_wrong_usage() -> None:
    with pytest.raises(SystemExit) as end:
        main(["fly"])
    assert end.value.code == 2
