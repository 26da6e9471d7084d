"""Go in a notebook: files of a module, and what the toolchain says."""

from __future__ import annotations

import os
import stat
import subprocess
import time
from pathlib import Path

import pytest
from labkit import golang

TOOL = """#!/bin/sh
case "$0 $*" in
*gofmt*broken.go) echo "broken.go:1:1: expected 'package'" >&2; exit 2 ;;
*gofmt*) exit 0 ;;
*"go vet"*) echo "vet: $2" ;;
*"go many"*) seq 100 ;;
*"go where"*) echo "$PWD/race/main.go:15" ;;
*"go -race"*) echo 'cgo: C compiler "gcc" not found' >&2; exit 1 ;;
*"go forever"*) echo begun; : > begun; exec sleep 600 ;;
*) echo "$*|$GOPROXY|$CGO_ENABLED|$GOMAXPROCS"; exit 3 ;;
esac
"""


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A notebook's folder, and a toolchain that only says what it was asked for."""
    folder = tmp_path / "tools"
    folder.mkdir()
    for name in ("go", "gofmt"):
        (folder / name).write_text(TOOL)
        (folder / name).chmod(0o755)
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path / "notebooks")
    monkeypatch.setenv("LAB_SLUG", "a-lab")
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(golang.sys, "executable", str(folder / "python"))
    monkeypatch.setattr(golang.checkout, "checkout", lambda: None)
    for name in ("GOPROXY", "CGO_ENABLED", "GOFLAGS"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "notebooks" / "a-lab"


def test_a_cell_is_written_and_vetted(tools: Path, capsys: pytest.CaptureFixture[str]) -> None:
    golang.write(" pool/pool.go", "package pool\n")
    assert (tools / "pool" / "pool.go").read_text() == "package pool\n"
    assert (tools / "go.mod").read_text().startswith("module lab\n")
    assert capsys.readouterr().out == "vet: ./pool\n"


def test_what_gofmt_can_not_read_is_not_vetted(tools: Path, capsys: pytest.CaptureFixture[str]) -> None:
    golang.write("broken.go", "pakage x\n")
    assert capsys.readouterr().out == "broken.go:1:1: expected 'package'\n"


def test_a_task_that_is_not_begun_says_so_as_python_does(tools: Path) -> None:
    source = 'package pool\n\nfunc Map() {\n\tpanic("not implemented: task bounded-pool")\n}\n'
    with pytest.raises(NotImplementedError, match="task bounded-pool") as raised:
        golang.write("pool/pool.go", source)
    assert len(raised.value._render_traceback_()) == 1  # type: ignore[attr-defined]
    assert (tools / "pool" / "pool.go").read_text() == source


@pytest.mark.parametrize("name", ["", "../pool.go", "/tmp/pool.go", "pool", "pool/../../x.go", "a b.go"])
def test_only_files_of_the_module_are_written(tools: Path, name: str) -> None:
    with pytest.raises(golang.GoError, match="not the name of a Go file"):
        golang.write(name, "package pool\n")


def test_the_command_fetches_nothing_and_gets_the_variables(
    tools: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    golang.go("run", "./leak", GOMAXPROCS="4")
    assert capsys.readouterr().out == "run ./leak|off|1|4\n"


def test_paths_are_told_from_the_folder(tools: Path, capsys: pytest.CaptureFixture[str]) -> None:
    golang.go("where")
    assert capsys.readouterr().out == "race/main.go:15\n"


def test_of_much_output_the_beginning_is_shown(tools: Path, capsys: pytest.CaptureFixture[str]) -> None:
    golang.go("many", lines=2)
    assert capsys.readouterr().out == "1\n2\n… 98 more lines\n"


def test_without_a_c_compiler_it_says_what_to_install(tools: Path, capsys: pytest.CaptureFixture[str]) -> None:
    golang.go("-race")
    assert "apt install gcc" in capsys.readouterr().out


def test_what_never_ends_is_ended(
    tools: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Begun(subprocess.Popen[bytes]):
        """A process whose time is counted once it has said something."""

        def wait(self, timeout: float | None = None) -> int:
            deadline = time.monotonic() + 60
            while not (tools / "begun").exists():
                assert time.monotonic() < deadline
                time.sleep(0.01)
            return super().wait(timeout)

    monkeypatch.setattr(golang.subprocess, "Popen", Begun)
    golang.go("forever", timeout=0.5)
    assert capsys.readouterr().out == "begun\nEnded after 0.5 s: it was still running.\n"


def test_without_the_toolchain_it_says_what_to_do(tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    for path in (tools.parent.parent / "tools").iterdir():
        path.chmod(stat.S_IRUSR)
        path.unlink()
    with pytest.raises(golang.GoError, match="make services"):
        golang.go("version")
