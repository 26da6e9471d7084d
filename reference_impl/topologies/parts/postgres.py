"""PostgreSQL on a port of the loopback, its cluster kept below the platform's data."""

from __future__ import annotations

import importlib.util
import os
import pwd
import re
import shutil
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reference_impl.topologies.parts.base import Part, PartFailed, free_port, launch, password

SUPERUSER = "meridian"
INIT_SECONDS = 120
OPTIONS: Mapping[str, str] = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "300",
    "shared_buffers": "128MB",
    "timezone": "UTC",
    # Compiling a plan costs more than it saves on rows as few as ours.
    "jit": "off",
    "log_min_messages": "warning",
}
LACKING = (
    "PostgreSQL is not installed: install the package postgresql, `pip install pgserver`, "
    "or set MERIDIAN_DATABASE_URL to a server that runs."
)


@dataclass(frozen=True)
class Account:
    """Whom PostgreSQL runs as: nobody special, because it refuses to be root."""

    uid: int
    gid: int


class Postgres(Part):
    """One server for the databases of all services."""

    name = "postgres"
    # Fast shutdown: sessions are ended, the data is complete.
    stop_signal = signal.SIGINT

    def __init__(self, data: Path) -> None:
        super().__init__(data)
        self._port = free_port()
        self._account = unprivileged_account()
        self._password = ""

    def start(self) -> None:
        binaries = find_binaries()
        if binaries is None:
            raise PartFailed(LACKING)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._password = password(self.folder / "password")
        cluster = self.folder.resolve() / "cluster"
        self._check_reach(cluster, binaries)
        if self._account:
            for path in (self.folder, self.folder / "password"):
                os.chown(path, self._account.uid, self._account.gid)
        if not (cluster / "PG_VERSION").exists():
            self._initialise(binaries, cluster)
        arguments: list[str | Path] = [binaries / "postgres", "-D", cluster, "-p", str(self._port)]
        for key, value in OPTIONS.items():
            arguments += ["-c", f"{key}={value}"]
        self.process = launch(arguments, self.log, cwd=self.folder, **self._identity)

    def answers(self) -> bool:
        import psycopg  # only who starts a server of our own needs it here

        try:
            with psycopg.connect(f"{self._url}/postgres", connect_timeout=2):
                return True
        except psycopg.Error:
            return False

    def environment(self) -> Mapping[str, str]:
        return {"MERIDIAN_DATABASE_URL": self._url}

    @property
    def detail(self) -> str:
        return f"127.0.0.1:{self._port}"

    @property
    def _url(self) -> str:
        return f"postgresql://{SUPERUSER}:{self._password}@127.0.0.1:{self._port}"

    @property
    def _identity(self) -> dict[str, Any]:
        account = self._account
        return {"user": account.uid, "group": account.gid, "extra_groups": []} if account else {}

    def _check_reach(self, cluster: Path, binaries: Path) -> None:
        for path in (cluster.parent, binaries / "postgres"):
            if self._account and not _reachable(path, self._account):
                raise PartFailed(
                    f"PostgreSQL can't run as root, and the user it runs as can't reach {path}: start Meridian as another "
                    "user, or choose a --data directory below one that everybody may enter, such as /tmp."
                )

    def _initialise(self, binaries: Path, cluster: Path) -> None:
        half = cluster.with_suffix(".half")  # renamed when it is whole: a start that was cut off begins again
        shutil.rmtree(half, ignore_errors=True)
        arguments = [
            str(binaries / "initdb"), "-D", str(half), "-U", SUPERUSER, "-E", "UTF8", "--locale=C",
            "-A", "scram-sha-256", f"--pwfile={(self.folder / 'password').resolve()}",
        ]  # fmt: skip
        done = subprocess.run(
            arguments, stdin=subprocess.DEVNULL, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            timeout=INIT_SECONDS, cwd=self.folder, env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
            check=False, **self._identity,
        )  # fmt: skip
        if done.returncode != 0:
            raise PartFailed(f"initdb failed: {done.stdout[-1000:].strip()}")
        half.rename(cluster)


def find_binaries() -> Path | None:
    """The folder with `postgres` and `initdb`: the system's newest, else one on PATH, else that of the wheel `pgserver`."""
    system = sorted(
        (path for path in Path("/usr/lib/postgresql").glob("*/bin") if re.fullmatch(r"\d+", path.parent.name)),
        key=lambda path: int(path.parent.name),
        reverse=True,
    )
    on_path = shutil.which("postgres")
    wheel = importlib.util.find_spec("pgserver")
    candidates = [*system, *([Path(on_path).resolve().parent] if on_path else [])]
    if wheel and wheel.origin:
        candidates.append(Path(wheel.origin).parent / "pginstall" / "bin")
    for folder in candidates:
        if all(os.access(folder / tool, os.X_OK) for tool in ("postgres", "initdb")):
            return folder
    return None


def unprivileged_account() -> Account | None:
    """Somebody to run as when we are root; None when we are not."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(found.pw_uid, found.pw_gid)
    return Account(65534, 65534)


def _reachable(path: Path, account: Account) -> bool:
    """Whether the account can pass through every folder above `path`."""
    return all(_may_pass(folder.stat(), account) for folder in path.resolve().parents)


def _may_pass(status: os.stat_result, account: Account) -> bool:
    if status.st_uid == account.uid:
        return bool(status.st_mode & 0o100)
    if status.st_gid == account.gid:
        return bool(status.st_mode & 0o010)
    return bool(status.st_mode & 0o001)
