"""What runs inside a sandbox for one case of a code question: started anew for each, told all it needs by its arguments.

The worker sends this file's text, so an image needs nothing but Python (and psycopg, for SQL). It runs as the learner's user: a
program can end it, and then the worker gets no answer and gives up the sandbox. What it prints is believed no more than
what a program prints. It knows the input of its own case alone, and never an expected output.

Orders, as JSON: `do` (`run`, `build`, `sql`), `files`, `given`, `seconds`, `contained` (nothing here is anybody else's), limits
(`memory_mb`, `file_mb`, `processes`, `output_bytes`, `error_chars`), and for Go `digest`. The last line of the output is JSON:
`ended` (`well`, `error`, `timeout`, `output`), `output`, `error`, `digest` of a build, `clean` (nothing is left of the program)
and `broken` (why nothing could be run).
"""

from __future__ import annotations

import base64
import contextlib
import ctypes
import hashlib
import json
import os
import resource
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

PR_SET_DUMPABLE = 4
PR_SET_CHILD_SUBREAPER = 36
TICK_SECONDS = 0.02
COUNT_SECONDS = 0.05
END_SECONDS = 5.0
OPEN_FILES = 256
CONNECT_SECONDS = 5
RESET_SECONDS = 10
QUERY_CANCELED = b"57014"
BUILT = "built-program"
"""In the home folder: what was built, kept from case to case and known by its digest."""
SHARED_FOLDERS = ("/tmp", "/dev/shm", "/dev/mqueue")  # noqa: S108 - emptied, and in a container alone
MANY = "The program was stopped: it had more than {} processes."
KILLED = "The program was ended by signal {}: most likely it used too much memory."
CHANGED = "The built program was changed by an earlier run of itself."

Orders = dict[str, Any]
Answer = dict[str, Any]


def main() -> None:
    """Do what the arguments say, leave nothing behind, and print the answer."""
    orders: Orders = json.loads(zlib.decompress(base64.b64decode("".join(sys.argv[1:]))))
    _guard()
    try:
        answer = {"run": run, "build": build, "sql": query}[orders["do"]](orders)
    except Broken as error:
        answer = {"broken": str(error)[:500]}
    answer["clean"] = end_all() and tidy(orders)
    sys.stdout.write("\n" + json.dumps(answer) + "\n")
    sys.stdout.flush()


class Broken(Exception):
    """Nothing could be run, through no fault of the program of this case."""


def _guard() -> None:
    """Orphans come back to us, and what runs as the same user can't look into us."""
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None)
        libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)


# --- programs ---------------------------------------------------------------------------------------------------------


def run(orders: Orders) -> Answer:
    """Run a Python program, or one that was built, in a folder of its own."""
    folder = Path(tempfile.mkdtemp(dir=os.environ["HOME"]))
    files: dict[str, str] = orders["files"]
    if orders.get("digest"):
        program = folder / BUILT
        shutil.copy(_built(), program)
        if _digest(program) != orders["digest"]:
            return {"ended": "error", "output": "", "error": CHANGED}
        command = [str(program)]
    else:
        _write(folder, files)
        command = [
            sys.executable,
            "-s",
            "-E",
            "-B",
            "harness.py" if "harness.py" in files else "solution.py",
        ]
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "LANG": "C.UTF-8",
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "SANDBOX_ID": os.environ.get("SANDBOX_ID", ""),
    }
    return _watched(command, folder, orders["given"], environment, orders, _limited(orders))


def build(orders: Orders) -> Answer:
    """Build the Go files; the answer has the digest of the program, or the compiler's words."""
    folder = Path(tempfile.mkdtemp(dir=os.environ["HOME"]))
    _write(folder, orders["files"])
    target = _built()
    answer = _watched(["go", "build", "-o", str(target), "."], folder, "", dict(os.environ), orders, None)
    if answer["ended"] == "well":
        answer["digest"] = _digest(target)
    return answer


def _built() -> Path:
    return Path(os.environ["HOME"]) / BUILT


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")


def _limited(orders: Orders) -> Callable[[], None]:
    """What the program's process does to itself before the program."""
    memory, file = orders["memory_mb"] << 20, orders["file_mb"] << 20

    def limit() -> None:
        for what, most in (
            (resource.RLIMIT_CORE, 0),
            (resource.RLIMIT_DATA, memory),
            (resource.RLIMIT_FSIZE, file),
            (resource.RLIMIT_NOFILE, OPEN_FILES),
        ):
            with contextlib.suppress(OSError, ValueError):
                resource.setrlimit(what, (most, most))

    return limit


