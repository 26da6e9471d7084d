"""What every driver promises about sandboxes that were started before anybody needed them, and about what a crash leaves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sandboxes.drivers import open_driver
from sandboxes.interface import Driver, Sandbox, SandboxSpec, SandboxState
from sandboxes.unix_http import UnixConnection
from tests.contract.sandboxes.conftest import quiet, until
from tests.contract.sandboxes.notebooks import execute


def blank(folder: Path, **more: object) -> SandboxSpec:
    return replace(SandboxSpec(workspace=folder / "blank", blank=True, labels={"purpose": "pool"}), **more)


@pytest.fixture
def ended(driver: Driver) -> Iterator[list[Sandbox]]:
    """Sandboxes to end after the test."""
    sandboxes: list[Sandbox] = []
    yield sandboxes
    for sandbox in sandboxes:
        sandbox.stop()


def labels_of(driver: Driver, sandbox: Sandbox) -> dict[str, str]:
    return {key: dict(labels) for key, labels in driver.running()}[sandbox.id]


def test_a_blank_sandbox_opens_when_it_is_adopted_and_not_before(
    driver: Driver, run_dir: Path, tmp_path: Path, ended: list[Sandbox]
) -> None:
    sandbox = driver.start(blank(tmp_path), quiet)
    ended.append(sandbox)
    route = run_dir / "routes" / f"{sandbox.id}.json"
    assert not route.exists()
    assert labels_of(driver, sandbox)["purpose"] == "pool"

    workspace = tmp_path / "kept" / "lab"
    (workspace / "data").mkdir(parents=True)
    (workspace / "notes.txt").write_text("from before")
    (workspace / "data" / "deep.txt").write_text("deep")
    sandbox.adopt(workspace, {"purpose": "session"})

    assert json.loads(route.read_text())["id"] == sandbox.id
    assert labels_of(driver, sandbox) == {"purpose": "session"}
    assert sandbox.read("notes.txt") == b"from before"
    assert sandbox.run(["cat", "data/deep.txt"]).output == "deep"
    sandbox.write("answer.txt", b"42")
    assert sandbox.run(["sh", "-c", "echo more >> notes.txt"]).exit_code == 0
    assert (workspace / "answer.txt").read_bytes() == b"42"
    assert (workspace / "notes.txt").read_text() == "from beforemore\n"
    assert not (tmp_path / "blank").exists()
    with pytest.raises(ValueError, match="already"):
        sandbox.adopt(workspace, {})
    found = open_driver(driver.name, run_dir).find(sandbox.id)
    assert found is not None
    assert found.web_path == f"/s/{sandbox.id}/{sandbox.access_token}/"

    sandbox.stop()
    assert (workspace / "answer.txt").exists()
    assert not route.exists()


def test_jupyter_of_an_adopted_sandbox_saves_into_the_workspace(
    driver: Driver, run_dir: Path, tmp_path: Path, ended: list[Sandbox]
) -> None:
    sandbox = driver.start(blank(tmp_path), quiet)
    ended.append(sandbox)
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab" / "there.txt").write_text("hello")
    sandbox.adopt(tmp_path / "lab", {})
    socket = json.loads((run_dir / "routes" / f"{sandbox.id}.json").read_text())["jupyter_socket"]

    def ask(method: str, path: str, body: dict[str, object] | None = None) -> tuple[int, dict[str, object]]:
        connection = UnixConnection(socket, timeout=60)
        try:
            connection.request(method, sandbox.web_path + path, json.dumps(body) if body else None)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or "{}")
        finally:
            connection.close()

    assert ask("GET", "api/contents/there.txt")[1]["content"] == "hello"
    new = {"type": "file", "format": "text", "content": "saved"}
    assert ask("PUT", "api/contents/new.txt", new)[0] == 201
    assert (tmp_path / "lab" / "new.txt").read_text() == "saved"
    before = datetime.now(UTC) - timedelta(minutes=1)
    session = {"path": "lab.ipynb", "type": "notebook", "name": "", "kernel": {"name": "python3"}}
    assert ask("POST", "api/sessions", session)[0] == 201
    # A Jupyter that is busy with the kernel's start may not answer in the seconds that it is given.
    activity = until(sandbox.activity)
    assert activity is not None
    assert before < activity.last <= datetime.now(UTC)
    assert ask("POST", "api/terminals", {})[0] == 200


def test_a_grader_is_adopted_with_its_kernel_and_its_modules_ready(
    driver: Driver, tmp_path: Path, ended: list[Sandbox]
) -> None:
    preload = ("colorsys", "no_such_module_here")
    sandbox = driver.start(blank(tmp_path, jupyter=False, preload=preload), quiet)
    ended.append(sandbox)
    assert sandbox.activity() is None
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "helper.py").write_text("VALUE = 7\n")
    sandbox.adopt(tmp_path / "work", {"purpose": "grading"})
    execute(
        sandbox,
        """
        import sys
        loaded = "colorsys" in sys.modules
        leftover = "preload" in globals() or "names" in globals()
        import helper
        """,
    )
    assert (sandbox.value("loaded"), sandbox.value("leftover")) == (True, False)
    assert sandbox.value("helper.VALUE") == 7


def test_an_adoption_that_was_cut_short_is_finished_by_the_reaper(
    driver: Driver, tmp_path: Path, ended: list[Sandbox], monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox = driver.start(blank(tmp_path, jupyter=False), quiet)
    ended.append(sandbox)
    workspace = tmp_path / "lab"
    workspace.mkdir()
    (workspace / "work.txt").write_text("hours of work")

    class Killed(BaseException):
        pass

    def killed(self: Path, target: Path) -> None:
        raise Killed

    rename = Path.rename
    with monkeypatch.context() as patch:
        # The learner's file has moved; the process dies before the directory is put in its place.
        patch.setattr(
            Path,
            "rename",
            lambda path, to: killed(path, to) if path == tmp_path / "blank" else rename(path, to),
        )
        with pytest.raises(Killed):
            sandbox.adopt(workspace, {})
    assert not workspace.exists()
    sandbox.stop()
    assert sandbox.id not in driver.reap(keep=[key for key, _ in driver.running()])
    assert (workspace / "work.txt").read_text() == "hours of work"
    assert not (tmp_path / "blank").exists()


def test_a_file_system_that_fails_leaves_everything_as_it_was(
    driver: Driver, tmp_path: Path, ended: list[Sandbox], monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox = driver.start(blank(tmp_path, jupyter=False), quiet)
    ended.append(sandbox)
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab" / "work.txt").write_text("mine")
    rename = Path.rename

    def failing(path: Path, target: Path) -> None:
        if path == tmp_path / "blank":
            raise OSError("the disk fails")
        rename(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", failing)
        with pytest.raises(OSError, match="the disk fails"):
            sandbox.adopt(tmp_path / "lab", {})
    assert (tmp_path / "lab" / "work.txt").read_text() == "mine"
    sandbox.adopt(tmp_path / "lab", {})
    assert sandbox.read("work.txt") == b"mine"


def test_the_reaper_ends_what_nobody_keeps_and_removes_what_a_crash_left(
    driver: Driver, run_dir: Path, tmp_path: Path
) -> None:
    kept = driver.start(SandboxSpec(workspace=tmp_path / "kept", jupyter=False), quiet)
    orphan = driver.start(SandboxSpec(workspace=tmp_path / "orphan", jupyter=False), quiet)
    waiting = driver.start(blank(tmp_path, jupyter=False), quiet)
    # Another process takes over: it knows of these by what is on disk and in the engine only.
    other = open_driver(driver.name, run_dir)
    keep = [key for key, _ in other.running() if key not in (orphan.id, waiting.id)]
    for name in ("s", "doors"):
        (run_dir / name / "gone").mkdir()
    for name in ("records", "routes"):
        (run_dir / name / "gone.json").write_text("{}")
    young = set(other.reap(keep, grace_seconds=3600))
    assert not young & {orphan.id, waiting.id, "gone"}
    removed = other.reap(keep)
    assert {orphan.id, waiting.id, "gone"} <= set(removed)
    assert kept.id not in removed
    assert kept.status().state is SandboxState.READY
    assert orphan.status().state is SandboxState.STOPPED
    assert other.find(orphan.id) is None
    assert (tmp_path / "orphan").is_dir()
    assert not (tmp_path / "blank").exists()
    for name in ("s", "doors", "records", "routes"):
        left = {path.name.removesuffix(".json") for path in (run_dir / name).iterdir()}
        assert not left & {orphan.id, waiting.id, "gone"}, name
    kept.stop()
