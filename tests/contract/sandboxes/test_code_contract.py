"""What every driver promises about the learner's code: how it is run, called, and kept from hanging us."""

from __future__ import annotations

import os
import time

import pytest

from sandboxes.interface import (
    AgentTimeout,
    KernelDied,
    LearnerCodeError,
    NotebookOutcome,
    Sandbox,
    SandboxError,
    SandboxState,
    TooLarge,
)
from tests.contract.sandboxes.conftest import until
from tests.contract.sandboxes.notebooks import execute, notebook, printed


def test_a_notebook_runs_top_to_bottom_also_after_a_cell_that_raised(sandbox: Sandbox) -> None:
    executed = execute(sandbox, "x = 1", "raise ValueError('too low')", "x += 1\nprint('x is', x)")
    assert executed.outcome is NotebookOutcome.COMPLETED
    assert printed(executed) == "x is 2\n"
    assert [(error.cell_id, error.index, error.name, error.detail) for error in executed.errors] == [
        ("cell-1", 1, "ValueError", "too low")
    ]
    assert [cell["execution_count"] for cell in executed.notebook["cells"]] == [1, 2, 3]


def test_each_run_has_a_fresh_kernel(sandbox: Sandbox) -> None:
    execute(sandbox, "left_over = 1")
    executed = execute(sandbox, "print('left_over' in globals())")
    assert printed(executed) == "False\n"


def test_a_kernel_knows_its_services_and_finds_its_helpers(sandbox: Sandbox) -> None:
    executed = execute(
        sandbox,
        """
        import os, psycopg
        from labkit import lab
        with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
            print(*connection.execute("SELECT current_user, current_database()").fetchone())
        with psycopg.connect("") as connection:
            print("by the standard variables")
        print(os.environ["LAB_SANDBOX"], os.environ["LAB_SLUG"])
        """,
    )
    assert printed(executed) == "learner shop\nby the standard variables\n1 the-lab\n"


