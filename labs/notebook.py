"""`lab.md`, a notebook in Markdown (`labs.cells`) with solution regions, and the notebooks that are made from it.

A *task cell* is a code cell with `task="<task id>"` behind its fence's language. Its *solution region* stands between
`### BEGIN SOLUTION` and `### END SOLUTION`; the learner's notebook has a stub there, a wrong answer has its own code there.
Only fences that say `python` are cells, and those of Go that name a file (`labs.go_cells`); any other code block (SQL, shell,
text) stays part of the text around it.
"""

from __future__ import annotations

import ast
import hashlib
import re
import textwrap
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labs import go_cells
from labs.cells import Unreadable, cells
from labs.faults import Fault

BEGIN = "### BEGIN SOLUTION"
END = "### END SOLUTION"
MAX_SOURCE_BYTES = 262_144
NOTEBOOK_METADATA: dict[str, Any] = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}

DEFAULT_PORTAL = "http://localhost:8000"
"""Where a portal is by default. Links of a text to the portal's pages (`/lessons/…`) lead there from a notebook, which has
another address; a portal that is elsewhere puts its own address in."""
_PORTAL_LINK = re.compile(r"(\]\()(/(?:lessons|labs|roadmap|quizzes|code)/)")
_REGION = re.compile(
    rf"^(?P<indent>[ \t]*)(?P<mark>###|//) BEGIN SOLUTION[ \t]*\n(?P<body>.*?)"
    rf"(?:^[ \t]*{go_cells.STARTER}[ \t]*\n(?P<starter>.*?))?^[ \t]*(?P=mark) END SOLUTION[ \t]*$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Cell:
    """One cell of the reference notebook."""

    id: str
    """The same for the same text, so that a rebuilt notebook differs only where the lab does."""
    kind: str
    """`code` or `markdown`."""
    source: str
    task: str | None = None
    line: int = 1
    """Where a code cell's fence, or the first line of a text, stands in `lab.md`."""


@dataclass(frozen=True)
class Source:
    """The reference notebook of a lab."""

    lab: str
    cells: tuple[Cell, ...]

    def learner(self) -> dict[str, Any]:
        """The notebook that a learner starts from: every solution replaced by a stub that says so when it runs."""
        return self._notebook(
            {cell.task: starter_of(cell.source, cell.task) for cell in self.cells if cell.task}
        )

    def solution(self) -> dict[str, Any]:
        """The notebook with the reference solution, its markers taken out."""
        return self._notebook({cell.task: solution_of(cell.source) for cell in self.cells if cell.task})

    def with_answers(self, answers: Mapping[str, str]) -> dict[str, Any]:
        """The solution, but with these answers (task id → code) in place of the solution regions of their tasks."""
        regions = {cell.task: solution_of(cell.source) for cell in self.cells if cell.task}
        unknown = sorted(set(answers) - set(regions))
        if unknown:
            raise KeyError(f"no task cell for {', '.join(unknown)}")
        return self._notebook({**regions, **answers})

    def answer(self, task: str) -> str:
        """The whole reference cell of a task, markers taken out: what a learner is shown who has passed."""
        for cell in self.cells:
            if cell.task == task:
                return fill(cell.source, solution_of(cell.source))
        raise KeyError(task)

    def imports(self) -> tuple[str, ...]:
        """The modules that the cells import, sorted; a name that is imported from a module may be one too, and is listed then."""
        found: set[str] = set()
        for cell in self.cells:
            is_python = cell.kind == "code" and not go_cells.is_go(cell.source)
            for node in ast.walk(ast.parse(cell.source)) if is_python else ():
                if isinstance(node, ast.Import):
                    found |= {alias.name for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    # Modules are written in small letters, so that classes are not tried as modules.
                    submodules = {alias.name for alias in node.names if alias.name.islower()}
                    found |= {node.module, *(f"{node.module}.{name}" for name in submodules)}
        return tuple(sorted(found))

    def _notebook(self, regions: Mapping[str, str]) -> dict[str, Any]:
        cells = []
        for cell in self.cells:
            text = fill(cell.source, regions[cell.task]) if cell.task else cell.source
            cells.append(_nbformat_cell(cell, text))
        metadata = {**NOTEBOOK_METADATA, "proving_ground": {"lab": self.lab, "built": _digest(cells)}}
        return {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def is_as_built(notebook: Mapping[str, Any]) -> bool:
    """Whether nobody has changed a cell of this notebook since it was made from a lab."""
    built = notebook.get("metadata", {}).get("proving_ground", {}).get("built")
    return bool(built == _digest(notebook.get("cells", [])))


def stub(task: str) -> str:
    """What stands in the learner's notebook where the solution region was."""
    return f'# Your code here: task {task}\nraise NotImplementedError("task {task}")'


def starter_of(source: str, task: str) -> str:
    """What stands in the learner's notebook where this cell's solution region was."""
    if not go_cells.is_go(source):
        return stub(task)
    found = _REGION.search(source)
    return go_cells.stub(task, found["starter"] if found else None)


def solution_of(source: str) -> str:
    """The code inside a cell's solution region, without the region's indentation."""
    found = _REGION.search(source)
    if found is None:
        raise ValueError("the cell has no solution region")
    return textwrap.dedent(found["body"]).rstrip("\n")


def fill(source: str, code: str) -> str:
    """The cell with this code, indented as the region was, in place of its solution region."""

    def replacement(found: re.Match[str]) -> str:
        return textwrap.indent(textwrap.dedent(code).strip("\n"), found["indent"])

    return _REGION.sub(replacement, source, count=1)


def dumps(notebook: Mapping[str, Any]) -> str:
    """The notebook as the text of an `.ipynb` file; the same notebook gives the same text."""
    import nbformat  # slow to import, and whoever reads labs writes no notebook

    text: str = nbformat.writes(nbformat.from_dict(notebook))
    return text.rstrip("\n") + "\n"


def task_cell_id(task: str) -> str:
    """The id of a task's cell; within nbformat's 64 characters, because a task's id is at most 56 long."""
    return f"task-{task}"


def parse(lab: str, path: Path, text: str, tasks: Collection[str]) -> tuple[Source | None, list[Fault]]:
    """Read `lab.md`: the reference notebook, or every fault in it.

    Each of `tasks` must have exactly one task cell, each task cell exactly one solution region, and each code cell must be
    valid Python both with the solution and with the stub.
    """
    if len(text.encode()) > MAX_SOURCE_BYTES:
        return None, [Fault(path, 1, f"is larger than {MAX_SOURCE_BYTES // 1024} KB")]
    try:
        raw = cells(text)
    except Unreadable as error:
        return None, [Fault(path, error.line, str(error))]
    made: list[Cell] = []
    seen: dict[str, int] = {}
    for cell in raw:
        kind = "code" if cell.is_code else "markdown"
        identity = _cell_id(lab, kind, cell.source, cell.task, seen)
        made.append(Cell(identity, kind, cell.source, cell.task, cell.line))
    faults = _faults_of_tasks(path, made, tasks)
    for one in made:
        faults += _faults_of_code(path, one) if one.kind == "code" else []
    return (None, faults) if faults else (Source(lab, tuple(made)), [])


def _digest(cells: Iterable[Mapping[str, Any]]) -> str:
    sources = "\0".join("".join(cell.get("source", "")) for cell in cells)
    return hashlib.sha256(sources.encode()).hexdigest()[:16]


def _cell_id(lab: str, kind: str, source: str, task: str | None, seen: dict[str, int]) -> str:
    if task:
        return task_cell_id(task)
    digest = hashlib.sha256(f"{lab}\n{kind}\n{source}".encode()).hexdigest()[:12]
    seen[digest] = seen.get(digest, 0) + 1
    return digest if seen[digest] == 1 else f"{digest}-{seen[digest]}"


def _nbformat_cell(cell: Cell, text: str) -> dict[str, Any]:
    if cell.kind == "markdown":
        text = _PORTAL_LINK.sub(rf"\1{DEFAULT_PORTAL}\2", text)
    made: dict[str, Any] = {"cell_type": cell.kind, "id": cell.id, "metadata": {}, "source": text}
    if cell.kind == "code":
        made |= {"execution_count": None, "outputs": []}
    if cell.task:
        made["metadata"] = {"deletable": False, "task": cell.task}
    return made


def _faults_of_tasks(path: Path, cells: list[Cell], tasks: Collection[str]) -> list[Fault]:
    faults = []
    lines: dict[str, int] = {}
    for cell in cells:
        if cell.task is None:
            if "BEGIN SOLUTION" in cell.source or "END SOLUTION" in cell.source:
                faults.append(Fault(path, cell.line, 'has a solution region in a cell without `task="…"`'))
            continue
        if cell.task not in tasks:
            faults.append(
                Fault(path, cell.line, f"is the cell of a task `{cell.task}` that lab.yaml does not name")
            )
        if cell.task in lines:
            message = f"is a second cell of task `{cell.task}`; the first is on line {lines[cell.task]}"
            faults.append(Fault(path, cell.line, message))
        lines.setdefault(cell.task, cell.line)
        begin, end = go_cells.MARKERS if go_cells.is_go(cell.source) else (BEGIN, END)
        markers = (cell.source.count(begin), cell.source.count(end), len(_REGION.findall(cell.source)))
        if markers != (1, 1, 1):
            message = f"needs one solution region, from `{begin}` to `{end}`, each on a line of its own"
            faults.append(Fault(path, cell.line, message))
    faults += [
        Fault(path, 1, f'task `{task}` has no cell: give one code cell `task="{task}"`')
        for task in tasks
        if task not in lines
    ]
    return faults


def _faults_of_code(path: Path, cell: Cell) -> list[Fault]:
    if go_cells.is_go(cell.source):
        starter = starter_of(cell.source, cell.task) if cell.task else None
        return [Fault(path, cell.line, fault) for fault in go_cells.faults_of_source(cell.task, starter)]
    versions = [cell.source]
    if cell.task and _REGION.search(cell.source):
        versions.append(fill(cell.source, stub(cell.task)))
    for text in versions:
        try:
            ast.parse(text)
        except SyntaxError as error:
            return [Fault(path, cell.line + (error.lineno or 1), f"is not valid Python: {error.msg}")]
    return []
