"""A PostgreSQL server that lives as long as the benchmark."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from sandboxes.services.postgres import find_binaries, unprivileged_account

START_SECONDS = 90.0
SETTINGS = (
    "listen_addresses=",
    "shared_buffers=256MB",
    "max_wal_size=4GB",
    "synchronous_commit=off",
    "jit=off",
)


@contextmanager
def scratch_postgres(home: Path) -> Iterator[str]:
    """The SQLAlchemy URL of the database in the folder, an empty one when the folder is new. Its path must be short: that
    of a Unix socket may have about a hundred characters. Raises RuntimeError when there is no server to start.
    """
    binaries = find_binaries()
    if binaries is None:
        raise RuntimeError("There is no PostgreSQL server: apt-get install postgresql, or --database sqlite.")
    account = unprivileged_account()
    home.mkdir(exist_ok=True)
    who: dict[str, Any] = {} if account is None else {"user": account.uid, "group": account.gid}
    if account is not None:
        os.chown(home, account.uid, account.gid)
        home.parent.chmod(home.parent.stat().st_mode | 0o011)  # it must be reached
    if not (home / "data").exists():
        made = subprocess.run(
            [binaries / "initdb", "--pgdata", home / "data", "--username=postgres", "--auth=trust", "--no-sync",
             "--encoding=UTF8", "--locale=C.UTF-8"],
            check=False, capture_output=True, text=True, timeout=300, cwd=home, **who,
        )  # fmt: skip
        if made.returncode:
            raise RuntimeError(f"initdb failed: {made.stderr[-500:]}")
    options = [part for setting in SETTINGS for part in ("-c", setting)]
    with (home / "log").open("wb") as log:
        server = subprocess.Popen(
            [binaries / "postgres", "-D", home / "data", "-k", home, *options],
            stdout=subprocess.DEVNULL, stderr=log, cwd=home, **who,
        )  # fmt: skip
    try:
        _wait(server, home)
        yield f"postgresql+psycopg://postgres@/postgres?host={home}"
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(timeout=60)


def _wait(server: subprocess.Popen[bytes], home: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            psycopg.connect(host=str(home), dbname="postgres", user="postgres", connect_timeout=5).close()
        except psycopg.OperationalError as error:
            if server.poll() is not None or time.monotonic() > deadline:
                log = (home / "log").read_text(errors="replace")[-1000:]
                raise RuntimeError(f"PostgreSQL did not start: {log}") from error
            time.sleep(0.1)
        else:
            return
