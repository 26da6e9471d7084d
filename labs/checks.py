"""What a lab's `checks.py` is written with.

A check is a function that proves one property of the learner's work from outside the sandbox::

    from labs.checks import LabUnderTest, check, require

    @check("reserve")
    def never_sells_more_than_there_is(lab: LabUnderTest) -> None:
        \"\"\"Never sells more than there is in stock.\"\"\"
        stocked = lab.random.randint(3, 9)
        ...
        require(sold <= stocked, "You sold more than there was in stock.")

What several checks share may stand in `support.py` beside it (`from .support import …`), and what several labs share is a module
of this package: choices, rivals, attempts, failing_writes, given_cells, names, go_bench.

A check's docstring is what a learner who passes reads. The message of `require` says which property broke; it never tells a
hidden input or an expected value, because the learner could answer with it.
"""

from __future__ import annotations

import importlib
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from labs.errors import BrokenLab
from labs.under_test import LabUnderTest

__all__ = ["Check", "CheckFailed", "LabUnderTest", "check", "load_checks", "require"]

CheckFunction = Callable[[LabUnderTest], None]
_TASK = "__lab_task__"
_loading = threading.Lock()


class CheckFailed(Exception):
    """A property does not hold; the message is for the learner."""


@dataclass(frozen=True)
class Check:
    """The check of one task."""

    task: str
    function: CheckFunction
    property: str
    """What a pass proves, in one sentence: the function's docstring."""


def check(task: str) -> Callable[[CheckFunction], CheckFunction]:
    """Mark a function as the check of a task."""

    def mark(function: CheckFunction) -> CheckFunction:
        setattr(function, _TASK, task)
        return function

    return mark


def require(holds: object, message: str) -> None:
    """Fail the task with this message for the learner unless the condition holds."""
    if not holds:
        raise CheckFailed(message)


def load_checks(path: Path) -> dict[str, Check]:
    """The checks that a `checks.py` defines, by task. Runs the file: it is content that we trust. Raises BrokenLab."""
    folder = path.resolve().parent
    package = f"lab_content_{folder.name.replace('-', '_')}"
    with _loading:
        # A package made up for the folder, whose name need not be a Python name, so that `from .support import …` works.
        for name in [name for name in sys.modules if name == package or name.startswith(f"{package}.")]:
            del sys.modules[name]
        sys.modules[package] = ModuleType(package)
        sys.modules[package].__path__ = [str(folder)]
        importlib.invalidate_caches()
        try:
            module = importlib.import_module(f"{package}.{path.stem}")
        except Exception as error:
            raise BrokenLab(f"{path} does not load: {traceback.format_exc(limit=-2)}") from error
    found = [value for value in vars(module).values() if callable(value) and hasattr(value, _TASK)]
    return {
        getattr(function, _TASK): Check(
            getattr(function, _TASK), function, " ".join((function.__doc__ or "").split())
        )
        for function in found
    }
