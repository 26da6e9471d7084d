"""`lab.md`, a Jupytext Markdown notebook with solution regions, and the notebooks that are made from it.

A *task cell* is a code cell with `task="<task id>"` behind its fence's language. Its *solution region* stands between
`### BEGIN SOLUTION` and `### END SOLUTION`; the learner's notebook has a stub there, a wrong answer has its own code there.
Only fences that say `python` are cells; any other code block (SQL, shell, text) stays part of the text around it.
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

import jupytext
import nbformat

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
_FENCE = re.compile(r"^(?P<ticks>`{3,})[ \t]*(?P<info>[^`]*)$")
_REGION = re.compile(
    rf"^(?P<indent>[ \t]*){re.escape(BEGIN)}[ \t]*\n(?P<body>.*?)^[ \t]*{re.escape(END)}[ \t]*$",
    re.MULTILINE | re.DOTALL,
)
_TEXT_ONLY = ".noeval"
"""What Jupytext wants behind the language of a code block that is not a cell."""


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
    """Where a code cell's fence stands in `lab.md`."""


@dataclass(frozen=True)
class Source:
    """The reference notebook of a lab."""

    lab: str
    cells: tuple[Cell, ...]

    def learner(self) -> dict[str, Any]:
        """The notebook that a learner starts from: every solution replaced by a stub that says so when it runs."""
        return self._notebook({cell.task: stub(cell.task) for cell in self.cells if cell.task})

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
            for node in ast.walk(ast.parse(cell.source)) if cell.kind == "code" else ():
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
    text: str = nbformat.writes(nbformat.from_dict(notebook))
    return text.rstrip("\n") + "\n"


def task_cell_id(task: str) -> str:
    """The id of a task's cell; within nbformat's 64 characters, because a task's id is at most 56 long."""
    return f"task-{task}"


def code_blocks(text: str) -> list[tuple[int, str, str]]:
    """The fenced code blocks of a Markdown text: line of the fence, what stands behind it, content."""
    blocks: list[tuple[int, str, str]] = []
    opened: tuple[int, str, int] | None = None
    content: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        fence = _FENCE.match(line)
        if opened is None:
            if fence:
                opened, content = (number, fence["info"].strip(), len(fence["ticks"])), []
        elif fence and not fence["info"].strip() and len(fence["ticks"]) >= opened[2]:
            blocks.append((opened[0], opened[1], "\n".join(content)))
            opened = None
        else:
            content.append(line)
    if opened is not None:
        blocks.append((opened[0], opened[1], "\n".join(content)))
    return blocks


def parse(lab: str, path: Path, text: str, tasks: Collection[str]) -> tuple[Source | None, list[Fault]]:
    """Read `lab.md`: the reference notebook, or every fault in it.

    Each of `tasks` must have exactly one task cell, each task cell exactly one solution region, and each code cell must be
    valid Python both with the solution and with the stub.
    """
    if len(text.encode()) > MAX_SOURCE_BYTES:
        return None, [Fault(path, 1, f"is larger than {MAX_SOURCE_BYTES // 1024} KB")]
    lines = [line for line, info, _ in code_blocks(text) if _is_cell(info)]
    parsed = jupytext.reads(_protect_blocks(text), fmt="md")
    code = [cell for cell in parsed.cells if cell.cell_type == "code"]
    if len(code) != len(lines):
        return None, [
            Fault(path, 1, "has a code fence that is never closed, or one inside a list or quotation")
        ]
    cells, faults = [], []
    seen: dict[str, int] = {}
    for cell in parsed.cells:
        line = lines.pop(0) if cell.cell_type == "code" else 1
        extra = sorted(set(cell.metadata) - {"task"})
        if extra:
            faults.append(
                Fault(path, line, f'the cell says `{extra[0]}`: only `task="…"` may stand behind a fence')
            )
        source = cell.source if cell.cell_type == "code" else cell.source.replace(f" {_TEXT_ONLY}", "")
        task = str(cell.metadata["task"]) if "task" in cell.metadata else None
        cells.append(
            Cell(_cell_id(lab, cell.cell_type, source, task, seen), cell.cell_type, source, task, line)
        )
    faults += _faults_of_tasks(path, cells, tasks)
    for one in cells:
        faults += _faults_of_code(path, one) if one.kind == "code" else []
    return (None, faults) if faults else (Source(lab, tuple(cells)), [])


def _digest(cells: Iterable[Mapping[str, Any]]) -> str:
    sources = "\0".join("".join(cell.get("source", "")) for cell in cells)
    return hashlib.sha256(sources.encode()).hexdigest()[:16]


def _is_cell(info: str) -> bool:
    words = info.split()
    return bool(words) and words[0] == "python" and _TEXT_ONLY not in words


def _protect_blocks(text: str) -> str:
    """Jupytext makes `%%sql` cells of SQL blocks and the like; ours are text."""
    lines = text.splitlines()
    for number, info, _ in code_blocks(text):
        if info and not _is_cell(info) and _TEXT_ONLY not in info.split():
            lines[number - 1] += f" {_TEXT_ONLY}"
    return "\n".join(lines) + "\n"


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
            if BEGIN in cell.source or END in cell.source:
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
        markers = (cell.source.count(BEGIN), cell.source.count(END), len(_REGION.findall(cell.source)))
        if markers != (1, 1, 1):
            message = f"needs one solution region, from `{BEGIN}` to `{END}`, each on a line of its own"
            faults.append(Fault(path, cell.line, message))
    faults += [
        Fault(path, 1, f'task `{task}` has no cell: give one code cell `task="{task}"`')
        for task in tasks
        if task not in lines
    ]
    return faults


def _faults_of_code(path: Path, cell: Cell) -> list[Fault]:
    versions = [cell.source]
    if cell.task and _REGION.search(cell.source):
        versions.append(fill(cell.source, stub(cell.task)))
    for text in versions:
        try:
            ast.parse(text)
        except SyntaxError as error:
            return [Fault(path, cell.line + (error.lineno or 1), f"is not valid Python: {error.msg}")]
    return []
