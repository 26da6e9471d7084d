"""PostgreSQL on a Unix socket, its cluster copied from one that was initialised once."""

from __future__ import annotations

import fcntl
import importlib.util
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from sandboxes.interface import Endpoint
from sandboxes.services.base import Account, Command, NotReady, Place, Service, ServiceFailed

if TYPE_CHECKING:
    import psycopg

FOLDER = "postgres"
ROLE = "learner"
SUPERUSER = "postgres"
DEFAULT_DATABASE = "learner"
INSTALL_SECONDS = 60.0
ACCESS_FILE = "pg_hba.conf"
OPEN_ACCESS = "local all all trust\n"
"""While it is set up, before there is any code of the learner's."""
CLOSED_ACCESS = f"local all {ROLE} trust\n"
"""From then on: the superuser, who can read files and run programs, is nobody any more."""

SETTINGS: Mapping[str, str] = {
    "listen_addresses": "",
    # Who may come is decided by the folders above the socket, and then by `CLOSED_ACCESS`.
    "unix_socket_permissions": "0777",
    "max_connections": "100",
    "shared_buffers": "32MB",
    "max_wal_size": "64MB",
    # The cluster is thrown away with the sandbox: nothing in it has to survive a power cut.
    "fsync": "off",
    "full_page_writes": "off",
    # Compiling a plan costs more than it saves on a lab's few rows.
    "jit": "off",
    "autovacuum_naptime": "10s",
    "log_min_messages": "warning",
    "log_destination": "stderr",
    "timezone": "UTC",
}


def find_binaries() -> Path | None:
    """The folder with `postgres` and `initdb`: the system's newest, else one on PATH, else that of the wheel `pgserver`."""
    versions = sorted(
        (path for path in Path("/usr/lib/postgresql").glob("*/bin") if path.parent.name.isdigit()),
        key=lambda path: int(path.parent.name),
        reverse=True,
    )
    on_path = shutil.which("postgres")
    candidates = [*versions, *([Path(on_path).resolve().parent] if on_path else [])]
    # Not imported: that would load its dependencies only to learn a folder.
    wheel = importlib.util.find_spec("pgserver")
    if wheel and wheel.origin:
        candidates.append(Path(wheel.origin).parent / "pginstall" / "bin")
    for folder in candidates:
        if all(os.access(folder / tool, os.X_OK) for tool in ("postgres", "initdb")):
            return folder
    return None


