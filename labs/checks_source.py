"""What is wrong with a lab's `checks.py` and `support.py`, found without running them.

Apart from `labs.checks`, which brings along all that a check speaks to a sandbox with: whoever only lists labs needs none of it.
"""

from __future__ import annotations

import ast
from collections.abc import Collection
from pathlib import Path

from labs.faults import Fault


def faults_of_checks(path: Path, text: str, tasks: Collection[str]) -> list[Fault]:
    """What is wrong with a `checks.py`, found without running it: one check with a docstring for each task, none else."""
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        return [Fault(path, error.lineno or 1, f"is not valid Python: {error.msg}")]
    faults: list[Fault] = []
    seen: dict[str, int] = {}
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef):
            continue
        for task in filter(None, (_task_of(decorator) for decorator in node.decorator_list)):
            if task not in tasks:
                faults.append(Fault(path, node.lineno, f"checks a task `{task}` that lab.yaml does not name"))
            if task in seen:
                faults.append(
                    Fault(
                        path, node.lineno, f"is a second check of `{task}`; the first is on line {seen[task]}"
                    )
                )
            if not ast.get_docstring(node):
                faults.append(
                    Fault(
                        path,
                        node.lineno,
                        f"the check of `{task}` needs a docstring: the property that a pass proves",
                    )
                )
            seen.setdefault(task, node.lineno)
    faults += [
        Fault(path, 1, f'task `{task}` has no check: add a function with `@check("{task}")`')
        for task in tasks
        if task not in seen
    ]
    return faults


def faults_of_support(path: Path, text: str) -> list[Fault]:
    """What is wrong with a `support.py`, found without running it."""
    try:
        ast.parse(text)
    except SyntaxError as error:
        return [Fault(path, error.lineno or 1, f"is not valid Python: {error.msg}")]
    return []


def _task_of(decorator: ast.expr) -> str | None:
    match decorator:
        case ast.Call(func=ast.Name(id="check"), args=[ast.Constant(value=str(task))]):
            return task
    return None
