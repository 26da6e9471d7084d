"""What a sandbox is, what it promises, and who may raise what.

A *driver* starts sandboxes (`docker`: one container each, `local`: processes on this machine). A *sandbox* is one learner's
place: a kernel, the lab's services, the learner's files, and an agent that is the only one to speak for it.

A sandbox can be started before anybody needs it: a *blank* one, with an empty workspace and no way in. `Sandbox.adopt` gives
it its learner later, in milliseconds.

States of a sandbox, in the order in which they can follow each other::

    STARTING ──► READY ──► STOPPED
        │          │
        └──► FAILED ◄──────┘  (a crash: the log says why)

Errors::

    SandboxError                 something about a sandbox went wrong; `.learner` says it to the learner
    ├── DriverUnavailable        this driver can't work here (no engine, no binaries); `.learner` says what to install
    ├── ImageBuildFailed         the image could not be built; `.log` holds the build's last lines
    ├── StartFailed              the sandbox did not get to READY in time; `.phase` and `.log` say where and why
    ├── SandboxGone              it is not there any more (stopped, crashed, reaped)
    ├── AgentTimeout             the agent did not answer within the call's timeout
    ├── KernelDied               the learner's kernel ended (out of memory, os._exit, a signal)
    ├── TooLarge                 a file, an output or an answer exceeded its size limit
    └── LearnerCodeError         the learner's code raised; `.name` and `.detail` are theirs, untrusted

Everything that comes back from a sandbox (values, text, files) was made by the learner: it is untrusted, size-capped JSON,
text or bytes, never a pickle.
"""

from __future__ import annotations

import contextlib
import secrets
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar

from sandboxes.clearing import remove_tree

JSON = None | bool | int | float | str | list[Any] | dict[str, Any]


class SandboxState(StrEnum):
    """Where in its life a sandbox is."""

    STARTING = "starting"
    READY = "ready"
    FAILED = "failed"
    STOPPED = "stopped"


class Phase(StrEnum):
    """What a start is busy with; shown to the learner in these words."""

    BUILDING_IMAGE = "building the image"
    CREATING = "creating the sandbox"
    STARTING_SERVICES = "starting the services"
    STARTING_JUPYTER = "starting Jupyter"
    READY = "ready"


class ServiceState(StrEnum):
    """The state of one service inside a sandbox."""

    STARTING = "starting"
    READY = "ready"
    FAILED = "failed"
    STOPPED = "stopped"


class NotebookOutcome(StrEnum):
    """How the run of a notebook from top to bottom ended."""

    COMPLETED = "completed"
    """Every cell ran; some may have raised (see `ExecutedNotebook.errors`)."""
    TIMED_OUT = "timed_out"
    """A cell or the whole run took longer than allowed."""
    OUTPUT_LIMIT = "output_limit"
    """The notebook printed more than allowed."""
    KERNEL_DIED = "kernel_died"
    """The kernel ended: out of memory, os._exit or a signal."""


@dataclass(frozen=True)
class Limits:
    """What one sandbox may use."""

    memory_mb: int = 1024
    """Memory in MiB; swap is not added to it."""
    cpus: float = 1.0
    pids: int = 256
    disk_mb: int = 512
    """Size of the writable tmpfs mounts together, in MiB; it counts towards memory."""
    workspace_mb: int = 256
    """What the learner's files may take, in MiB. Who writes beyond is stopped; at one and a half times the sandbox is ended."""
    workspace_files: int = 20_000
    """How many files and folders the workspace may hold; enforced in the same way."""


@dataclass(frozen=True)
class ExecutionLimits:
    """What one run of a notebook may take."""

    total_seconds: float = 120.0
    cell_seconds: float = 30.0
    output_bytes: int = 262_144


