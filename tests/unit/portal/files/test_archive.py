"""The zip of a workspace: all that is theirs, nothing that is not, and no end of it."""

from __future__ import annotations

import contextlib
import io
import os
import socket
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from portal.files import stream_zip
from portal.files.tree import Kind, walk

MB = 1024 * 1024


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "workspace"
    folder.mkdir()
    return folder


def zipped(root: Path, max_bytes: int = MB, max_files: int = 100) -> zipfile.ZipFile:
    data = b"".join(stream_zip(root, "lab", max_bytes=max_bytes, max_files=max_files))
    archive = zipfile.ZipFile(io.BytesIO(data))
    assert archive.testzip() is None
    return archive


def skipped(archive: zipfile.ZipFile) -> str:
    return archive.read("SKIPPED.txt").decode() if "SKIPPED.txt" in archive.namelist() else ""


def test_files_and_folders_come_back_as_they_were(workspace: Path) -> None:
    (workspace / "notes" / "deep").mkdir(parents=True)
    (workspace / "notes" / "deep" / "a.txt").write_text("hello")
    (workspace / "empty").mkdir()
    (workspace / "lab.ipynb").write_bytes(os.urandom(700_000))
    archive = zipped(workspace)
    assert archive.read("lab/notes/deep/a.txt") == b"hello"
    assert archive.read("lab/lab.ipynb") == (workspace / "lab.ipynb").read_bytes()
    assert "lab/empty/" in archive.namelist()
    assert skipped(archive) == ""


def test_it_is_sent_while_it_is_made(workspace: Path) -> None:
    for number in range(8):
        (workspace / f"{number}.bin").write_bytes(os.urandom(MB))
    chunks: Iterator[bytes] = stream_zip(workspace, "lab", max_bytes=99 * MB, max_files=100)
    assert max(len(chunk) for chunk in chunks) < MB


def test_links_and_special_files_are_left_out_and_listed(workspace: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "key").write_text("the secret key")
    (workspace / "link.txt").symlink_to(secret / "key")
    (workspace / "folder").symlink_to(secret)
    os.mkfifo(workspace / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(workspace / "sock"))
    (workspace / "mine.txt").write_text("mine")
    archive = zipped(workspace)
    assert [name for name in archive.namelist() if name != "SKIPPED.txt"] == ["lab/mine.txt"]
    told = skipped(archive)
    assert all(name in told for name in ("link.txt: a link", "folder: a link", "pipe: a pipe", "sock: a pipe"))
    assert b"the secret key" not in b"".join(archive.read(name) for name in archive.namelist())


def test_a_link_that_takes_a_file_s_place_meanwhile_is_not_followed(workspace: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("the secret key")
    (workspace / "a.txt").write_text("mine")
    going = walk(workspace)
    found = next(going)
    (workspace / "a.txt").unlink()
    (workspace / "a.txt").symlink_to(tmp_path / "secret")
    with pytest.raises(OSError, match="symbolic links"):
        found.open()
    going.close()  # type: ignore[attr-defined]


def test_a_link_that_takes_a_folder_s_place_meanwhile_is_not_followed(workspace: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "key").write_text("the secret key")
    (workspace / "folder").mkdir()
    going = walk(workspace)
    assert next(going).kind is Kind.FOLDER
    (workspace / "folder").rmdir()
    (workspace / "folder").symlink_to(tmp_path / "outside")
    assert [(found.path, found.kind) for found in going] == [("folder", Kind.UNREADABLE)]


def test_a_folder_that_is_swapped_all_the_time_leads_nowhere(workspace: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "key").write_text("the secret key")
    (workspace / "folder").mkdir()
    (workspace / "folder" / "key").write_text("mine")
    done = threading.Event()

    def swap() -> None:
        while not done.is_set():
            (workspace / "folder").rename(workspace / "other")
            (workspace / "folder").symlink_to(outside)
            (workspace / "folder").unlink()
            (workspace / "other").rename(workspace / "folder")

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        for _ in range(150):
            archive = zipped(workspace)
            assert all(b"secret" not in archive.read(name) for name in archive.namelist())
    finally:
        done.set()
        thread.join()


def test_names_are_harmless_wherever_it_is_unpacked(workspace: Path) -> None:
    for name in (b"..\\..\\evil.txt", b"C:evil.txt", b"bell\x07.txt", b"\xff\xfe.txt", b"line\nbreak"):
        Path(os.fsdecode(os.fsencode(workspace) + b"/" + name)).write_text("x")
    names = zipped(workspace).namelist()
    assert len(names) == 5
    for name in names:
        assert name.startswith("lab/")
        assert not set(name) & set("\\:\n\x07")
        name.encode("utf-8")


def test_two_names_that_become_one_stay_two(workspace: Path) -> None:
    (workspace / "a:b").write_text("one")
    (workspace / "a_b").write_text("two")
    archive = zipped(workspace)
    assert sorted(archive.read(name) for name in archive.namelist()) == [b"one", b"two"]


def test_what_is_too_large_is_left_out_and_listed(workspace: Path) -> None:
    with (workspace / "holes.bin").open("wb") as file:
        file.truncate(10**12)
    (workspace / "kept.txt").write_text("kept")
    archive = zipped(workspace)
    assert archive.namelist() == ["lab/kept.txt", "SKIPPED.txt"]
    assert "holes.bin: over the size limit" in skipped(archive)


def test_the_limit_is_on_all_files_together(workspace: Path) -> None:
    for number in range(5):
        (workspace / f"{number}.bin").write_bytes(b"x" * 1000)
    assert len(zipped(workspace, max_bytes=2500).namelist()) == 2 + 1


def test_too_many_files_are_counted_off(workspace: Path) -> None:
    for number in range(30):
        (workspace / f"{number:02}").write_text("x")
    archive = zipped(workspace, max_files=10)
    assert len([n for n in archive.namelist() if n.startswith("lab/")]) == 10
    assert "29: too many files" in skipped(archive)


def test_a_walk_has_an_end(workspace: Path) -> None:
    for number in range(30):
        (workspace / f"{number:02}").write_text("x")
    assert [found.kind for found in walk(workspace, max_entries=10)][-1] is Kind.REST
    deep = workspace
    for _ in range(60):
        deep /= "d"
        deep.mkdir()
    assert any(found.kind is Kind.UNREADABLE for found in walk(workspace))


def test_the_descriptors_are_closed_when_the_reader_leaves(workspace: Path) -> None:
    (workspace / "a" / "b").mkdir(parents=True)
    (workspace / "a" / "b" / "c").write_bytes(os.urandom(MB))
    body = stream_zip(workspace, "lab", max_bytes=9 * MB, max_files=9)
    next(body)
    next(body)
    assert open_below(workspace) != []
    body.close()  # type: ignore[attr-defined]
    assert open_below(workspace) == []


def open_below(folder: Path) -> list[str]:
    """What this process holds open there. What else it has open is others', who may open and close it meanwhile."""
    held = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # no longer open
            held.append(str(descriptor.readlink()))
    return [path for path in held if path.startswith(str(folder))]


def test_an_old_date_is_no_error(workspace: Path) -> None:
    (workspace / "old").write_text("x")
    os.utime(workspace / "old", (0, 0))
    assert zipped(workspace).infolist()[0].date_time == (1980, 1, 1, 0, 0, 0)
