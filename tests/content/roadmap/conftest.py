"""A throw-away PostgreSQL server for the SQL that lessons print.

It listens on a Unix socket in a temporary directory only and lives as long as the test session. The server
refuses to run as root, so as root it is started under an unprivileged account.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

START_SECONDS = 30


def find_binaries() -> Path | None:
    """The newest folder that holds `initdb` and `postgres`: below the Debian one, else what PATH leads to."""
    debian = sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name), reverse=True
    )
    on_path = [Path(found).resolve().parent for found in [shutil.which("postgres")] if found]
    return next(
        (path for path in [*debian, *on_path] if (path / "initdb").exists() and (path / "postgres").exists()),
        None,
    )


def unprivileged_user() -> pwd.struct_passwd | None:
    """Who runs the server when we are root; None means ourselves."""
    if os.geteuid() != 0:
        return None
    accounts = {account.pw_name: account for account in pwd.getpwall()}
    return accounts.get("postgres") or accounts.get("nobody") or accounts["daemon"]


@dataclass(frozen=True)
class ScratchServer:
    """A running server and how to reach it."""

    socket_dir: Path
    version: int
    """As in `server_version_num`: 150018 is 15.18."""

    def connect(self, database: str) -> psycopg.Connection[tuple[object, ...]]:
        """A connection in autocommit mode as the superuser."""
        return psycopg.connect(
            host=str(self.socket_dir), dbname=database, user="postgres", autocommit=True, connect_timeout=10
        )

    @contextmanager
    def database(self, name: str) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
        """A new, empty database, gone at the end."""
        with self.connect("postgres") as admin:
            admin.execute(f'CREATE DATABASE "{name}"')
        try:
            with self.connect(name) as connection:
                connection.execute("SET statement_timeout = '60s'")
                yield connection
        finally:
            with self.connect("postgres") as admin:
                admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(scope="session")
def postgres() -> Iterator[ScratchServer]:
    binaries = find_binaries()
    assert binaries is not None, "no PostgreSQL server binaries on PATH or below /usr/lib/postgresql"
    user = unprivileged_user()
    # Directly in /tmp, because the path of a Unix socket may have about a hundred characters.
    home = Path(tempfile.mkdtemp(prefix="lessons-pg-", dir="/tmp"))
    if user is not None:
        os.chown(home, user.pw_uid, user.pw_gid)
    account: dict[str, int] = {} if user is None else {"user": user.pw_uid, "group": user.pw_gid}
    try:
        subprocess.run(
            [
                binaries / "initdb",
                *("--pgdata", home / "data", "--username=postgres", "--auth=trust", "--no-sync"),
                *("--encoding=UTF8", "--locale=C.UTF-8"),
            ],
            check=True,
            capture_output=True,
            timeout=120,
            cwd=home,
            **account,  # type: ignore[arg-type]
        )
        server = subprocess.Popen(
            [
                binaries / "postgres",
                *("-D", home / "data", "-k", home),
                *("-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=40"),
            ],
            stdout=subprocess.DEVNULL,
            stderr=(home / "log").open("wb"),
            cwd=home,
            **account,  # type: ignore[arg-type]
        )
        try:
            yield ScratchServer(home, _wait_until_ready(server, home))
        finally:
            server.terminate()
            server.wait(timeout=30)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _wait_until_ready(server: subprocess.Popen[bytes], home: Path) -> int:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            with psycopg.connect(
                host=str(home), dbname="postgres", user="postgres", connect_timeout=5
            ) as connection:
                return connection.info.server_version
        except psycopg.OperationalError as error:
            if server.poll() is not None or time.monotonic() > deadline:
                log = (home / "log").read_text(errors="replace")[-2000:]
                raise AssertionError(f"PostgreSQL did not start:\n{log}") from error
            time.sleep(0.1)
