from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from sandboxes.agent.workspace import read_file, write_file
from sandboxes.protocol import AgentError, ErrorKind


def test_a_written_file_replaces_and_leaves_nothing_half_done(tmp_path: Path) -> None:
    write_file(tmp_path, "a/b.txt", b"one")
    write_file(tmp_path, "a/b.txt", b"two")
    assert read_file(tmp_path, "./a//b.txt", 10) == b"two"
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b.txt"]
    assert stat.S_IMODE((tmp_path / "a" / "b.txt").stat().st_mode) == 0o644


@pytest.mark.parametrize("path", ["", "/", ".", "..", "../x", "a/../x", "/etc/passwd", "a\0b", "a/" * 600])
def test_a_path_that_leads_outside_is_not_found(tmp_path: Path, path: str) -> None:
    for attempt in (lambda: read_file(tmp_path, path, 10), lambda: write_file(tmp_path, path, b"x")):
        with pytest.raises(AgentError) as failure:
            attempt()
        assert failure.value.kind is ErrorKind.NOT_FOUND
    assert list(tmp_path.iterdir()) == []


def test_a_link_is_neither_read_nor_written_through(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    root = tmp_path / "root"
    root.mkdir()
    (root / "folder").symlink_to(outside)
    (root / "file").symlink_to(outside / "secret")
    for path in ("folder/secret", "file"):
        with pytest.raises(AgentError):
            read_file(root, path, 100)
    with pytest.raises(AgentError):
        write_file(root, "folder/secret", b"changed")
    write_file(root, "file", b"changed")
    assert (outside / "secret").read_text() == "secret"
    assert not (root / "file").is_symlink()


def test_special_files_and_folders_are_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for path in ("pipe", "folder"):
        with pytest.raises(AgentError) as failure:
            read_file(tmp_path, path, 10)
        assert failure.value.kind is ErrorKind.NOT_FOUND


def test_a_file_that_is_larger_than_asked_for_is_too_large(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    assert read_file(tmp_path, "file", 5) == b"12345"
    with pytest.raises(AgentError) as failure:
        read_file(tmp_path, "file", 4)
    assert failure.value.kind is ErrorKind.TOO_LARGE