def unprivileged_account() -> Account | None:
    """Whom PostgreSQL runs as: nobody special, because it refuses to be root; None when we are not root."""
    if os.geteuid() != 0:
        return None
    for name in (SUPERUSER, "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid)
    return Account(65534, 65534)


def reachable(path: Path, account: Account | None) -> bool:
    """Whether the account can pass through every folder above `path`."""
    if account is None:
        return True
    return all(_may_pass(folder.stat(), account) for folder in path.resolve().parents)


def _may_pass(status: os.stat_result, account: Account) -> bool:
    if status.st_uid == account.uid:
        return bool(status.st_mode & 0o100)
    if status.st_gid == account.gid:
        return bool(status.st_mode & 0o010)
    return bool(status.st_mode & 0o001)


class Postgres(Service):
    """One cluster with one database, owned by the role `learner`: whoever reaches the socket is that role, without a password."""

    name = "postgres"
    option_names: ClassVar[frozenset[str] | None] = frozenset({"database"})
    sockets = (f"{FOLDER}/.s.PGSQL.5432",)

    def __init__(self, options: Mapping[str, str], place: Place) -> None:
        super().__init__(options, place)
        self._closing = False

    @classmethod
    def check_options(cls, options: Mapping[str, str]) -> None:
        super().check_options(options)
        database = options.get("database", DEFAULT_DATABASE)
        if not re.fullmatch(r"[a-z_][a-z0-9_]{0,60}", database):
            raise ValueError(f"{database!r} can't be the name of a database: use small letters, digits and _")

    @classmethod
    def missing(cls) -> str | None:
        if find_binaries() is None:
            return "PostgreSQL is not installed: install the package postgresql, or `pip install pgserver`."
        return None

    @property
    def _database(self) -> str:
        return self.options.get("database", DEFAULT_DATABASE)

    @property
    def _socket_dir(self) -> Path:
        return self.place.run_dir / FOLDER

    def environment(self) -> dict[str, str]:
        folder = str(self._socket_dir)
        return {
            "DATABASE_URL": f"postgresql://{ROLE}@/{self._database}?host={folder}",
            "PGHOST": folder,
            "PGUSER": ROLE,
            "PGDATABASE": self._database,
        }

    def prepare(self) -> Command:
        account = unprivileged_account()
        binaries = self._usable_binaries(account)
        template = ensure_template(binaries, self.place.cache_dir, account)
        cluster = self.place.data_dir / "cluster"
        self.place.data_dir.mkdir(parents=True, exist_ok=True)
        self._socket_dir.mkdir(exist_ok=True)
        if account:
            os.chown(self._socket_dir, account.uid, account.gid)
            for folder in (self.place.data_dir, self.place.data_dir.parent):
                folder.chmod(0o711)
        subprocess.run(["cp", "-R", "-p", str(template), str(cluster)], check=True, timeout=INSTALL_SECONDS)
        cluster.chmod(0o700)
        (cluster / ACCESS_FILE).write_text(OPEN_ACCESS, encoding="ascii")
        arguments = [str(binaries / "postgres"), "-D", str(cluster), "-k", str(self._socket_dir)]
        for key, value in SETTINGS.items():
            arguments += ["-c", f"{key}={value}"]
        return Command(
            arguments=arguments,
            working_dir=cluster,
            account=account,
            # Immediate shutdown: the data is thrown away, and shared memory is still released.
            stop_signal=signal.SIGQUIT,
        )

    def probe(self) -> None:
        import psycopg  # not at the top: drivers import this module only to learn endpoints

        try:
            self._set_up()
            with self._connect(ROLE, self._database):
                pass
        except psycopg.Error as error:
            raise NotReady(str(error).strip()) from error

    def _set_up(self) -> None:
        """Make the learner's database and close the superuser's access, once. Raises NotReady, psycopg.Error."""
        import psycopg

        try:
            connection = self._connect(SUPERUSER, "postgres")
        except psycopg.OperationalError as error:
            if self._closing and "pg_hba.conf" in str(error):
                return
            raise
        with connection:
            known = connection.execute(
                "SELECT 1 FROM pg_database WHERE datname = %s", [self._database]
            ).fetchone()
            if not known:
                statement = psycopg.sql.SQL("CREATE DATABASE {} OWNER {}")
                names = psycopg.sql.Identifier(self._database), psycopg.sql.Identifier(ROLE)
                connection.execute(statement.format(*names))
            (self.place.data_dir / "cluster" / ACCESS_FILE).write_text(CLOSED_ACCESS, encoding="ascii")
            connection.execute("SELECT pg_reload_conf()")
            self._closing = True
        raise NotReady("the superuser's access is being closed")

    def _connect(self, role: str, database: str) -> psycopg.Connection:
        import psycopg

        return psycopg.connect(
            host=str(self._socket_dir), user=role, dbname=database, autocommit=True, connect_timeout=2
        )

    @classmethod
    def endpoint(cls, options: Mapping[str, str], folder: Path) -> Endpoint:
        facts = {"user": ROLE, "dbname": options.get("database", DEFAULT_DATABASE)}
        return Endpoint(cls.name, folder / FOLDER, facts)

    def _usable_binaries(self, account: Account | None) -> Path:
        """Binaries that the account can run: the wheel's are copied when they lie in a home that is closed to others."""
        binaries = find_binaries()
        if binaries is None:
            raise ServiceFailed(
                "PostgreSQL is not installed: install the package postgresql, or `pip install pgserver`."
            )
        if reachable(binaries / "postgres", account):
            return binaries
        # The wheel's programs find their libraries relative to themselves: `pgserver.libs` must stay three levels up.
        package = binaries.parents[1]
        copy = self.place.cache_dir / "postgres-binaries"
        with _locked(self.place.cache_dir):
            if not copy.is_dir():
                half = copy.with_suffix(".half")
                shutil.rmtree(half, ignore_errors=True)
                shutil.copytree(binaries.parent, half / package.name / binaries.parent.name)
                libraries = package.with_name("pgserver.libs")
                if libraries.is_dir():
                    shutil.copytree(libraries, half / libraries.name)
                subprocess.run(["chmod", "-R", "a+rX", str(half)], check=True, timeout=INSTALL_SECONDS)
                half.rename(copy)
        return copy / package.name / binaries.parent.name / "bin"


def ensure_template(binaries: Path, cache_dir: Path, account: Account | None) -> Path:
    """An initialised cluster to copy, made once per cache folder. Raises ServiceFailed."""
    version = subprocess.run(
        [str(binaries / "postgres"), "--version"],
        capture_output=True,
        text=True,
        check=True,
        timeout=INSTALL_SECONDS,
    ).stdout
    template = cache_dir / f"postgres-{re.sub(r'[^0-9.]+', '-', version.split('(')[0]).strip('-.')}"
    if template.is_dir():
        return template
    cache_dir.mkdir(parents=True, exist_ok=True)
    if not reachable(template, account):
        raise ServiceFailed(
            f"PostgreSQL can't run as root, and the user it runs as can't reach {template}: choose a run directory "
            "below a folder that everybody may enter, such as /tmp."
        )
    with _locked(cache_dir):
        if not template.is_dir():
            _make_template(binaries, template, account)
    return template


def _make_template(binaries: Path, template: Path, account: Account | None) -> None:
    """Initialise a cluster with the role `learner` at `template`. Raises ServiceFailed with the tool's words."""
    half = template.with_suffix(".half")
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir(mode=0o700)
    if account:
        os.chown(half, account.uid, account.gid)
    cluster = half / "cluster"
    initdb = [
        str(binaries / "initdb"), "-D", str(cluster), "-U", SUPERUSER, "-A", "trust", "-E", "UTF8",
        "--locale=C", "--no-sync", "--wal-segsize=4",
    ]  # fmt: skip
    single = [str(binaries / "postgres"), "--single", "-D", str(cluster), "-c", "fsync=off", "postgres"]
    _tool(initdb, half, account)
    _tool(single, half, account, stdin=f"CREATE ROLE {ROLE} LOGIN;\n")
    cluster.rename(template)
    half.rmdir()


def _tool(arguments: list[str], folder: Path, account: Account | None, stdin: str = "") -> None:
    identity = {"user": account.uid, "group": account.gid, "extra_groups": []} if account else {}
    environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}
    try:
        done = subprocess.run(
            arguments, cwd=folder, input=stdin, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            timeout=INSTALL_SECONDS, env=environment, **identity,  # type: ignore[call-overload]
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ServiceFailed(f"{Path(arguments[0]).name} could not run: {error}") from error
    if done.returncode != 0:
        raise ServiceFailed(f"{Path(arguments[0]).name} failed: {done.stdout[-1000:].strip()}")


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keep two sandboxes that start at once from making the same thing."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def main() -> int:
    """`python -m sandboxes.services.postgres FOLDER`: make the template cluster there, when an image is built."""
    binaries = find_binaries()
    if binaries is None or len(sys.argv) != 2:
        return 2
    ensure_template(binaries, Path(sys.argv[1]), unprivileged_account())
    return 0


if __name__ == "__main__":
    sys.exit(main())
