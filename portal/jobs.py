"""The queue between the web process and the worker.

The queue only carries ids: the rows in the database say what is to be done, so a lost message loses no work (the worker's
caretaker finds the row) and a doubled one does nothing (a run must claim its row first).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from portal.tasks import Tasks
from question_bank.runner import Language

if TYPE_CHECKING:
    from portal.work_queue import WorkQueue


class Jobs(ABC):
    """What the web process asks the worker for."""

    @abstractmethod
    def launch(self, session_id: int) -> None:
        """Start the sandbox of a lab session."""

    @abstractmethod
    def stop(self, session_id: int) -> None:
        """Stop the sandbox of a lab session."""

    @abstractmethod
    def grade(self, submission_id: int) -> None:
        """Grade a submission."""

    @abstractmethod
    def warm(self, lab_id: str) -> None:
        """Somebody looks at a lab and may launch it next. Of no consequence when it is lost."""

    @abstractmethod
    def warm_programs(self, language: Language) -> None:
        """Somebody is asked for a program in this language and may run it next. Of no consequence when it is lost."""

    @abstractmethod
    def reap(self) -> None:
        """Remove what a crash left behind."""

    @abstractmethod
    def examine(self) -> None:
        """Run the checks of this machine again."""


def make_huey(instance_dir: Path) -> WorkQueue:
    """The queue of one instance, kept in SQLite beside its database; not synced to disk, because the rows are the truth."""
    # Imported here: Huey imports Redis with its telemetry, which nothing but the first job needs.
    from portal.work_queue import WorkQueue

    instance_dir.mkdir(parents=True, exist_ok=True)
    return WorkQueue("proving-ground", filename=str(instance_dir / "queue.db"), results=False, fsync=False)


class QueuedJobs(Jobs):
    """Jobs that go to the worker through Huey."""

    def __init__(self, connect: Callable[[], Tasks]) -> None:
        """`connect` opens the queue; it is called for the first job."""
        self._connect = connect

    @cached_property
    def _tasks(self) -> Tasks:
        return self._connect()

    def launch(self, session_id: int) -> None:
        self._tasks.launch(session_id)

    def stop(self, session_id: int) -> None:
        self._tasks.stop(session_id)

    def grade(self, submission_id: int) -> None:
        self._tasks.grade(submission_id)

    def warm(self, lab_id: str) -> None:
        self._tasks.warm(lab_id)

    def warm_programs(self, language: Language) -> None:
        self._tasks.warm_programs(language)

    def reap(self) -> None:
        self._tasks.reap()

    def examine(self) -> None:
        self._tasks.examine()
