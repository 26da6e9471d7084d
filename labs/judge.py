"""Run one check and say what its outcome means, whatever it was."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass

import httpx
import psycopg
import redis
from psycopg import errors as pg

from labs.checks import Check, CheckFailed
from labs.raised import NO_JSON
from labs.report import TaskStatus
from labs.under_test import LabUnderTest, NotStarted, OutOfTime
from sandboxes.interface import AgentTimeout, KernelDied, LearnerCodeError, SandboxError, SandboxGone, TooLarge

log = logging.getLogger(__name__)

GRACE_SECONDS = 5.0
"""A check that is this much over the deadline is given up: everything it waits for should have ended long ago."""


@dataclass(frozen=True)
class Verdict:
    """What one check found."""

    status: TaskStatus
    message: str
    kernel_spent: bool = False
    """The learner's kernel died or is busy with a call that never ends: the next check needs a fresh one."""
    gave_up: bool = False
    """The check still runs in its thread: the sandbox must not be used any more."""


def judge(check: Check, lab: LabUnderTest) -> Verdict:
    """Run the check, at most until its deadline. Raises only SandboxGone: what happened then is the grader's to find out."""
    results: list[Verdict | SandboxGone] = []

    def work() -> None:
        try:
            results.append(_verdict(check, lab))
        except SandboxGone as error:
            results.append(error)

    # A thread of its own, because a check may wait for something that the learner's code never lets go of.
    thread = threading.Thread(target=work, name=f"check-{check.task}", daemon=True)
    thread.start()
    thread.join(max(0.0, lab.seconds_left) + GRACE_SECONDS)
    if not results:
        log.warning("check %s did not end in time", check.task)
        return Verdict(TaskStatus.FAILED, OUT_OF_TIME, kernel_spent=True, gave_up=True)
    if isinstance(results[0], SandboxGone):
        raise results[0]
    return results[0]


OUT_OF_TIME = (
    "The time for all checks was used up before this one could finish. Look for a function that loops, or that waits for a lock "
    "or a connection which nobody gives back."
)

TOO_SLOW = (
    "Your code did not answer in time: it may loop, wait for a lock that is never released, or wait for input."
)


def not_started(task: str) -> Verdict:
    """The verdict for a task that the learner has not begun."""
    return Verdict(
        TaskStatus.FAILED,
        f"Not started yet: in the cell of task {task}, write your code in place of the line that says it is not implemented.",
    )


def _raised(error: LearnerCodeError) -> str:
    if error.detail.startswith(NO_JSON):  # the bridge raised it, and none of the learner's code
        return (
            f"Your function returned what JSON has no words for: {error.detail.removeprefix(NO_JSON)}. Return numbers that are "
            "finite, texts, lists and dictionaries."
        )
    if error.detail:
        return f"Your code raised {error.name}: {error.detail}"
    return (
        f"Your code raised {error.name}. What it says is not shown, because it may tell hidden inputs: "
        "call your function with inputs of your own, odd ones too."
    )


def _refusal(error: redis.RedisError) -> str:
    """What may be told of an error that Redis answered with: its code, for the rest of it may quote a key."""
    code = str(error).partition(" ")[0]
    return (
        code if code in ("WRONGTYPE", "BUSY", "OOM", "NOPERM", "NOSCRIPT", "READONLY") else type(error).__name__
    )


def _verdict(check: Check, lab: LabUnderTest) -> Verdict:
    """The table of what each outcome of a check means."""
    failed = TaskStatus.FAILED
    try:
        check.function(lab)
    except CheckFailed as error:
        return Verdict(failed, str(error))
    except NotStarted:
        return not_started(check.task)
    except LearnerCodeError as error:
        return Verdict(failed, _raised(error))
    except OutOfTime:
        return Verdict(failed, OUT_OF_TIME)
    except AgentTimeout:
        return Verdict(failed, TOO_SLOW, kernel_spent=True)
    except KernelDied:
        message = (
            "Your code ended the Python kernel: it used too much memory, or called something like os._exit."
        )
        return Verdict(failed, message, kernel_spent=True)
    except TooLarge:
        return Verdict(
            failed, "Your code returned or wrote more than can be checked: return only what the task asks for."
        )
    except SandboxGone:
        raise
    except (pg.LockNotAvailable, pg.QueryCanceled):
        message = (
            "The lab's tables stayed locked: your code left a transaction open (neither commit nor rollback)."
        )
        return Verdict(failed, message, kernel_spent=True)
    except (pg.UndefinedTable, pg.UndefinedColumn, pg.InsufficientPrivilege) as error:
        # Not just any text of it: the learner's triggers and views can put hidden rows into it.
        says = lab.telling.text(str(error)) or type(error).__name__
        message = "The lab's tables are not as the notebook's set-up cell makes them. Restore that cell."
        return Verdict(failed, f"{message} PostgreSQL says: {says}")
    except psycopg.OperationalError:
        return Verdict(
            failed,
            "PostgreSQL in your sandbox does not answer (any more): your code may have used up its connections.",
        )
    except psycopg.Error as error:
        message = (
            f"PostgreSQL in your sandbox refused what the check does ({type(error).__name__}). Take triggers, views and "
            "constraints of your own away and restore the notebook's set-up cell."
        )
        return Verdict(failed, message)
    except (redis.TimeoutError, redis.exceptions.BusyLoadingError):
        return Verdict(
            failed, "Redis in your sandbox did not answer in time: a script of yours may run without end."
        )
    except redis.ConnectionError:
        return Verdict(
            failed,
            "Redis in your sandbox does not answer (any more): your code may have used up its connections.",
        )
    except redis.RedisError as error:
        message = (
            f"Redis in your sandbox refused what the check does ({_refusal(error)}). Keys of the lab may hold another type "
            "of value than the notebook says, a script may still run, or the memory is full."
        )
        return Verdict(failed, message)
    except httpx.TransportError:
        return Verdict(
            failed,
            "A service in your sandbox does not answer (any more): your code may have stopped or overloaded it.",
        )
    except httpx.HTTPError:
        return Verdict(
            failed,
            "A service in your sandbox refused what the check asked of it: your code may have changed its data or its state.",
        )
    except SandboxError as error:
        log.warning("the check of %s got no sensible answer: %s (%s)", check.task, error.learner, error.detail)
        message = (
            "Your notebook's kernel gave answers that make no sense. Does your code change Python itself, IPython, or "
            "modules such as json and threading? Return plain numbers, texts, lists and dictionaries."
        )
        return Verdict(failed, message, kernel_spent=True)
    except Exception as error:
        # Only its class: its text may hold what the check knows.
        log.exception("the check of %s is broken", check.task)
        message = f"The check of this task is broken, which is not your fault ({type(error).__name__})."
        return Verdict(TaskStatus.ERROR, message)
    return Verdict(TaskStatus.PASSED, check.property)
