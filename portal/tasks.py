"""The worker's tasks as Huey knows them: names and ids, no work. The work is in `portal.worker`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from question_bank.runner import Language

if TYPE_CHECKING:
    from huey import Huey


class Handler(Protocol):
    """Who does the work; only the worker process has one."""

    def launch(self, session_id: int) -> None: ...

    def stop(self, session_id: int) -> None: ...

    def grade(self, submission_id: int) -> None: ...

    def warm(self, lab_id: str) -> None: ...

    def warm_programs(self, language: Language) -> None: ...

    def reap(self) -> None: ...

    def examine(self) -> None: ...


@dataclass(frozen=True)
class Tasks:
    """The enqueueing side: calling one of these puts a message into the queue."""

    launch: Callable[[int], object]
    stop: Callable[[int], object]
    grade: Callable[[int], object]
    warm: Callable[[str], object]
    warm_programs: Callable[[Language], object]
    reap: Callable[[], object]
    examine: Callable[[], object]


def register(huey: Huey, handler: Handler | None = None) -> Tasks:
    """Make the tasks known to `huey`; the web process gives no handler and only enqueues."""

    def _work() -> Handler:
        if handler is None:
            raise RuntimeError("only the worker process runs tasks")
        return handler

    @huey.task(name="launch")
    def launch(session_id: int) -> None:
        _work().launch(session_id)

    @huey.task(name="stop")
    def stop(session_id: int) -> None:
        _work().stop(session_id)

    # A grading goes before a launch: who waits for a result has been waiting longer.
    @huey.task(name="grade", priority=10)
    def grade(submission_id: int) -> None:
        _work().grade(submission_id)

    @huey.task(name="warm", priority=20)  # it only takes note
    def warm(lab_id: str) -> None:
        _work().warm(lab_id)

    @huey.task(name="warm-programs", priority=20)
    def warm_programs(language: Language) -> None:
        _work().warm_programs(language)

    @huey.task(name="reap")
    def reap() -> None:
        _work().reap()

    @huey.task(name="examine")
    def examine() -> None:
        _work().examine()

    return Tasks(
        launch=launch,
        stop=stop,
        grade=grade,
        warm=warm,
        warm_programs=warm_programs,
        reap=reap,
        examine=examine,
    )
