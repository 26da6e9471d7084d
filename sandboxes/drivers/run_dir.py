"""The run directory: where sandboxes and those outside meet.

s/<id>/            what the sandbox sees: its sockets, status.json, log/. The learner's code may write here, so nothing in
                   it is trusted.
doors/<id>/        hard links to the sockets of s/<id>/, made when it got ready. Only these are connected to: a learner
                   who replaces a socket by a link to the engine's, or to a neighbour's, changes nothing for us.
                   With the transport "tunnel", sockets of a relay instead (`sandboxes.drivers.relay`).
records/<id>.json  what it takes to find the sandbox again from another process
routes/<id>.json   what the gateway needs: {"id", "token_sha256", "jupyter_socket"}
cache/             made once, copied by sandboxes
scratch/           workspaces that nobody keeps
adopting/<id>.json what an adoption is busy with: {"blank", "workspace"}; whoever finds one finishes it
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import stat
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from sandboxes.clearing import remove_tree
from sandboxes.drivers.processes import identity
from sandboxes.interface import DriverUnavailable, Limits, SandboxSpec
from sandboxes.protocol import JUPYTER_SOCKET, LOG_FOLDER, STATUS_BYTES, STATUS_FILE
from sandboxes.usage import MEBIBYTE, workspace_usage

MAX_PATH = 60
"""Of the run directory: the system's limit for a socket's path is about 100 characters."""
ID_PATTERN = re.compile(r"[a-z0-9][a-z0-9-]{0,23}")
LOG_NAMES = 20
TAIL_BYTES = 65_536
HALF = ".half"
"""Of a document that is being written."""


@dataclass(frozen=True)
class Record:
    """What is known of a started sandbox outside of it."""

    id: str
    driver: str
    web_path: str
    workspace: str
    services: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    jupyter: bool = True
    blank: bool = False
    """It has no learner yet."""
    workspace_mb: int = Limits.workspace_mb
    workspace_files: int = Limits.workspace_files
    began_mb: int = 0
    """What the workspace held when the sandbox got its learner."""
    began_files: int = 0
    ended: str = ""
    """Why we ended it, for the learner; empty as long as we did not."""
    transport: str = "sockets"
    """How its sockets are reached: in the shared folder, or by a tunnel through the engine."""
    pid: int = 0
    """Of the local driver's agent, or of a container's first process as the engine counts."""
    pid_started: str = ""
    """When that process began: a number that is used again does not fool us."""
    started_at: float = 0.0
    """When its start began, in seconds since 1970."""
    starter: str = ""
    """The process that started it, as `sandboxes.drivers.processes.identity` writes it."""

    @classmethod
    def of(cls, spec: SandboxSpec, driver: str) -> Record:
        """The record of a sandbox that this driver is about to start."""
        return cls(
            id=spec.sandbox_id,
            driver=driver,
            web_path=f"/s/{spec.sandbox_id}/{spec.access_token}/",
            workspace=str(spec.workspace),
            services={name: dict(options) for name, options in spec.services.items()},
            labels=dict(spec.labels),
            jupyter=spec.jupyter,
            blank=spec.blank,
            workspace_mb=spec.limits.workspace_mb,
            workspace_files=spec.limits.workspace_files,
            started_at=time.time(),
            starter=identity(),
        ).begun()

    def begun(self) -> Record:
        """The same, with what its workspace holds now."""
        usage = workspace_usage(Path(self.workspace))
        return replace(self, began_mb=usage.bytes // MEBIBYTE, began_files=usage.files)


class RunDirectory:
    """The layout above, below one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.cache = root / "cache"
        self.scratch = root / "scratch"
        self.adopting = root / "adopting"
        self._inside = root / "s"
        self._doors = root / "doors"
        self._records = root / "records"
        self._routes = root / "routes"

    def prepare(self) -> None:
        """Make the folders. Raises DriverUnavailable when the place is somebody else's, or its name too long for sockets."""
        if len(str(self.root)) > MAX_PATH:
            raise DriverUnavailable(
                f"The run directory {self.root} has too long a name: choose one of at most {MAX_PATH} characters."
            )
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            status = self.root.lstat()
            if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o022:
                raise DriverUnavailable(
                    f"The run directory {self.root} must be a folder of the user who runs this, writable by nobody else: "
                    "remove it or choose another one."
                )
            for folder in (
                self._inside, self._doors, self._records, self._routes, self.cache, self.scratch, self.adopting
            ):  # fmt: skip
                folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise DriverUnavailable(
                f"The run directory {self.root} can't be used: {error.strerror}."
            ) from error

    def admit(self, sandbox_id: str, group: int) -> None:
        """Let a group pass through (not list) the folders above a sandbox and the cache: a service of it runs as another user."""
        for folder in (self.root, self._inside, self.inside(sandbox_id), self.cache):
            os.chown(folder, -1, group)
            folder.chmod(0o710)

    def adoption_note(self, sandbox_id: str) -> Path:
        """Where it says that an adoption is under way, and between which directories."""
        return self.adopting / f"{sandbox_id}.json"

    def inside(self, sandbox_id: str) -> Path:
        return self._inside / sandbox_id

    def doors(self, sandbox_id: str) -> Path:
        return self._doors / sandbox_id

    def create(self, sandbox_id: str) -> Path:
        """Make the folder that the sandbox sees. Raises ValueError for an id that can't be one, or is taken."""
        if not ID_PATTERN.fullmatch(sandbox_id):
            raise ValueError(f"{sandbox_id!r} can't be the id of a sandbox")
        folder = self.inside(sandbox_id)
        try:
            folder.mkdir(mode=0o700)
        except FileExistsError as error:
            raise ValueError(f"there is a sandbox {sandbox_id} already") from error
        (folder / LOG_FOLDER).mkdir(mode=0o700)
        return folder

    def remove(self, sandbox_id: str) -> None:
        """Remove every trace of a sandbox, the record last. Never raises for what is missing."""
        (self._routes / f"{sandbox_id}.json").unlink(missing_ok=True)
        for folder in (self.doors(sandbox_id), self.inside(sandbox_id)):
            remove_tree(folder)
        for folder in (self._routes, self._records, self.adopting):
            (folder / f"{sandbox_id}{HALF}").unlink(missing_ok=True)
        (self._records / f"{sandbox_id}.json").unlink(missing_ok=True)

    def open_doors(self, sandbox_id: str, sockets: Iterable[str]) -> None:
        """Link the sandbox's sockets to where only we can change them. Raises OSError for what is missing or not a socket."""
        doors = self.doors(sandbox_id)
        for relative in sockets:
            source, target = Path(relative), doors / relative
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder = os.open(
                self.inside(sandbox_id) / source.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
            )
            try:
                os.link(source.name, target, src_dir_fd=folder, follow_symlinks=False)
            finally:
                os.close(folder)
            if not stat.S_ISSOCK(target.lstat().st_mode):
                target.unlink()
                raise OSError(f"{relative} is not a socket")

    def open_route(self, sandbox_id: str, access_token: str) -> None:
        """Tell the gateway about the sandbox."""
        document = {
            "id": sandbox_id,
            "token_sha256": hashlib.sha256(access_token.encode()).hexdigest(),
            "jupyter_socket": str(self.doors(sandbox_id) / JUPYTER_SOCKET),
        }
        write_document(self._routes / f"{sandbox_id}.json", document)

    def save(self, record: Record) -> None:
        write_document(self._records / f"{record.id}.json", asdict(record))

    def update(self, record: Record) -> bool:
        """Save the record of a sandbox that another thread or process may be removing; whether it was still there.

        `remove` takes the sandbox's folder first and the record last: while the folder is there, the record goes with it.
        """
        self.save(record)
        if self.inside(record.id).is_dir():
            return True
        (self._records / f"{record.id}.json").unlink(missing_ok=True)
        return False

    def record(self, sandbox_id: str) -> Record | None:
        """The record of a sandbox, or None when there is none (or none that makes sense)."""
        if not ID_PATTERN.fullmatch(sandbox_id):
            return None
        try:
            return Record(**json.loads((self._records / f"{sandbox_id}.json").read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def records(self, driver: str) -> list[Record]:
        """All records of a driver."""
        return [record for record in self.all_records() if record.driver == driver]

    def all_records(self) -> list[Record]:
        """The records of every driver."""
        found = (self.record(path.stem) for path in sorted(self._records.glob("*.json")))
        return [record for record in found if record is not None]

    def leftovers(self, driver: str, keep: Collection[str], grace_seconds: float) -> list[str]:
        """Ids of which something is here, but not those to keep, another driver's, or younger than the grace."""
        now = time.time()
        found: dict[str, float] = {}
        for folder in (self._records, self._inside, self._doors, self._routes):
            for path in folder.iterdir():
                with contextlib.suppress(OSError):
                    sandbox_id = path.name.partition(".")[
                        0
                    ]  # of a document, also one that was not written to its end
                    found[sandbox_id] = max(found.get(sandbox_id, 0.0), path.lstat().st_ctime)
        others = {record.id for record in self.all_records() if record.driver != driver}
        return sorted(
            sandbox_id
            for sandbox_id, at in found.items()
            if ID_PATTERN.fullmatch(sandbox_id)
            and sandbox_id not in keep
            and sandbox_id not in others
            and now - at >= grace_seconds
        )

    def status(self, sandbox_id: str) -> dict[str, Any] | None:
        """What the agent wrote of itself: untrusted; None when there is nothing readable."""
        data = _read_untrusted(self.inside(sandbox_id), STATUS_FILE, STATUS_BYTES)
        try:
            document = json.loads(data) if data else None
        except (ValueError, RecursionError):
            return None
        return document if isinstance(document, dict) else None

    def log(self, sandbox_id: str, lines: int) -> str:
        """The last lines of each log, under its name."""
        try:
            folder = os.open(self.inside(sandbox_id) / LOG_FOLDER, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError:
            return ""
        try:
            names = sorted(entry.name for entry in os.scandir(folder) if entry.name.endswith(".log"))[
                :LOG_NAMES
            ]
            parts = []
            for name in names:
                tail = _tail(folder, name).decode("utf-8", "replace").splitlines()[-lines:]
                if tail:
                    parts.append("\n".join([f"== {name.removesuffix('.log')} ==", *tail]))
            return "\n".join(parts)
        except OSError:
            return ""
        finally:
            os.close(folder)


def write_document(path: Path, document: Mapping[str, Any]) -> None:
    """Put a JSON document in a file's place, in one step."""
    half = path.with_suffix(HALF)
    half.touch(mode=0o600)
    half.write_text(json.dumps(document), encoding="utf-8")
    half.replace(path)


def _open_untrusted(name: str, folder: int) -> int:
    """A regular file, no link followed and no FIFO waited on. Raises OSError."""
    descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(f"{name} is not a regular file")
    return descriptor


def _read_untrusted(folder: Path, name: str, limit: int) -> bytes:
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            with os.fdopen(_open_untrusted(name, descriptor), "rb") as file:
                return file.read(limit)
        finally:
            os.close(descriptor)
    except OSError:
        return b""


def _tail(folder: int, name: str) -> bytes:
    try:
        with os.fdopen(_open_untrusted(name, folder), "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - TAIL_BYTES))
            return file.read(TAIL_BYTES)
    except OSError:
        return b""
