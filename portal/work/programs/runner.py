"""Runs learners' programs in sandboxes: the `CodeRunner` of the worker.

Each request gets a sandbox of its own, which nobody uses afterwards; a pool may have started it before. In it every case is a
process of its own (`inside.py`), which is told its input when its turn comes, and leaves neither process nor file. A sandbox in
which that fails, or that does not answer as ours do, is given up, and the rest runs in another one.
"""

from __future__ import annotations

import base64
import json
import logging
import tempfile
import time
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib import resources
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from portal.work.programs.specs import HOMES, program_spec
from question_bank.runner import GO_MOD, MAX_ERROR, MAX_OUTPUT, Ended, Language, Outcome, RunRequest, RunResult
from question_bank.schema import RunnerUnavailable
from sandboxes.clearing import remove_tree
from sandboxes.interface import Driver, Progress, Sandbox, SandboxError

log = logging.getLogger(__name__)

WORKSPACE_PREFIX = "program-"
BUILD_SECONDS = 60.0
SLACK_SECONDS = 20.0
"""On top of a case's time: for a process to start, and for what is left of it to be ended and removed."""
REQUEST_SECONDS = 180.0
"""All cases of a request together; those whose turn comes later are out of time."""
MOST_LOST = 4
"""Sandboxes that one request may use up. A fault of ours seldom strikes twice; a program that ends its sandbox always does."""
MEMORY_MB = 256
FILE_MB = 16
PROCESSES = 32
CHUNK = 100_000
"""Characters of one argument: the system takes at most 128 KiB."""
LOST = (
    "The program ended its whole sandbox, or left something running in it that could not be ended. It used too much memory, "
    "too many processes, or stopped what runs beside it."
)
NO_TIME_LEFT = f"Not run: all cases together may take {REQUEST_SECONDS:g} s."
UNAVAILABLE = "Programs can't be run now. Nothing is lost: try again in a minute."

Answer = Mapping[str, Any]
ProgressNote = Callable[[int], None]
"""Told how many cases have been run, after each."""


class _Lost(Exception):
    """The sandbox is of no use any more."""


class SandboxRunner:
    """A `CodeRunner` over a driver. Threads may use one at once."""

    def __init__(self, driver: Driver, labels: Mapping[str, str] | None = None) -> None:
        """`labels` go to the sandboxes, so that they are found after a crash."""
        self._driver = driver
        self._labels = dict(labels or {})

    def run(self, request: RunRequest, progress: ProgressNote = lambda _: None) -> RunResult:
        """Run a program on each input. Raises `RunnerUnavailable` when no sandbox starts; then trying again later helps."""
        with _Place(self._driver, self._labels, request) as place:
            if error := place.build():
                return RunResult((), build_error=error[:MAX_ERROR])
            outcomes: list[Outcome] = []
            deadline = time.monotonic() + REQUEST_SECONDS
            for given in request.inputs:
                if time.monotonic() > deadline:
                    outcomes.append(Outcome(Ended.OUT_OF_TIME, error=NO_TIME_LEFT))
                else:
                    outcomes.append(place.case(given))
                progress(len(outcomes))
            return RunResult(tuple(outcomes))


