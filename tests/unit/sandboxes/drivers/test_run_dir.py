from __future__ import annotations

import os
import shutil
import socket
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandboxes.drivers.run_dir import Record, RunDirectory
from sandboxes.interface import DriverUnavailable


@pytest.fixture
def run_dir() -> Iterator[RunDirectory]:
    root = Path(tempfile.mkdtemp(prefix="pgu-"))
    directory = RunDirectory(root)
    directory.prepare()
    yield directory
    shutil.rmtree(root)


def _listen(path: Path) -> socket.socket:
    path.parent.mkdir(parents=True, exist_ok=True)
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(path))
    server.listen()
    return server


def test_only_the_owner_may_look_in(run_dir: RunDirectory) -> None:
    run_dir.create("one")
    assert {stat.S_IMODE(path.stat().st_mode) for path in run_dir.root.rglob("*") if path.is_dir()} == {0o700}


@pytest.mark.parametrize("mode", [0o777, 0o770])
def test_a_place_that_others_may_write_to_is_refused(mode: int) -> None:
    root = Path(tempfile.mkdtemp(prefix="pgu-"))
    root.chmod(mode)
    with pytest.raises(DriverUnavailable, match="nobody else"):
        RunDirectory(root).prepare()
    root.rmdir()


def test_a_link_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    link = Path(tempfile.gettempdir()) / f"pgu-link-{os.getpid()}"
    link.symlink_to(tmp_path)
    try:
        with pytest.raises(DriverUnavailable):
            RunDirectory(link).prepare()
    finally:
        link.unlink()


def test_a_name_too_long_for_sockets_is_refused() -> None:
    with pytest.raises(DriverUnavailable, match="too long"):
        RunDirectory(Path("/tmp") / ("x" * 80)).prepare()


@pytest.mark.parametrize("name", ["", "../up", "a/b", "UP", "x" * 30, "-x"])
def test_what_can_not_be_an_id_makes_no_folder(run_dir: RunDirectory, name: str) -> None:
    with pytest.raises(ValueError, match="can't be the id"):
        run_dir.create(name)
    assert run_dir.record(name) is None


def test_an_id_is_taken_once(run_dir: RunDirectory) -> None:
    run_dir.create("one")
    with pytest.raises(ValueError, match="already"):
        run_dir.create("one")


def test_a_door_leads_to_the_socket_that_was_there_whatever_takes_its_name(run_dir: RunDirectory) -> None:
    inside = run_dir.create("one")
    with _listen(inside / "postgres" / ".s.PGSQL.5432") as right, _listen(run_dir.root / "other") as wrong:
        run_dir.open_doors("one", ["postgres/.s.PGSQL.5432"])
        (inside / "postgres" / ".s.PGSQL.5432").unlink()
        (inside / "postgres" / ".s.PGSQL.5432").symlink_to(run_dir.root / "other")
        client = socket.socket(socket.AF_UNIX)
        client.connect(str(run_dir.doors("one") / "postgres" / ".s.PGSQL.5432"))
        right.settimeout(60)
        right.accept()[0].close()
        wrong.settimeout(0.1)
        with pytest.raises(TimeoutError):
            wrong.accept()
        client.close()


def test_a_link_is_no_door(run_dir: RunDirectory) -> None:
    inside = run_dir.create("one")
    with _listen(run_dir.root / "engine.sock"):
        (inside / "agent.sock").symlink_to(run_dir.root / "engine.sock")
        with pytest.raises(OSError, match="not a socket"):
            run_dir.open_doors("one", ["agent.sock"])
        (inside / "postgres").symlink_to(run_dir.root)
        with pytest.raises(OSError, match=r"Not a directory|symbolic"):
            run_dir.open_doors("one", ["postgres/engine.sock"])
    assert [path for path in run_dir.doors("one").rglob("*") if not path.is_dir()] == []


def test_records_come_back_and_nonsense_is_passed_over(run_dir: RunDirectory) -> None:
    record = Record(
        "one",
        "local",
        "/s/one/x/",
        "/w",
        {"postgres": {"database": "shop"}},
        {"a": "b"},
        pid=7,
        pid_started="9",
    )
    run_dir.save(record)
    run_dir.save(Record("two", "docker", "", ""))
    (run_dir.root / "records" / "bad.json").write_text("{")
    assert run_dir.record("one") == record
    assert run_dir.records("local") == [record]
    run_dir.remove("one")
    assert run_dir.record("one") is None


def test_a_status_that_is_no_plain_file_is_nothing(run_dir: RunDirectory) -> None:
    inside = run_dir.create("one")
    (inside / "status.json").symlink_to("/etc/passwd")
    assert run_dir.status("one") is None
    (inside / "status.json").unlink()
    os.mkfifo(inside / "status.json")
    assert run_dir.status("one") is None
    (inside / "status.json").unlink()
    (inside / "status.json").write_text("[" * 100_000)
    assert run_dir.status("one") is None


def test_the_log_holds_the_last_lines_of_each_file_and_follows_no_link(run_dir: RunDirectory) -> None:
    logs = run_dir.create("one") / "log"
    (logs / "agent.log").write_text("\n".join(f"line {number}" for number in range(100)))
    (logs / "planted.log").symlink_to("/etc/passwd")
    assert run_dir.log("one", 2) == "== agent ==\nline 98\nline 99"
    assert run_dir.log("never", 2) == ""
