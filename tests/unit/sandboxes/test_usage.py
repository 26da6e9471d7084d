from __future__ import annotations

import errno
import functools
import os
import time
from pathlib import Path

import pytest

from sandboxes import usage as measuring
from sandboxes.interface import Limits, Usage
from sandboxes.usage import HELD, MEBIBYTE, _Walk, complaint

workspace_usage = functools.partial(measuring.workspace_usage, seconds=60.0)
"""With as much time as a busy machine needs."""


def test_files_folders_and_what_they_take_are_counted(tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "deep" / "er" / "file").write_bytes(b"x" * MEBIBYTE)
    (tmp_path / "empty").touch()
    usage = workspace_usage(tmp_path)
    assert (usage.files, usage.complete) == (4, True)
    assert MEBIBYTE <= usage.bytes < MEBIBYTE + 100_000


def test_a_sparse_file_counts_with_what_it_takes_and_a_linked_one_once(tmp_path: Path) -> None:
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(1 << 40)
    (tmp_path / "one").write_bytes(b"x" * MEBIBYTE)
    for number in range(5):
        os.link(tmp_path / "one", tmp_path / f"name{number}")
    usage = workspace_usage(tmp_path)
    assert usage.files == 7
    assert MEBIBYTE <= usage.bytes < MEBIBYTE + 100_000


def test_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "big").write_bytes(b"x" * MEBIBYTE)
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "folder").symlink_to(tmp_path / "outside")
    (tmp_path / "work" / "loop").symlink_to(tmp_path / "work")
    (tmp_path / "work" / "file").symlink_to(tmp_path / "outside" / "big")
    usage = workspace_usage(tmp_path / "work")
    assert usage.files == 3
    assert usage.bytes < 100_000
    (tmp_path / "link").symlink_to(tmp_path / "outside")
    assert workspace_usage(tmp_path / "link") == Usage(0, 0, complete=False)


def test_no_depth_hides_a_file(tmp_path: Path) -> None:
    """Also beyond the longest path that can be named, and with neighbours on the way that must not be forgotten."""
    levels = HELD + 120
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir("further-down-than-you-would-look", dir_fd=here)
        os.mkdir("neighbour", dir_fd=here)
        below = os.open("further-down-than-you-would-look", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    file = os.open("hidden", os.O_CREAT | os.O_WRONLY, dir_fd=here)
    os.write(file, b"x" * MEBIBYTE)
    os.close(file)
    os.close(here)
    usage = workspace_usage(tmp_path)
    assert open_below(tmp_path) == []
    assert (usage.files, usage.complete, usage.evaded) == (2 * levels + 1, True, False)
    assert usage.bytes >= MEBIBYTE


def open_below(folder: Path) -> list[str]:
    """What this process holds open there."""
    held = []
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            held.append(str(descriptor.readlink()))
        except OSError as error:  # no longer open, or deeper down than can be named
            held.append(f"{folder}/…" if error.errno == errno.ENAMETOOLONG else "")
    return [path for path in held if path.startswith(str(folder))]


def test_a_deep_folder_that_is_moved_meanwhile_leads_the_walk_nowhere(tmp_path: Path) -> None:
    place = tmp_path / "work"
    deep = place.joinpath(*["d"] * (HELD + 5))
    deep.mkdir(parents=True)
    (tmp_path / "neighbour").mkdir()
    walk = _Walk(1 << 40, 1 << 20, time.monotonic() + 60)
    walk.enter(os.open(place, os.O_RDONLY))
    while len(walk.levels) < HELD + 6:
        walk.step()
    deep.parent.rename(place / "moved")
    deep.parent.parent.rename(place / "moved" / "too")
    while walk.levels and not walk.stopped:
        walk.step()
    walk.close()
    assert walk.evaded
    assert walk.files == HELD + 5


def test_a_walk_ends_early_at_each_of_its_bounds(tmp_path: Path) -> None:
    for number in range(50):
        (tmp_path / f"file{number}").write_bytes(b"x" * 10_000)
    few = workspace_usage(tmp_path, max_files=10)
    small = workspace_usage(tmp_path, max_bytes=100_000)
    short = workspace_usage(tmp_path, seconds=-1)
    assert few.files == 11
    assert 100_000 < small.bytes < 150_000
    assert short.files <= 1
    assert not any(usage.complete for usage in (few, small, short))


def test_what_is_not_there_takes_nothing(tmp_path: Path) -> None:
    assert workspace_usage(tmp_path / "missing") == Usage(0, 0)


@pytest.mark.parametrize(
    ("usage", "words"),
    [
        (Usage(10 * MEBIBYTE, 5), ""),
        (Usage(10 * MEBIBYTE + 1, 5), "holds 11 MB of 10 MB: delete files"),
        (Usage(1, 6), "holds 6 files of 5"),
        (Usage(1, 1, complete=False, evaded=True), "moved about"),
    ],
)
def test_the_learner_is_told_what_is_too_much(usage: Usage, words: str) -> None:
    text = complaint(usage, Limits(workspace_mb=10, workspace_files=5))
    assert words in text
    assert bool(text) == bool(words)
