"""The command line as people call it: one document on standard output with --json, and words without."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandboxes.cli import main
from sandboxes.drivers.presence import announce
from sandboxes.drivers.processes import start_time
from sandboxes.drivers.run_dir import Record, RunDirectory

NO_ENGINE = {"DOCKER_HOST": "unix:///nonexistent/engine.sock"}
POOL = {
    "total": 4,
    "warm": 1,
    "starting": 1,
    "hits": 9,
    "misses": 3,
    "flavours": [
        {
            "lab": "never-oversell",
            "purpose": "session",
            "image": "base",
            "wanted": 2,
            "warm": 1,
            "starting": 1,
            "hits": 9,
            "misses": 3,
            "oldest_seconds": 61.0,
            "failure": "Postgres did not answer.",
        }
    ],
}


@pytest.fixture
def run_dir() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="pgu-"))
    yield folder
    shutil.rmtree(folder)


def called(*arguments: str, run_dir: Path, **options: object) -> subprocess.CompletedProcess[str]:
    """The command as a process of its own, where there is no engine."""
    command = [sys.executable, "-m", "sandboxes", *arguments, "--run-dir", str(run_dir)]
    environment = {**os.environ, **NO_ENGINE}
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, env=environment, check=False, **options
    )  # type: ignore[call-overload]


def test_where_nothing_runs_the_list_is_empty(run_dir: Path) -> None:
    asked = called("list", "--json", run_dir=run_dir)
    assert asked.returncode == 0, asked.stderr
    document = json.loads(asked.stdout)
    assert document["sandboxes"] == document["remains"] == document["workers"] == []
    assert "install or start Docker" in document["silent_drivers"]["docker"]
    words = called("list", run_dir=run_dir).stdout
    assert words.startswith("No sandbox runs.\n")
    assert "Nothing is known of the driver docker" in words


def test_what_a_crash_left_is_listed_rehearsed_and_removed(run_dir: Path) -> None:
    records = RunDirectory(run_dir)
    records.prepare()
    records.create("lost")
    records.save(Record("lost", "local", "/s/lost/a-secret/", "", pid=1, pid_started="0"))
    assert json.loads(called("list", "--json", run_dir=run_dir).stdout)["remains"] == ["lost"]
    assert "There was nothing to remove." in called("reap", run_dir=run_dir).stdout, "it began just now"
    rehearsal = json.loads(called("reap", "--dry-run", "--grace", "0", "--json", run_dir=run_dir).stdout)
    assert [one["removed"] for one in rehearsal["drivers"]] == [["lost"]]
    assert records.record("lost") is not None
    done = called("reap", "--grace", "0", run_dir=run_dir)
    assert done.returncode == 0, done.stderr
    assert "removed 1" in done.stdout
    assert "a-secret" not in done.stdout
    assert records.record("lost") is None


def test_while_a_worker_lives_the_grace_is_never_short(run_dir: Path) -> None:
    announce(run_dir, "one", "local", time.time())
    document = json.loads(called("reap", "--dry-run", "--grace", "0", "--json", run_dir=run_dir).stdout)
    assert document["grace_seconds"] == 60
    assert [worker["pid"] for worker in document["workers"]] == [os.getpid()]


def test_what_belongs_to_a_worker_that_was_killed_just_now_is_kept(run_dir: Path) -> None:
    announce(run_dir, "one", "local", time.time())
    note = run_dir / "workers" / "one.json"
    document = json.loads(note.read_text())
    namespace, pid, _started = document["identity"].split("/")
    note.write_text(json.dumps({**document, "identity": f"{namespace}/{pid}/1"}))
    records = RunDirectory(run_dir)
    records.create("theirs")
    waits = subprocess.Popen(["sleep", "600"], start_new_session=True)
    try:
        labels = {"instance": "one", "purpose": "session"}
        records.save(
            Record("theirs", "local", "", "", labels=labels, pid=waits.pid, pid_started=start_time(waits.pid))
        )
        time.sleep(1.1)
        kept = json.loads(called("reap", "--grace", "1", "--dry-run", "--json", run_dir=run_dir).stdout)
        assert [one["removed"] for one in kept["drivers"]] == [["theirs"]], "longer ago than the grace"
        kept = json.loads(called("reap", "--grace", "600", "--dry-run", "--json", run_dir=run_dir).stdout)
        assert [(one["removed"], one["kept"]) for one in kept["drivers"]] == [([], ["theirs"])]
    finally:
        waits.kill()
        waits.wait()


def test_ending_everything_needs_a_yes(run_dir: Path) -> None:
    refused = called("reap", "--all", "--json", run_dir=run_dir, stdin=subprocess.DEVNULL)
    assert refused.returncode == 1
    assert refused.stdout == ""
    assert "--yes" in refused.stderr
    assert called("reap", "--all", "--yes", run_dir=run_dir).returncode == 0


@pytest.mark.parametrize("grace", ["-1", "a while", "9999999"])
def test_a_grace_that_makes_no_sense_is_wrong_usage(grace: str) -> None:
    with pytest.raises(SystemExit) as end:
        main(["reap", f"--grace={grace}"])
    assert end.value.code == 2


def test_the_doctor_reports_all_and_fails_only_when_no_driver_is_left(run_dir: Path) -> None:
    examined = called("doctor", "--json", "--instance-dir", str(run_dir), run_dir=run_dir / "run")
    assert examined.returncode == 0, examined.stderr
    document = json.loads(examined.stdout)
    checks = {check["name"]: check for check in document["checks"]}
    assert checks["engine"]["state"] == "problem"
    assert (document["usable_drivers"], document["chosen_driver"]) == (["local"], "local")
    assert sum(document["counts"].values()) == len(document["checks"])
    hopeless = called("doctor", run_dir=run_dir / ("x" * 60))
    assert hopeless.returncode == 1
    assert "No driver can work here" in hopeless.stdout
    assert "Install or start Docker" in " ".join(hopeless.stdout.split())


def test_without_a_worker_there_is_no_pool(run_dir: Path) -> None:
    (run_dir / "pool.json").write_text(json.dumps(POOL))
    asked = called("pool", "--json", run_dir=run_dir)
    assert asked.returncode == 0, asked.stderr
    assert json.loads(asked.stdout) == {"kept": False, "workers": 0, "flavours": []}
    assert "No worker runs" in called("pool", run_dir=run_dir).stdout


def test_the_pool_of_a_living_worker_is_shown(run_dir: Path) -> None:
    announce(run_dir, "one", "docker", time.time() - 5)
    (run_dir / "pool.json").write_text(json.dumps(POOL))
    document = json.loads(called("pool", "--json", run_dir=run_dir).stdout)
    assert document["kept"] is True
    assert document["flavours"] == POOL["flavours"]
    words = " ".join(called("pool", run_dir=run_dir).stdout.split())
    assert "never-oversell session 2 1 1 9 3 1 min Postgres did not answer." in words
    assert "9 of 12 starts were warm (75 %)" in words


def test_a_pool_that_may_keep_nothing_is_none(run_dir: Path) -> None:
    announce(run_dir, "one", "docker", time.time() - 5)
    (run_dir / "pool.json").write_text(json.dumps({**POOL, "total": 0, "flavours": []}))
    assert json.loads(called("pool", "--json", run_dir=run_dir).stdout)["kept"] is False
    assert "POOL_TOTAL" in called("pool", run_dir=run_dir).stdout


def test_the_note_of_a_worker_that_has_ended_is_not_the_living_one_s(run_dir: Path) -> None:
    (run_dir / "pool.json").write_text(json.dumps(POOL))
    os.utime(run_dir / "pool.json", (time.time() - 600,) * 2)
    announce(run_dir, "one", "docker", time.time() - 5)
    assert json.loads(called("pool", "--json", run_dir=run_dir).stdout)["kept"] is False


def test_without_an_engine_a_build_says_what_to_do_and_prints_no_document(run_dir: Path) -> None:
    built = called("build", "--json", run_dir=run_dir)
    assert built.returncode == 1
    assert built.stdout == ""
    assert "install or start Docker" in " ".join(built.stderr.split())


def test_an_unknown_command_is_wrong_usage() -> None:
    with pytest.raises(SystemExit) as end:
        main(["fly"])
    assert end.value.code == 2