class _Place:
    """The sandboxes of one request, one after the other."""

    def __init__(self, driver: Driver, labels: Mapping[str, str], request: RunRequest) -> None:
        self._driver = driver
        self._labels = labels
        self._request = request
        self._sandbox: Sandbox | None = None
        self._workspace: Path | None = None
        self._digest = ""
        self._lost = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._give_up()

    def build(self) -> str:
        """Build what has to be built; why that failed, empty when it did not."""
        if self._request.language != "go" or self._digest:
            return ""
        for _ in range(2):
            with suppress(_Lost):
                answer = self._ask(
                    {"do": "build", "files": self._files(), "seconds": BUILD_SECONDS}, BUILD_SECONDS
                )
                outcome = _outcome(answer)
                if outcome.ended is Ended.OUT_OF_TIME:
                    raise RunnerUnavailable(
                        f"Building took longer than {BUILD_SECONDS:g} s. Nothing is lost: try again."
                    )
                self._digest = str(answer.get("digest", ""))
                if outcome.ended is Ended.WELL and self._digest:
                    return ""
                return "\n".join(filter(None, (outcome.error, outcome.output))) or "The program doesn't build."
        return f"The program could not be built. {LOST}"

    def case(self, given: str) -> Outcome:
        """Run the program on one input."""
        seconds = self._request.seconds
        for _ in range(2):
            if self._lost > MOST_LOST:
                break
            with suppress(_Lost):
                if self.build():  # of a sandbox that took the place of one that was lost
                    continue
                order = {
                    "do": "sql" if self._request.language == "sql" else "run",
                    "given": given,
                    "seconds": seconds,
                }
                files = {} if self._digest else self._files()
                # SQL runs three texts, each within the time.
                return _outcome(self._ask(order | {"files": files, "digest": self._digest}, 3 * seconds))
        return Outcome(Ended.WITH_ERROR, error=LOST)

    def _files(self) -> dict[str, str]:
        files = dict(self._request.files)
        return files | {"go.mod": GO_MOD} if self._request.language == "go" else files

    def _ask(self, order: Mapping[str, Any], seconds: float) -> Answer:
        """What the process inside answers. Raises _Lost, RunnerUnavailable."""
        sandbox = self._ready()
        limits = {
            "contained": self._driver.isolated,
            "memory_mb": MEMORY_MB,
            "file_mb": FILE_MB,
            "processes": PROCESSES,
            "output_bytes": MAX_OUTPUT,
            "error_chars": MAX_ERROR,
        }
        try:
            result = sandbox.run(command({**limits, **order}), timeout=seconds + SLACK_SECONDS)
            answer = _read(result.output)
        except (SandboxError, ValueError) as error:
            log.warning("the sandbox of a program was lost: %s", error)
            self._lost_one()
            raise _Lost from error
        broken, clean = answer.get("broken"), answer.get("clean") is True
        if broken or not clean:
            log.warning("the sandbox of a program is given up: %s", str(broken or "not clean")[:500])
            self._lost_one()
            if broken or order["do"] == "build":  # what was built is gone with it
                raise _Lost
        return answer

    def _ready(self) -> Sandbox:
        """The sandbox, started if need be. Raises RunnerUnavailable."""
        if self._sandbox is not None:
            return self._sandbox
        language: Language = self._request.language
        try:
            self._driver.prepare(HOMES[language].image, _nobody)
            self._workspace = Path(tempfile.mkdtemp(prefix=WORKSPACE_PREFIX, dir=self._driver.scratch))
            self._sandbox = self._driver.start(program_spec(language, self._workspace, self._labels), _nobody)
        except (SandboxError, OSError) as error:
            self._give_up()
            log.warning("no sandbox for a program: %s", error)
            raise RunnerUnavailable(UNAVAILABLE) from error
        return self._sandbox

    def _lost_one(self) -> None:
        self._lost += 1
        self._give_up()

    def _give_up(self) -> None:
        sandbox, self._sandbox = self._sandbox, None
        workspace, self._workspace = self._workspace, None
        self._digest = ""
        if sandbox is not None:
            self._driver.retire(sandbox, discard=workspace)
        elif workspace is not None:
            remove_tree(workspace)


def command(order: Mapping[str, Any]) -> list[str]:
    """The words that run `inside.py` with an order: nothing is written where another case could find it."""
    packed = base64.b64encode(zlib.compress(json.dumps(order).encode(), 1)).decode()
    chunks = [packed[start : start + CHUNK] for start in range(0, len(packed), CHUNK)]
    return ["python", "-I", "-B", "-c", _INSIDE, *chunks]


def _nobody(_step: Progress) -> None:
    """Nobody watches these starts."""


def _read(output: str) -> Answer:
    """The answer in the last line of an output. Raises ValueError."""
    lines = output.rstrip().rsplit("\n", 1)
    try:
        answer = json.loads(lines[-1])
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    if not isinstance(answer, dict):
        raise ValueError("no object")
    return answer


def _outcome(answer: Answer) -> Outcome:
    """An outcome from an answer, which the program may have made."""
    try:
        ended = Ended(str(answer.get("ended")))
    except ValueError:
        return Outcome(Ended.WITH_ERROR, error=LOST)
    return Outcome(ended, _text(answer, "output")[:MAX_OUTPUT], _text(answer, "error")[-MAX_ERROR:])


def _text(answer: Answer, key: str) -> str:
    """A text that every database takes."""
    return str(answer.get(key, "")).encode("utf-8", "replace").decode().replace("\x00", "\ufffd")


_INSIDE = resources.files("portal.work.programs").joinpath("inside.py").read_text(encoding="utf-8")