def _watched(
    command: list[str],
    folder: Path,
    given: str,
    environment: dict[str, str],
    orders: Orders,
    prepare: Callable[[], None] | None,
) -> Answer:
    """Run a command until it ends or breaks a limit; afterwards nothing that it started runs."""
    with tempfile.TemporaryFile(dir=folder) as written:
        written.write(given.encode())
        written.seek(0)
        try:
            process = subprocess.Popen(
                command,
                cwd=folder,
                env=environment,
                stdin=written,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
                preexec_fn=prepare,
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise Broken(f"{command[0]} could not be started: {error}") from error
    assert process.stdout is not None
    assert process.stderr is not None
    out, err = _Pipe(process.stdout.fileno()), _Pipe(process.stderr.fileno())
    most = orders["output_bytes"]
    stopped = _until_it_ends(process, (out, err), most, orders["seconds"], orders["processes"])
    end_all(process)
    for pipe in (out, err):
        pipe.drain(most)
    if not stopped and (out.size > most or err.size > most):
        stopped = "output"
    said = err.text(most)
    if stopped == "crowd":
        said = f"{said}\n{MANY.format(orders['processes'])}".strip()
    elif not stopped and process.returncode < 0:
        said = f"{said}\n{KILLED.format(-process.returncode)}".strip()
    ended = {"crowd": "error", "": "error" if process.returncode else "well"}.get(stopped, stopped)
    return {"ended": ended, "output": out.text(most), "error": said[-orders["error_chars"] :]}


def _until_it_ends(
    process: subprocess.Popen[bytes],
    pipes: tuple[_Pipe, _Pipe],
    most: int,
    seconds: float,
    processes: int,
) -> str:
    """Read what comes; why it has to be stopped: `timeout`, `output`, `crowd`, or empty when it ended by itself."""
    deadline = time.monotonic() + seconds
    counted = 0.0
    while process.poll() is None:
        now = time.monotonic()
        if now > deadline:
            return "timeout"
        if now - counted > COUNT_SECONDS:
            counted = now
            if len(descendants()) > processes:
                return "crowd"
        for pipe in _readable(pipes, min(TICK_SECONDS, deadline - now)):
            pipe.read()
            if pipe.size > most:
                return "output"
    return ""


class _Pipe:
    """The reading end of a pipe."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.open = True
        self._held = bytearray()
        os.set_blocking(descriptor, False)

    @property
    def size(self) -> int:
        return len(self._held)

    def read(self) -> bool:
        """Take in what is there; whether there may be more."""
        try:
            data = os.read(self.descriptor, 65_536)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        self._held += data
        self.open = bool(data)
        return self.open

    def drain(self, most: int) -> None:
        """Take in the rest, but not much more than that."""
        while self.open and self.size <= most and self.read():
            pass

    def text(self, most: int) -> str:
        return bytes(self._held[:most]).decode("utf-8", "replace")


def _readable(pipes: Iterable[_Pipe], seconds: float) -> list[_Pipe]:
    waiting = [pipe for pipe in pipes if pipe.open]
    ready, _, _ = select.select([pipe.descriptor for pipe in waiting], [], [], max(0.0, seconds))
    return [pipe for pipe in waiting if pipe.descriptor in ready]


# --- PostgreSQL -------------------------------------------------------------------------------------------------------

EMPTYING = (
    "SET default_transaction_read_only = off",
    "SET statement_timeout = {seconds}",
    "SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity WHERE usename = current_user "
    "AND pid <> pg_backend_pid() AND backend_type = 'client backend'",
    "DROP OWNED BY CURRENT_USER CASCADE",
    "GRANT ALL ON DATABASE {database} TO CURRENT_USER",
    "CREATE SCHEMA IF NOT EXISTS public",
    "ALTER ROLE CURRENT_USER RESET ALL",
    "ALTER ROLE CURRENT_USER IN DATABASE {database} RESET ALL",
    "ALTER DATABASE {database} RESET ALL",
)
"""The role owns the database, but may make none: so everything in it goes, and every setting that statements can leave."""


def query(orders: Orders) -> Answer:
    """Run the harness, the input and the solution in an empty database; the output is the solution's rows."""
    import psycopg

    try:
        _empty_database()
        connection = psycopg.connect("", autocommit=True, connect_timeout=CONNECT_SECONDS)
    except psycopg.Error as error:
        raise Broken(f"the database could not be emptied: {error}") from error
    files: dict[str, str] = orders["files"]
    lines: list[str] = []
    most = orders["output_bytes"]
    with connection:
        connection.execute(f"SET statement_timeout = {int(orders['seconds'] * 1000)}".encode())
        try:
            for text in (files.get("harness.sql", ""), orders["given"]):
                _ask(connection.pgconn, text, orders["seconds"], [], most)
            _ask(connection.pgconn, files["solution.sql"], orders["seconds"], lines, most)
        except TimeoutError:
            return {"ended": "timeout", "output": "", "error": ""}
        except OverflowError:
            return {"ended": "output", "output": "\n".join(lines)[:most], "error": ""}
        except _Refused as error:
            return {"ended": "error", "output": "", "error": str(error)[-orders["error_chars"] :]}
        except psycopg.OperationalError as error:  # the server ended: the statements made it
            return {"ended": "error", "output": "", "error": str(error)[-orders["error_chars"] :]}
        finally:
            connection.pgconn.finish()
    return {"ended": "well", "output": "\n".join(lines), "error": ""}


class _Refused(Exception):
    """A statement failed."""


def _ask(pgconn: Any, text: str, seconds: float, lines: list[str], most: int) -> None:
    """Run statements and add their rows to `lines`, one at a time, so that a large result is never held.

    Raises TimeoutError, OverflowError (too much output), _Refused.
    """
    from psycopg.pq import ExecStatus, error_message

    if not text.strip():
        return
    deadline = time.monotonic() + seconds
    size = sum(len(line) + 1 for line in lines)
    pgconn.send_query(text.encode())
    pgconn.set_single_row_mode()
    while True:
        while pgconn.is_busy():
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            select.select([pgconn.socket], [], [], left)
            pgconn.consume_input()
        result = pgconn.get_result()
        if result is None:
            return
        if result.status in (ExecStatus.SINGLE_TUPLE, ExecStatus.TUPLES_OK):
            for row in range(result.ntuples):
                line = " | ".join(_value(result.get_value(row, c)) for c in range(result.nfields))
                size += len(line) + 1
                lines.append(line)
                if size > most + 1:
                    raise OverflowError
        elif result.status in (ExecStatus.COPY_IN, ExecStatus.COPY_OUT, ExecStatus.COPY_BOTH):
            raise _Refused("COPY from STDIN and to STDOUT can't be used here.")
        elif result.status in (ExecStatus.FATAL_ERROR, ExecStatus.BAD_RESPONSE):
            if result.error_field(67) == QUERY_CANCELED:  # DiagnosticField.SQLSTATE
                raise TimeoutError
            raise _Refused(error_message(result))


def _value(value: bytes | None) -> str:
    return "NULL" if value is None else value.decode("utf-8", "replace")


def _empty_database() -> None:
    """End other connections, and drop and undo all that statements of an earlier case can have made. Raises psycopg.Error."""
    import psycopg
    from psycopg import sql

    with psycopg.connect("", autocommit=True, connect_timeout=CONNECT_SECONDS) as connection:
        names = {
            "database": sql.Identifier(connection.info.dbname),
            "seconds": sql.Literal(RESET_SECONDS * 1000),
        }
        for statement in EMPTYING:
            connection.execute(sql.SQL(statement).format(**names))


# --- leaving nothing --------------------------------------------------------------------------------------------------


def _children(pid: int) -> set[int]:
    found: set[int] = set()
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found.update(int(word) for word in path.read_text().split())
    return found


def descendants() -> set[int]:
    """Every process below this one, those that ended and wait to be collected too; empty where the system does not tell."""
    found: set[int] = set()
    waiting = {os.getpid()}
    while waiting:
        waiting = set().union(*(_children(pid) for pid in waiting)) - found
        found |= waiting
    return found


def end_all(process: subprocess.Popen[bytes] | None = None) -> bool:
    """Kill everything below this process, `process` first; whether nothing is left.

    All are stopped before one is killed: whoever stands still begets no other, and its place in the table stays taken.
    """
    deadline = time.monotonic() + END_SECONDS
    if process is not None:
        _signal_group(process.pid)
    while time.monotonic() < deadline:
        stopped: set[int] = set()
        while (moving := descendants() - stopped) and time.monotonic() < deadline:
            _signal(moving, signal.SIGSTOP)
            stopped |= moving
        _signal(stopped, signal.SIGKILL)
        if process is not None:
            process.poll()
        for pid in _children(os.getpid()) - {process.pid if process else 0}:
            with contextlib.suppress(OSError):
                os.waitpid(pid, os.WNOHANG)
        if not descendants() and (process is None or process.poll() is not None):
            return True
        time.sleep(0.002)
    return False


def _signal(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(OSError):
            os.kill(pid, number)


def _signal_group(pid: int) -> None:
    with contextlib.suppress(OSError):
        os.killpg(pid, signal.SIGKILL)


def tidy(orders: Orders) -> bool:
    """Remove every file that a program may have left, but for what was built; whether that worked."""
    home, workspace = Path(os.environ["HOME"]), Path.cwd()
    keep = {workspace, home / BUILT} if orders.get("digest") or orders["do"] == "build" else {workspace}
    folders = [home, workspace, *(map(Path, SHARED_FOLDERS) if orders["contained"] else ())]
    try:
        for folder in folders:
            for entry in os.scandir(folder) if folder.is_dir() else ():
                path = Path(entry.path)
                if path in keep or (folder not in (home, workspace) and not _own(entry)):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    shutil.rmtree(path, onerror=_again)
                else:
                    path.unlink()
    except (OSError, RecursionError):
        return False
    return True


def _own(entry: os.DirEntry[str]) -> bool:
    return entry.stat(follow_symlinks=False).st_uid == os.geteuid()


def _again(_remove: Callable[..., Any], name: str, _why: object) -> None:
    """A folder that was closed against us is opened, and what lies in it removed. Raises OSError."""
    path = Path(name)
    path.parent.chmod(0o700)
    if path.is_dir() and not path.is_symlink():
        path.chmod(0o700)
        shutil.rmtree(path)
    else:
        path.unlink()


if __name__ == "__main__":
    main()
