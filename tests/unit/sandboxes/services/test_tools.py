"""Services without a process, and those that need programs."""

from __future__ import annotations

import sys
from pathlib import Path
from unittest.mock import Mock

import pytest

from sandboxes.services import SERVICES
from sandboxes.services.base import Place, ServiceFailed, find_program, run_tool
from sandboxes.services.terraform import Terraform


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "run", tmp_path / "data" / "tool", tmp_path / "cache", Path("/code"))


@pytest.fixture
def no_programs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine on which nothing is installed."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))


@pytest.mark.usefixtures("no_programs")
@pytest.mark.parametrize(("name", "words"), [("terraform", "image cloud"), ("go", "make services")])
def test_a_missing_program_is_told_with_what_to_do(place: Place, name: str, words: str) -> None:
    tool = SERVICES[name]({}, place)
    assert tool.prepare() is None
    with pytest.raises(ServiceFailed, match=words):
        tool.probe()


@pytest.mark.usefixtures("no_programs")
@pytest.mark.parametrize(("name", "package"), [("envoy", "envoy"), ("aws", "moto")])
def test_a_missing_package_is_told_with_what_to_do(
    place: Place, monkeypatch: pytest.MonkeyPatch, name: str, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ServiceFailed, match="run `make services`, or let the lab use the image"):
        SERVICES[name]({}, place).prepare()


def test_tools_have_no_endpoint() -> None:
    for name in ("terraform", "go"):
        assert SERVICES[name].sockets == ()
        with pytest.raises(KeyError):
            SERVICES[name].endpoint({}, Path("/doors"))


def test_terraform_never_asks_the_internet_and_keeps_its_state_in_aws_only_with_aws(place: Place) -> None:
    alone = Terraform({}, place)
    alone.prepare()
    assert "filesystem_mirror" in Path(alone.environment()["TF_CLI_CONFIG_FILE"]).read_text()
    assert alone.environment()["CHECKPOINT_DISABLE"] == "1"
    assert "TERRAFORM_BACKEND" not in alone.environment()
    beside = Place(place.run_dir, place.data_dir, place.cache_dir, place.code_dir, {"aws": {}, "terraform": {}})
    with_aws = Terraform({}, beside)
    with_aws.prepare()
    backend = Path(with_aws.environment()["TERRAFORM_BACKEND"])
    assert 'bucket                      = "terraform-state"' in backend.read_text()
    assert backend.stat().st_mode & 0o004


def test_go_shares_the_cache_of_its_user_only_on_this_machine(
    place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    assert "GOCACHE" not in SERVICES["go"]({}, place).environment(), "a container keeps its own"
    place.cache_dir.mkdir()
    assert SERVICES["go"]({}, place).environment()["GOCACHE"] == str(home / ".cache" / "go-build")


def test_without_a_home_to_write_to_go_shares_a_cache_in_the_run_directory(
    place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    place.cache_dir.mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "nowhere"))
    assert SERVICES["go"]({}, place).environment()["GOCACHE"] == str(place.cache_dir / "go-build")
    monkeypatch.setattr(Path, "home", Mock(side_effect=RuntimeError("no home")))
    assert SERVICES["go"]({}, place).environment()["GOCACHE"] == str(place.cache_dir / "go-build")


def test_the_program_beside_our_python_comes_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for folder in ("venv", "system"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "abacus").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "system"))
    assert find_program("abacus") == str(tmp_path / "system" / "abacus")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "venv" / "python"))
    assert find_program("abacus") == str(tmp_path / "venv" / "abacus")


def test_a_tool_that_fails_or_hangs_is_reported_with_its_words() -> None:
    with pytest.raises(ServiceFailed, match="failed: no such luck"):
        run_tool([sys.executable, "-c", "print('no such luck'); raise SystemExit(3)"], {}, 60)
    with pytest.raises(ServiceFailed, match="could not run"):
        run_tool([sys.executable, "-c", "import time; time.sleep(60)"], {}, 0.2)
    with pytest.raises(ServiceFailed, match="could not run"):
        run_tool(["/nonexistent/abacus"], {}, 1)
