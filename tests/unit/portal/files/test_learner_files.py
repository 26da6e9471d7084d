"""Reset and back: at every moment each file is in exactly one place."""

from __future__ import annotations

import errno
import multiprocessing
import os
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from portal.files import LearnerFiles, exchange, learner_files

NOW = datetime(2026, 5, 4, 14, 0, tzinfo=UTC)


@pytest.fixture
def files(tmp_path: Path) -> LearnerFiles:
    return LearnerFiles(tmp_path)


def write(files: LearnerFiles, text: str, user: int = 7, lab: str = "lab") -> None:
    path = files.path(user, lab)
    path.mkdir(parents=True, exist_ok=True)
    (path / "note").write_text(text)


def read(files: LearnerFiles) -> str:
    return (files.path(7, "lab") / "note").read_text()


def test_a_reset_puts_aside_and_a_launch_begins_afresh(files: LearnerFiles) -> None:
    write(files, "mine")
    write(files, "neighbour", user=8)
    assert files.reset(7, "lab", NOW)
    assert not files.exist(7, "lab")
    assert [kept.at for kept in files.kept(7, "lab")] == [NOW]
    assert files.exist(8, "lab")
    assert files.kept(8, "lab") == []


def test_there_may_be_nothing_to_move(files: LearnerFiles) -> None:
    assert not files.reset(7, "lab", NOW)
    assert not files.bring_back(7, "lab", NOW)


def test_bringing_back_gives_the_newest(files: LearnerFiles) -> None:
    for hour, text in enumerate(("first", "second")):
        write(files, text)
        files.reset(7, "lab", NOW + timedelta(hours=hour))
    assert files.bring_back(7, "lab", NOW + timedelta(hours=3))
    assert read(files) == "second"
    assert len(files.kept(7, "lab")) == 1


def test_bringing_back_swaps_so_that_nothing_is_lost(files: LearnerFiles) -> None:
    write(files, "old")
    files.reset(7, "lab", NOW)
    write(files, "new")
    files.bring_back(7, "lab", NOW + timedelta(hours=1))
    assert read(files) == "old"
    files.bring_back(7, "lab", NOW + timedelta(hours=2))
    assert read(files) == "new"


@pytest.fixture(params=["in one step", "in several"])
def swaps(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Whether folders change places in one step here."""
    if request.param == "in several":
        monkeypatch.setattr(learner_files, "exchange", lambda one, other: False)
    elif not _can_exchange(tmp_path):
        pytest.skip("two folders can't change places in one step on this file system")
    return str(request.param)


def _can_exchange(folder: Path) -> bool:
    for name in ("one", "other"):
        (folder / name).mkdir()
    try:
        return exchange.exchange(folder / "one", folder / "other")
    finally:
        for name in ("one", "other"):
            (folder / name).rmdir()


def bring_back_and_die(root: Path, steps: int) -> None:
    """Bring back, and be killed before the step that comes after so many."""
    real, left = (Path.rename, learner_files.exchange), steps

    def step(number: int, *paths: Path) -> Any:
        nonlocal left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return real[number](*paths)

    Path.rename = lambda *paths: step(0, *paths)  # type: ignore[method-assign, assignment]
    learner_files.exchange = lambda *paths: step(1, *paths)
    LearnerFiles(root).bring_back(7, "lab", NOW + timedelta(hours=1))


@pytest.mark.parametrize("steps", range(6))
def test_a_way_back_that_is_cut_short_loses_and_hides_nothing(
    files: LearnerFiles, swaps: str, steps: int
) -> None:
    write(files, "old")
    files.reset(7, "lab", NOW)
    write(files, "new")
    child = multiprocessing.get_context("fork").Process(target=bring_back_and_die, args=(files.root, steps))
    child.start()
    child.join(60)
    whole = 2 if swaps == "in one step" else 5
    assert child.exitcode == (-signal.SIGKILL if steps < whole else 0)
    assert sorted(path.read_text() for path in files.root.rglob("note")) == ["new", "old"]
    if swaps == "in one step":
        assert read(files) == ("new" if steps < whole else "old")

    files.settle(7, "lab", NOW + timedelta(hours=2))
    now, other = (read(files), "old" if read(files) == "new" else "new")
    assert len(files.kept(7, "lab")) == 1
    assert files.bring_back(7, "lab", NOW + timedelta(hours=3))
    assert read(files) == other
    assert files.bring_back(7, "lab", NOW + timedelta(hours=4))
    assert read(files) == now


def test_what_was_swapped_is_kept_as_long_as_if_put_aside_now(files: LearnerFiles, swaps: str) -> None:
    write(files, "old")
    files.reset(7, "lab", NOW - timedelta(days=13))
    write(files, "new")
    files.bring_back(7, "lab", NOW)
    assert [kept.at for kept in files.kept(7, "lab")] == [NOW]
    assert files.prune(NOW + timedelta(days=13), days=14) == 0


def test_a_file_system_that_fails_is_an_error_and_no_answer(tmp_path: Path) -> None:
    with pytest.raises(OSError) as caught:
        exchange.exchange(tmp_path / "nowhere", tmp_path)
    assert caught.value.errno == errno.ENOENT


def test_what_is_old_or_too_many_goes_and_the_rest_stays(files: LearnerFiles) -> None:
    for days in (20, 13, 3, 2, 1):
        write(files, str(days))
        files.reset(7, "lab", NOW - timedelta(days=days))
    write(files, "neighbour", user=8)
    files.reset(8, "lab", NOW - timedelta(days=15))
    write(files, "living")
    assert files.prune(NOW, days=14) == 3
    assert [(NOW - kept.at).days for kept in files.kept(7, "lab")] == [1, 2, 3]
    assert files.kept(8, "lab") == []
    assert read(files) == "living"
    assert not list(files.root.glob(".reset/.removing"))


def test_a_removal_that_was_cut_short_is_finished(files: LearnerFiles) -> None:
    (files.root / ".reset" / ".removing" / "half" / "x").mkdir(parents=True)
    assert files.prune(NOW, days=14) == 0
    assert not (files.root / ".reset" / ".removing").exists()


def test_a_link_among_what_was_kept_is_not_followed(files: LearnerFiles, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("x")
    write(files, "mine")
    (files.path(7, "lab") / "link").symlink_to(outside)
    files.reset(7, "lab", NOW - timedelta(days=20))
    assert files.prune(NOW, days=14) == 1
    assert (outside / "precious").exists()
