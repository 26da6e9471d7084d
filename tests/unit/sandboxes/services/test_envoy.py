from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest

from sandboxes.services.base import Place
from sandboxes.services.envoy import Envoy, runner
from sandboxes.services.envoy.runner import main, state_of, tell_changes


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """The configuration's folder and the one that Envoy watches."""
    for name in ("config", "changes"):
        (tmp_path / name).mkdir()
    return tmp_path / "config", tmp_path / "changes"


def test_a_change_in_place_is_seen_and_told_once(
    folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    config, changes = folders
    (config / "routes.yaml").write_text("one")
    monkeypatch.setattr(runner, "LOOK_SECONDS", 0.1)
    looked: list[Path] = []

    def look(folder: Path) -> object:
        found = state_of(folder)
        looked.append(folder)
        return found

    monkeypatch.setattr(runner, "state_of", look)
    marks: list[Path] = []
    monkeypatch.setattr(runner, "mark", marks.append)

    async def until(count: int) -> None:
        async with asyncio.timeout(60):
            while len(marks) < count:
                await asyncio.sleep(0.01)
        seen = len(looked)
        async with asyncio.timeout(60):
            while len(looked) < seen + 4:
                await asyncio.sleep(0.01)
        assert len(marks) == count

    async def scenario() -> None:
        telling = asyncio.create_task(tell_changes(config, changes))
        try:
            await until(0)
            (config / "routes.yaml").write_text("another")
            await until(1)
            (config / "more.yaml").write_text("more")
            await until(2)
            (config / "more.yaml").unlink()
            await until(3)
        finally:
            telling.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await telling

    asyncio.run(scenario())
    assert set(marks) == {changes}


def test_a_mark_is_moved_into_the_folder(folders: tuple[Path, Path]) -> None:
    _, changes = folders
    runner.mark(changes)
    first = (changes / "mark").stat().st_ino
    runner.mark(changes)
    assert (changes / "mark").stat().st_ino != first
    assert [path.name for path in changes.iterdir()] == ["mark"]


def test_only_so_many_files_are_looked_at(folders: tuple[Path, Path]) -> None:
    config, _ = folders
    for number in range(runner.MOST_FILES + 20):
        (config / str(number)).touch()
    (config / "0").unlink()
    (config / "0").symlink_to("/nonexistent")
    assert len(state_of(config)) == runner.MOST_FILES
    assert state_of(config / "missing") == frozenset()


@pytest.mark.parametrize(
    "arguments", [[], ["s", "1", "c", "w", "l", "--"], ["s", "x", "c", "w", "l", "--", "true"]]
)
def test_arguments_that_make_no_sense_are_refused(arguments: list[str]) -> None:
    assert main(arguments) == 2


def test_the_bootstrap_bounds_envoy_and_names_the_learners_files(tmp_path: Path) -> None:
    envoy = Envoy({}, Place(tmp_path, tmp_path / "data", tmp_path / "cache", Path("/code")))
    bootstrap = envoy.bootstrap()
    sources = bootstrap["dynamic_resources"]
    folder = Path(envoy.environment()["ENVOY_CONFIG_DIR"])
    assert sources["cds_config"]["path_config_source"]["path"] == str(folder / "clusters.yaml")
    assert sources["lds_config"]["path_config_source"]["path"] == str(folder / "listeners.yaml")
    assert bootstrap["admin"]["address"]["socket_address"]["address"] == "127.0.0.1"
    actions = {action["name"]: action["triggers"] for action in bootstrap["overload_manager"]["actions"]}
    assert "envoy.overload_actions.stop_accepting_requests" in actions