@dataclass(frozen=True)
class SandboxSpec:
    """Everything a driver needs to start one sandbox."""

    workspace: Path
    """Directory on the host with the learner's files; it outlives the sandbox."""
    services: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Service name → its options, all strings. Only these are started, in this order."""
    image: str = "base"
    """A folder under `sandboxes/images`; the local driver ignores it."""
    limits: Limits = field(default_factory=Limits)
    jupyter: bool = True
    """Start Jupyter (a learner's session) or only the agent (grading)."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Extra variables for the kernel, e.g. LAB_SLUG."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """What finds it again after a crash: session, purpose."""
    sandbox_id: str = field(default_factory=lambda: secrets.token_hex(6))
    access_token: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    """The secret in the sandbox's address; never logged."""
    start_seconds: float = 120.0
    """How long the start may take, image build not counted."""
    blank: bool = False
    """Started before it is known for whom: not reachable until `Sandbox.adopt`. `workspace` is empty then, or not there yet."""
    preload: tuple[str, ...] = ()
    """Modules that a grader's first kernel imports before it is READY; those that are missing are passed over."""


@dataclass(frozen=True)
class Progress:
    """One step of a start, told to whoever waits."""

    phase: Phase
    detail: str
    """One short sentence for the learner, e.g. 'step 4 of 9: installing PostgreSQL'."""
    elapsed_seconds: float


ProgressListener = Callable[[Progress], None]


@dataclass(frozen=True)
class ServiceStatus:
    """One service inside a sandbox."""

    name: str
    state: ServiceState
    detail: str = ""


@dataclass(frozen=True)
class SandboxStatus:
    """What a sandbox says of itself now."""

    state: SandboxState
    phase: Phase
    services: tuple[ServiceStatus, ...] = ()
    detail: str = ""


@dataclass(frozen=True)
class CellError:
    """A cell that raised while the notebook ran; untrusted text, capped."""

    cell_id: str
    index: int
    name: str
    detail: str


@dataclass(frozen=True)
class ExecutedNotebook:
    """A notebook after its run: the nbformat JSON with outputs, and how it ended."""

    outcome: NotebookOutcome
    notebook: dict[str, Any]
    errors: tuple[CellError, ...] = ()
    detail: str = ""


@dataclass(frozen=True)
class CommandResult:
    """A finished command; output is decoded with replacement and capped."""

    exit_code: int
    output: str


@dataclass(frozen=True)
class CallOutcome:
    """One of the calls of `call_many`: a value, or the error that the learner's code raised."""

    value: JSON = None
    error: str | None = None
    """`"ValueError: text"` when the call raised, else None."""
    milliseconds: float = 0.0


@dataclass(frozen=True)
class Endpoint:
    """How the grader, outside, reaches a service inside: always a Unix socket."""

    service: str
    socket: Path
    """For postgres the directory that holds `.s.PGSQL.5432`; for HTTP services the socket itself."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """For postgres: user and dbname; for HTTP services: base_url."""


@dataclass(frozen=True)
class Activity:
    """What Jupyter in a sandbox says of its use; the learner can make it say anything later, never anything earlier."""

    last: datetime
    """When a kernel or a terminal last did something, or a file of the workspace was last saved; aware, UTC."""
    busy: bool
    """Whether a cell runs now."""
    connections: int
    """How many browser tabs are connected to kernels."""


@dataclass(frozen=True)
class Usage:
    """What a workspace takes."""

    bytes: int
    """On the disk; what is said of a sparse file is more."""
    files: int
    """Files and folders."""
    complete: bool = True
    """Whether everything was counted; else it is at least so much."""
    evaded: bool = False
    """Deeply nested folders were moved about so that they could not be counted."""


class SandboxError(Exception):
    """Something about a sandbox went wrong."""

    reason: ClassVar[str] = "sandbox_error"
    """A short, fixed word for metrics."""

    def __init__(self, learner: str, *, detail: str = "", log: str = "") -> None:
        super().__init__(learner)
        self.learner = learner
        self.detail = detail
        self.log = log


class DriverUnavailable(SandboxError):
    """This driver can't work on this machine."""

    reason = "driver_unavailable"


class ImageBuildFailed(SandboxError):
    """The image could not be built."""

    reason = "image_build_failed"


class StartFailed(SandboxError):
    """The sandbox did not get ready."""

    reason = "start_failed"

    def __init__(self, learner: str, *, phase: Phase, detail: str = "", log: str = "") -> None:
        super().__init__(learner, detail=detail, log=log)
        self.phase = phase


class SandboxGone(SandboxError):
    """The sandbox is not there any more."""

    reason = "sandbox_gone"


class AgentTimeout(SandboxError):
    """The agent did not answer in time."""

    reason = "agent_timeout"


class KernelDied(SandboxError):
    """The learner's kernel ended."""

    reason = "kernel_died"


class TooLarge(SandboxError):
    """Something exceeded its size limit."""

    reason = "too_large"


class LearnerCodeError(SandboxError):
    """The learner's code raised an exception."""

    reason = "learner_code_error"

    def __init__(self, name: str, detail: str) -> None:
        super().__init__(f"Your code raised {name}: {detail}" if detail else f"Your code raised {name}")
        self.name = name
        self.detail = detail


class Sandbox(ABC):
    """A handle on one sandbox. Every method but `status`, `log` and `stop` raises SandboxGone once it has ended."""

    id: str
    driver_name: str
    web_path: str
    """The path on the sandbox origin at which the gateway serves its Jupyter, ending in '/': `/s/<id>/<token>/`."""

    @property
    def access_token(self) -> str:
        """The secret in `web_path`; of a sandbox from a pool it is not the one of the spec that was asked for."""
        parts = self.web_path.split("/")
        return parts[3] if len(parts) > 3 else ""

    @abstractmethod
    def adopt(self, workspace: Path, labels: Mapping[str, str]) -> None:
        """Give a blank sandbox its learner: `workspace`, with all that is in it, becomes what the sandbox sees; its way in opens.

        Afterwards the directory at `workspace` is the sandbox's own. A crash on the way loses no file: `Driver.reap` finishes it.
        Raises ValueError when it is not blank, OSError when `workspace` is on another file system, SandboxGone.
        """

    @abstractmethod
    def activity(self) -> Activity | None:
        """How its Jupyter is used; None when it has none or does not answer. Never raises."""

    def usage(self) -> Usage | None:
        """What its workspace takes now, measured from outside; None when that can't be told. Never raises."""
        return None

    def open_notebook(self, path: str) -> None:
        """Have its Jupyter start the kernel of a notebook in the background, to be there before the page. Never raises."""
        return None

    def memory_bytes(self) -> int | None:
        """What its processes hold now, in bytes; None when that can't be told. Never raises."""
        return None

    @abstractmethod
    def status(self) -> SandboxStatus:
        """The state now. Never raises: a sandbox that is gone is STOPPED, one that crashed is FAILED."""

    @abstractmethod
    def execute(self, notebook: Mapping[str, Any], limits: ExecutionLimits) -> ExecutedNotebook:
        """Run a notebook (nbformat 4 JSON) top to bottom in a fresh kernel, which then stays for `call` and `value`.

        A cell that raises does not stop the run. Raises AgentTimeout, SandboxGone; never for what the learner's code did.
        """

    @abstractmethod
    def call(self, function: str, *arguments: JSON, timeout: float = 10.0) -> JSON:
        """Call a function that the executed notebook defined. Raises LearnerCodeError, AgentTimeout, KernelDied, TooLarge."""

    @abstractmethod
    def call_many(
        self, function: str, calls: Sequence[Sequence[JSON]], *, workers: int, timeout: float = 30.0
    ) -> list[CallOutcome]:
        """Call a function once for each argument list, from `workers` threads that start together; results in input order."""

    @abstractmethod
    def value(self, expression: str, timeout: float = 5.0) -> JSON:
        """The JSON value of a name (dotted or indexed) in the kernel. Raises like `call`."""

    @abstractmethod
    def run(self, command: Sequence[str], timeout: float = 30.0) -> CommandResult:
        """Run a command in the workspace. Raises AgentTimeout."""

    @abstractmethod
    def read(self, path: str, max_bytes: int = 1_048_576) -> bytes:
        """A regular file of the workspace, links not followed. Raises FileNotFoundError, TooLarge."""

    @abstractmethod
    def write(self, path: str, data: bytes) -> None:
        """Put a file into the workspace, replacing what is there, never through a link."""

    @abstractmethod
    def endpoint(self, service: str) -> Endpoint:
        """How to reach a service from outside. Raises KeyError for one that the spec did not name, or that has no socket."""

    @abstractmethod
    def log(self, lines: int = 200) -> str:
        """The last lines of the agent's and the services' log; empty when there is none. Never raises."""

    @abstractmethod
    def stop(self) -> None:
        """End it and everything in it; the workspace stays. Twice is the same as once."""


class Driver(ABC):
    """Starts sandboxes and finds them again."""

    name: ClassVar[str]
    isolated: ClassVar[bool]
    """Whether code of strangers may run in it."""
    scratch: Path | None = None
    """Where workspaces go that nobody keeps; there after `prepare`. None means anywhere."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        missing = [key for key in ("name", "isolated") if not hasattr(cls, key)]
        missing += [
            key
            for key in ("check", "prepare", "start", "find", "running", "reap", "close")
            if getattr(getattr(cls, key, None), "__isabstractmethod__", False)
        ]
        if missing:
            raise TypeError(
                f"{cls.__name__} lacks {', '.join(missing)}: a driver must be complete when it is defined"
            )

    @abstractmethod
    def check(self) -> None:
        """Raise DriverUnavailable, with what to do about it, when this driver can't work here. Answers within 3 s."""

    @abstractmethod
    def prepare(self, image: str, progress: ProgressListener) -> None:
        """Make sure the image is there, building it when it is not. Raises ImageBuildFailed, DriverUnavailable."""

    @abstractmethod
    def start(self, spec: SandboxSpec, progress: ProgressListener) -> Sandbox:
        """Start one and return when it is READY. Raises ImageBuildFailed, StartFailed; nothing is left behind then."""

    @abstractmethod
    def find(self, sandbox_id: str) -> Sandbox | None:
        """The sandbox of that id if it still runs, also one that another process started; else None."""

    @abstractmethod
    def running(self) -> list[tuple[str, Mapping[str, str]]]:
        """Ids and labels of all that run, whoever started them."""

    def retire(self, sandbox: Sandbox, discard: Path | None = None) -> None:
        """End a sandbox that nobody needs any more, then remove the folder `discard`; it may happen later.

        Never raises for a sandbox that is gone.
        """
        try:
            with contextlib.suppress(SandboxGone):
                sandbox.stop()
        finally:
            if discard is not None:
                remove_tree(discard)

    def settle(self, below: Path) -> None:
        """Put back what an adoption that was cut short left half moved, of workspaces at or below a directory.

        To be called before they are used again, when no adoption can be under way there. Raises SandboxError; the files are kept.
        """
        return None

    def make_room(self, most: int) -> None:
        """Keep at most so many sandboxes that nobody uses yet: somebody needs their memory. A plain driver has none."""
        return None

    def revision(self, image: str) -> str:
        """What sandboxes of an image are made from now, in a word: another word means that they would come out different."""
        return ""

    def remains(self, keep: Collection[str], grace_seconds: float = 0.0) -> list[str]:
        """The ids of what `reap` would end or remove now. Raises DriverUnavailable."""
        return [sandbox_id for sandbox_id, _labels in self.running() if sandbox_id not in keep]

    @abstractmethod
    def reap(self, keep: Collection[str], grace_seconds: float = 0.0) -> list[str]:
        """End every sandbox but those to `keep` and those being started here, and remove what a crash left behind.

        Finishes adoptions that were cut short. With `grace_seconds`, what was begun less long ago is left alone: another process
        may be starting it. Returns the ids of what was removed. Raises DriverUnavailable.
        """

    @abstractmethod
    def close(self) -> None:
        """Stop every sandbox that this driver object started, and free what it holds."""