def test_no_variable_of_ours_reaches_the_learner(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    executed = execute(sandbox, "import os; print(*os.environ)")
    assert executed.outcome is NotebookOutcome.COMPLETED
    assert not {
        name
        for name in printed(executed).split()
        if "PYTEST" in name or name.startswith(("SECRET", "AWS_", "PIP_"))
    }


def test_values_cross_as_json(sandbox: Sandbox) -> None:
    execute(
        sandbox,
        """
        class Shop:
            stock = {"apple": [1, 2.5, None, True, "ünï"]}
            def take(self, name, count):
                return {"name": name, "left": 10 - count}
        shop = Shop()
        def echo(*values):
            return list(values)
        """,
    )
    assert sandbox.call("echo", 1, 2.5, None, True, "ünï'\"\\\n", [1], {"a": {}}) == [
        1, 2.5, None, True, "ünï'\"\\\n", [1], {"a": {}},
    ]  # fmt: skip
    assert sandbox.call("shop.take", "apple", 3) == {"name": "apple", "left": 7}
    assert sandbox.value("shop.stock['apple'][-1]") == "ünï"


def test_an_exception_of_the_learner_is_told_as_theirs(sandbox: Sandbox) -> None:
    execute(
        sandbox,
        """
        class OutOfStock(Exception): pass
        def fail(): raise OutOfStock("no apples")
        def leave(): raise SystemExit(3)
        not_json = object()
        """,
    )
    with pytest.raises(LearnerCodeError) as failure:
        sandbox.call("fail")
    assert (failure.value.name, failure.value.detail) == ("OutOfStock", "no apples")
    with pytest.raises(LearnerCodeError, match="SystemExit"):
        sandbox.call("leave")
    with pytest.raises(LearnerCodeError, match="defines no 'missing'"):
        sandbox.call("missing")
    with pytest.raises(LearnerCodeError, match="written as JSON"):
        sandbox.value("not_json")
    with pytest.raises(LearnerCodeError, match="not a function"):
        sandbox.call("not_json")
    assert sandbox.value("fail.__name__") == "fail"


def test_an_expression_is_a_name_and_nothing_more(sandbox: Sandbox) -> None:
    execute(sandbox, "called = []\ndef f(): called.append(1)")
    for expression in ("f()", "called + []", "[f() for _ in '1']", "called[f()]", ""):
        with pytest.raises(SandboxError):
            sandbox.value(expression)
    assert sandbox.value("called") == []


def test_many_calls_start_together_and_answer_in_order(sandbox: Sandbox) -> None:
    execute(
        sandbox,
        """
        import threading
        together = threading.Barrier(16, timeout=60)
        def meet(number):
            together.wait()
            if number % 5 == 0:
                raise ValueError(f"{number} is a multiple")
            return number * 10
        """,
    )
    outcomes = sandbox.call_many("meet", [[number] for number in range(16)], workers=16, timeout=90)
    assert [outcome.value for outcome in outcomes] == [None if n % 5 == 0 else n * 10 for n in range(16)]
    assert outcomes[5].error == "ValueError: 5 is a multiple"
    assert all(outcome.milliseconds > 0 for outcome in outcomes)


def test_more_calls_than_workers_take_turns(sandbox: Sandbox) -> None:
    execute(
        sandbox,
        """
        import threading, time
        now, most, lock, met = 0, 0, threading.Lock(), threading.Event()
        def work(number):
            global now, most
            with lock:
                now += 1
                most = max(most, now)
                if now > 1:
                    met.set()
            met.wait(60)  # however late the second worker comes
            time.sleep(0.01)
            with lock:
                now -= 1
            return number
        """,
    )
    outcomes = sandbox.call_many("work", [[number] for number in range(40)], workers=4)
    assert [outcome.value for outcome in outcomes] == list(range(40))
    assert 1 < sandbox.value("most") <= 4


def test_calls_that_never_return_time_out_and_leave_a_kernel_that_works(sandbox: Sandbox) -> None:
    execute(
        sandbox,
        """
        import time
        def spin():
            while True: pass
        def sleep(): time.sleep(600)
        def fine(): return "fine"
        """,
    )
    for hanging in ("spin", "sleep"):
        began = time.monotonic()
        with pytest.raises(AgentTimeout):
            # So long that it has begun to hang: what has not can't be interrupted.
            sandbox.call(hanging, timeout=5)
        assert time.monotonic() - began < 60
        assert sandbox.call("fine") == "fine"
    with pytest.raises(AgentTimeout, match="3 of 3 calls"):
        sandbox.call_many("spin", [[], [], []], workers=3, timeout=1)
    assert sandbox.call("fine") == "fine"


def test_a_kernel_that_ignores_interrupts_is_ended(sandbox: Sandbox) -> None:
    execute(
        sandbox,
        """
        import time
        def stubborn():
            while True:
                try:
                    time.sleep(60)
                except BaseException:
                    pass
        """,
    )
    with pytest.raises(AgentTimeout):
        sandbox.call("stubborn", timeout=1)
    with pytest.raises(KernelDied):
        sandbox.call("stubborn", timeout=1)
    execute(sandbox, "import os, signal\ndef freeze(): os.kill(os.getpid(), signal.SIGSTOP)")
    with pytest.raises(AgentTimeout):
        sandbox.call("freeze", timeout=1)
    assert sandbox.status().state is SandboxState.READY
    assert printed(execute(sandbox, "print('again')")) == "again\n"


def test_a_kernel_that_exits_is_seen_at_once(sandbox: Sandbox) -> None:
    began = time.monotonic()
    executed = execute(sandbox, "x = 1", "import os; os._exit(7)", "x = 2")
    assert executed.outcome is NotebookOutcome.KERNEL_DIED
    assert "cell 2" in executed.detail
    assert "code 7" in executed.detail
    assert time.monotonic() - began < 100
    with pytest.raises(KernelDied, match="cell 2"):
        sandbox.value("x")
    execute(sandbox, "def leave():\n    import os; os._exit(0)")
    with pytest.raises(KernelDied):
        sandbox.call("leave")


def test_a_cell_and_a_notebook_that_take_too_long_are_ended(sandbox: Sandbox) -> None:
    executed = execute(
        sandbox, "def kept(): return 'kept'", "while True: pass", "print('never')", cell_seconds=10
    )
    assert executed.outcome is NotebookOutcome.TIMED_OUT
    assert "Cell 2" in executed.detail
    assert printed(executed) == ""
    assert sandbox.call("kept") == "kept"
    began = time.monotonic()
    executed = execute(sandbox, *["import time; time.sleep(0.7)"] * 300, total_seconds=2)
    assert executed.outcome is NotebookOutcome.TIMED_OUT
    assert "The notebook" in executed.detail
    assert time.monotonic() - began < 100


@pytest.mark.parametrize(
    "source",
    [
        "while True: print('spam' * 100)",
        "print('x' * 5_000_000)",
        "import sys\nwhile True: sys.stderr.write('y' * 1000)",
        "from IPython.display import display, HTML\nwhile True: display(HTML('<b>' * 200))",
        "from IPython.display import clear_output\nwhile True: clear_output()",
    ],
    ids=["lines", "one long line", "errors", "html", "empty messages"],
)
def test_output_without_end_is_cut_and_said(sandbox: Sandbox, source: str) -> None:
    executed = execute(sandbox, "print('before')", source, "print('after')", output_bytes=50_000)
    assert executed.outcome is NotebookOutcome.OUTPUT_LIMIT
    assert "Cell 2" in executed.detail
    text = printed(executed)
    assert text.startswith("before\n")
    assert "after\n" not in text
    assert "[Output cut" in text
    assert len(text) < 60_000


def test_eating_memory_ends_in_a_clear_result_and_harms_nothing_else(sandbox: Sandbox) -> None:
    executed = execute(
        sandbox,
        """
        hoard = []
        for _ in range(500):
            hoard.append(bytearray(10_000_000))
        """,
    )
    assert "memory" in executed.detail.lower()
    assert executed.outcome is NotebookOutcome.KERNEL_DIED or executed.errors[0].name == "MemoryError"
    assert sandbox.status().state is SandboxState.READY
    assert [service.state for service in sandbox.status().services] == ["ready"]
    assert printed(execute(sandbox, "print('again')")) == "again\n"


def test_what_is_too_large_is_refused_in_both_directions(sandbox: Sandbox) -> None:
    execute(sandbox, "def big(): return 'x' * 2_000_000\ndef size(text): return len(text)")
    with pytest.raises(TooLarge):
        sandbox.call("big")
    with pytest.raises(TooLarge):
        sandbox.call("size", "x" * 2_000_000)
    assert sandbox.call("size", "x" * 500_000) == 500_000
    with pytest.raises(TooLarge):
        execute(sandbox, "x = '" + "y" * 17_000_000 + "'")


def test_what_is_no_notebook_is_refused_with_a_reason(sandbox: Sandbox) -> None:
    from sandboxes.interface import ExecutionLimits

    for wrong in (
        {},
        {"cells": 3},
        {**notebook("1"), "nbformat": 3},
        {**notebook(), "cells": [{"cell_type": "spell"}]},
    ):
        with pytest.raises(SandboxError, match="not a notebook"):
            sandbox.execute(wrong, ExecutionLimits())


def test_patched_builtins_and_modules_do_not_break_the_agent(sandbox: Sandbox) -> None:
    execute(
        sandbox,
        """
        import json, builtins, time, threading
        def f(): return 1
        json.dumps = lambda *a, **k: "{not json"
        """,
    )
    with pytest.raises(SandboxError):
        sandbox.call("f")
    execute(sandbox, "import builtins\ndef f(): return 1\nbuiltins.__import__ = None", cell_seconds=2)
    with pytest.raises(SandboxError):
        sandbox.call("f")
    execute(sandbox, "get_ipython = lambda: None\ndef f(): return 1", cell_seconds=2)
    with pytest.raises(SandboxError):
        sandbox.call("f")
    assert sandbox.status().state is SandboxState.READY


def test_what_a_kernel_started_does_not_outlive_it(sandbox: Sandbox) -> None:
    seconds = str(3000 + os.getpid())  # in a sandbox of the local driver others' processes are in sight
    source = f"""
    import subprocess
    loose = subprocess.Popen(["sleep", "{seconds}"], start_new_session=True).pid
    """
    execute(sandbox, source)
    assert _sleepers(sandbox, seconds) == 1
    execute(sandbox, "pass")
    assert until(lambda: _sleepers(sandbox, seconds) == 0)


def _sleepers(sandbox: Sandbox, seconds: str) -> int:
    """How many of those processes there are, seen from within."""
    count = f"""
import pathlib
found = 0
for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
    try:
        found += path.read_bytes().split(b"\\0")[:2] == [b"sleep", b"{seconds}"]
    except OSError:
        pass
print(found)
"""
    return int(sandbox.run(["python3", "-c", count]).output)


def test_a_command_runs_in_the_workspace(sandbox: Sandbox) -> None:
    sandbox.write("words.txt", b"one\ntwo\n")
    done = sandbox.run(["sh", "-c", "wc -l < words.txt; echo oops >&2; exit 3"])
    assert (done.exit_code, done.output.split()) == (3, ["2", "oops"])
    with pytest.raises(AgentTimeout):
        sandbox.run(["sleep", "60"], timeout=0.5)
    flood = sandbox.run(["sh", "-c", "head -c 3000000 /dev/zero | tr '\\0' 'x'"])
    assert flood.exit_code == 0
    assert flood.output.endswith("[output cut]\n")
    assert len(flood.output) < 300_000
    with pytest.raises(FileNotFoundError):
        sandbox.run(["no-such-program"])
