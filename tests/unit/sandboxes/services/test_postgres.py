"""PostgreSQL from the wheel `pgserver`, as on a machine that has no other."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from sandboxes.services import postgres
from sandboxes.services.base import Account, NotReady, Place, ServiceFailed
from sandboxes.services.postgres import Postgres, find_binaries, reachable, unprivileged_account


@pytest.fixture
def place() -> Iterator[Place]:
    folder = Path(tempfile.mkdtemp(prefix="pgu-"))
    folder.chmod(0o711)
    (folder / "run").mkdir(mode=0o711)
    (folder / "cache").mkdir(mode=0o711)
    yield Place(folder / "run", folder / "run" / "data" / "postgres", folder / "cache", Path("/code"))
    shutil.rmtree(folder)


@pytest.fixture
def only_the_wheel(monkeypatch: pytest.MonkeyPatch) -> Path:
    wheel = Path(postgres.importlib.util.find_spec("pgserver").origin).parent / "pginstall" / "bin"  # type: ignore[union-attr, arg-type]
    monkeypatch.setattr(postgres, "find_binaries", lambda: wheel)
    return wheel


def _serve(service: Postgres) -> subprocess.Popen[bytes]:
    command = service.prepare()
    account = command.account
    identity = {"user": account.uid, "group": account.gid, "extra_groups": []} if account else {}
    return subprocess.Popen(command.arguments, cwd=command.working_dir, stderr=subprocess.DEVNULL, **identity)  # type: ignore[call-overload, no-any-return]


def _wait_for(service: Postgres) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            return service.probe()
        except NotReady:
            assert time.monotonic() < deadline
            time.sleep(0.05)


@pytest.mark.parametrize("in_reach", [True, False], ids=["in reach", "in a closed home"])
def test_the_wheels_binaries_serve_a_database_to_the_learner(
    place: Place, only_the_wheel: Path, monkeypatch: pytest.MonkeyPatch, in_reach: bool
) -> None:
    if not in_reach:
        monkeypatch.setattr(
            postgres,
            "reachable",
            lambda path, account: not path.is_relative_to(only_the_wheel) and reachable(path, account),
        )
    service = Postgres({"database": "shop"}, place)
    process = _serve(service)
    try:
        _wait_for(service)
        service.probe()
        with psycopg.connect(service.environment()["DATABASE_URL"]) as connection:
            connection.execute("CREATE TABLE mine (id integer)")
            assert connection.execute("SELECT current_user::text, current_database()::text").fetchone() == (
                "learner",
                "shop",
            )
    finally:
        process.terminate()
        process.wait(60)
    assert (place.cache_dir / "postgres-binaries").is_dir() is not in_reach


def test_a_second_cluster_is_copied_from_the_first_ones_template(place: Place) -> None:
    Postgres({}, place).prepare()
    [template] = [path for path in place.cache_dir.glob("postgres-*") if (path / "PG_VERSION").is_file()]
    made = template.stat().st_mtime_ns
    second = Place(place.run_dir, place.data_dir.with_name("second"), place.cache_dir, place.code_dir)
    Postgres({}, second).prepare()
    assert template.stat().st_mtime_ns == made
    assert (second.data_dir / "cluster" / "PG_VERSION").is_file()


def test_without_any_binaries_the_operator_is_told_what_to_install(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "find_binaries", lambda: None)
    with pytest.raises(ServiceFailed, match="pip install pgserver"):
        Postgres({}, place).prepare()


def test_binaries_are_found_here() -> None:
    found = find_binaries()
    assert found is not None
    assert (found / "initdb").is_file()


def test_a_closed_folder_above_is_out_of_reach_for_others(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    owner = closed.stat()
    assert not reachable(closed / "postgres", Account(owner.st_uid + 1, owner.st_gid + 1))
    assert reachable(closed / "postgres", None)


def test_nobody_runs_postgres_as_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres.os, "geteuid", lambda: 1000)
    assert unprivileged_account() is None
    monkeypatch.setattr(postgres.os, "geteuid", lambda: 0)
    account = unprivileged_account()
    assert account is not None
    assert account.uid != 0
