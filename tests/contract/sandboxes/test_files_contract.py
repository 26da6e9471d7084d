"""What every driver promises about the learner's files: read and written without following what the learner planted."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from sandboxes.interface import Sandbox, SandboxError, TooLarge
from tests.contract.sandboxes.notebooks import execute


def test_a_file_is_written_and_read_back(sandbox: Sandbox) -> None:
    data = bytes(range(256)) * 100
    sandbox.write("deep/er/file.bin", data)
    assert sandbox.read("deep/er/file.bin") == data
    sandbox.write("deep/er/file.bin", b"")
    assert sandbox.read("deep/er/file.bin") == b""
    execute(sandbox, "text = open('deep/er/file.bin').read()")
    assert sandbox.value("text") == ""


def test_a_file_larger_than_asked_for_is_refused(sandbox: Sandbox) -> None:
    sandbox.write("ten", b"0123456789")
    assert sandbox.read("ten", max_bytes=10) == b"0123456789"
    with pytest.raises(TooLarge):
        sandbox.read("ten", max_bytes=9)
    with pytest.raises(TooLarge):
        sandbox.write("huge", b"x" * 17_000_000)


@pytest.mark.parametrize(
    "path", ["missing", "", ".", "/etc/passwd", "../outside", "a/../../outside", "ten\0", "x" * 5000]
)
def test_what_is_no_file_of_the_workspace_is_not_found(sandbox: Sandbox, path: str) -> None:
    with pytest.raises(FileNotFoundError):
        sandbox.read(path)


@pytest.mark.parametrize("path", ["/tmp/absolute", "../outside", "a/../../outside", ""])
def test_nothing_is_written_outside_of_the_workspace(sandbox: Sandbox, path: str) -> None:
    with pytest.raises((FileNotFoundError, SandboxError)):
        sandbox.write(path, b"x")


def test_links_are_not_followed(sandbox: Sandbox, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("host")
    execute(
        sandbox,
        f"""
        import os
        os.symlink("/etc/passwd", "passwd")
        os.symlink("/etc", "folder")
        os.symlink({str(secret)!r}, "victim")
        """,
    )
    for path in ("passwd", "folder/passwd", "victim"):
        with pytest.raises(FileNotFoundError):
            sandbox.read(path)
    sandbox.write("victim", b"replaced")
    assert secret.read_text() == "host"
    assert sandbox.read("victim") == b"replaced"
    with pytest.raises(SandboxError):
        sandbox.write("folder/planted", b"x")
    assert not Path("/etc/planted").exists()


def test_special_files_hold_nobody_up(sandbox: Sandbox) -> None:
    execute(sandbox, "import os\nos.mkfifo('pipe')\nos.mkdir('a-folder')")
    began = time.monotonic()
    for path in ("pipe", "a-folder"):
        with pytest.raises(FileNotFoundError):
            sandbox.read(path)
    with pytest.raises(SandboxError):
        sandbox.write("a-folder", b"x")
    sandbox.write("pipe", b"now a file")
    assert sandbox.read("pipe") == b"now a file"
    assert time.monotonic() - began < 100


def test_a_planted_socket_status_or_log_is_not_followed_by_us(sandbox: Sandbox, run_dir: Path) -> None:
    """The folder that both sides see is the learner's to write in: what they plant there must not lead us elsewhere."""
    folder = run_dir / "s" / sandbox.id
    before = sandbox.status()
    kept = {name: folder / f"{name}.kept" for name in ("agent.sock", "status.json", "log")}
    if not (folder / "agent.sock").exists():  # through the tunnel: there is none to replace
        (folder / "agent.sock").touch()
    for name, place in kept.items():
        (folder / name).rename(place)
    try:
        (folder / "agent.sock").symlink_to("/nonexistent/engine.sock")
        (folder / "status.json").symlink_to("/etc/passwd")
        (folder / "log").symlink_to("/etc")
        assert sandbox.run(["echo", "still the agent"]).output == "still the agent\n"
        assert "root" not in sandbox.log()
        assert "root" not in sandbox.status().detail
    finally:
        for name, place in kept.items():
            (folder / name).unlink()
            place.rename(folder / name)
    assert sandbox.status() == before
