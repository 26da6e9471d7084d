"""The mutants of a lab's solution: made, told apart, and chosen."""

from __future__ import annotations

import ast
import difflib
import hashlib
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import Any

from labs.catalogue import Lab
from labs.mutation import go, python
from labs.notebook import fill, solution_of

MAGIC = "%%"
"""What a cell begins with that is not Python."""


@dataclass(frozen=True)
class Mutant:
    """A task's solution with one change."""

    task: str
    operator: str
    before: str
    """The solution region as it is."""
    after: str
    fingerprint: str
    """The same as long as the task, the kind of change and the changed lines are the same."""

    def notebook(self, lab: Lab) -> dict[str, Any]:
        """The lab's solution with this change."""
        return lab.source.with_answers({self.task: self.after})

    def diff(self) -> str:
        """The lines that differ, a line before and after them."""
        lines = difflib.unified_diff(self.before.splitlines(), self.after.splitlines(), lineterm="", n=1)
        return "\n".join(line for line in lines if not line.startswith(("---", "+++", "@@")))


def mutants_of(lab: Lab) -> list[Mutant]:
    """Every mutant of a lab, by task; no two with the same code, and none that is not valid Python."""
    return [mutant for cell in lab.source.cells if cell.task for mutant in _of_cell(cell.task, cell.source)]


def choose(mutants: list[Mutant], at_most: int) -> list[Mutant]:
    """At most so many: the same each time, spread over the tasks, and within a task over the kinds of change."""
    queues: dict[str, list[Mutant]] = {}
    for mutant in mutants:
        queues.setdefault(mutant.task, []).append(mutant)
    ordered = [_mixed(some) for some in queues.values()]
    chosen: list[Mutant] = []
    while len(chosen) < at_most and any(ordered):
        for queue in ordered:
            if queue and len(chosen) < at_most:
                chosen.append(queue.pop(0))
    wanted = {mutant.fingerprint for mutant in chosen}
    return [mutant for mutant in mutants if mutant.fingerprint in wanted]


def _of_cell(task: str, source: str) -> list[Mutant]:
    before = solution_of(source)
    is_python = not source.lstrip().startswith(MAGIC)
    seen = {_meaning(before, is_python)}
    occurrences: Counter[str] = Counter()
    found = []
    for change in (python if is_python else go).changes(before):
        after = change.apply(before)
        if is_python and not _compiles(fill(source, after)):
            continue
        meaning = _meaning(after, is_python)
        if meaning in seen:
            continue
        seen.add(meaning)
        key = _key(task, change.operator, before, after)
        occurrences[key] += 1
        # With a letter before it, YAML never takes it for a number.
        fingerprint = "m" + hashlib.sha256(f"{key}\n{occurrences[key]}".encode()).hexdigest()[:11]
        found.append(Mutant(task, change.operator, before, after, fingerprint))
    return found


def _key(task: str, operator: str, before: str, after: str) -> str:
    """What makes a mutant itself, whatever stands around it."""
    lines = difflib.ndiff(before.splitlines(), after.splitlines())
    changed = [f"{line[0]}{line[2:].strip()}" for line in lines if line[0] in "+-"]
    return "\n".join([task, operator, *changed])


def _meaning(code: str, is_python: bool) -> str:
    """Equal for code that differs in layout only."""
    if is_python:
        try:
            return ast.dump(ast.parse(code))
        except SyntaxError:
            return code
    return "\n".join(" ".join(line.split()) for line in code.splitlines() if line.strip())


def _compiles(cell: str) -> bool:
    try:
        compile(cell, "cell", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    except (SyntaxError, ValueError):
        return False
    return True


def _mixed(mutants: list[Mutant]) -> list[Mutant]:
    """In turns one of each kind of change; within a kind by fingerprint, which is as good as by lot and stays the same."""
    kinds: dict[str, list[Mutant]] = defaultdict(list)
    for mutant in sorted(mutants, key=lambda mutant: mutant.fingerprint):
        kinds[mutant.operator].append(mutant)
    mixed = []
    queues = sorted(kinds.values(), key=lambda some: some[0].fingerprint)
    while any(queues):
        mixed += [queue.pop(0) for queue in queues if queue]
    return mixed
