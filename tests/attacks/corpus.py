"""An attack is one file: what it tries in its first line, a few constants, and hostile code.

    \"\"\"Returns an object that says it equals everything.\"\"\"     one sentence
    LOCAL = True                                                 constants, see `Attack`; all may be left out
    class Agreeable: ...                                         the code of a cell

A file that defines `submission(honest)` makes the bytes of a notebook instead, one that defines
`hand_in(workspace, honest, secret)` changes a learner's workspace before the notebook is taken from it. These two run outside
of any sandbox and must be harmless there.
"""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labs.catalogue import Lab
from labs.notebook import dumps

ROOT = Path(__file__).parent
FOLDERS = ("forge", "read", "exhaust", "escape", "reach", "confuse")
IDLE = "pass  # nothing has been done here"
_CONSTANTS = {
    "LAB": str,
    "CELL": str,
    "LOCAL": bool,
    "NEEDS": str,
    "SAYS": str,
    "SECONDS": int,
    "EARNS": str,
    "KEEPS": bool,
    "LOOT": str,
}


class MalformedAttack(Exception):
    """A file that is not an attack as the corpus wants it."""


@dataclass(frozen=True)
class Attack:
    """One hostile notebook, submission or workspace."""

    path: Path
    says: str
    """What it tries, in one sentence."""
    code: str = ""
    """The code of its cell."""
    submission: Callable[[bytes], bytes] | None = None
    hand_in: Callable[[Path, bytes, Path], None] | None = None
    constants: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """`forge/patches-json`."""
        return f"{self.path.parent.name}/{self.path.stem}"

    @property
    def lab(self) -> str:
        """LAB: `target`, or one of the product's labs when their services are what is attacked."""
        return str(self.constants.get("LAB", "target"))

    @property
    def cell(self) -> str:
        """CELL, where the code stands. `tasks`: in the first task's cell, nothing is in the others; `first` or `last`: before or
        behind an honest solution; a task's id: in that task's cell, the others are honest."""
        return str(self.constants.get("CELL", "tasks"))

    @property
    def local(self) -> bool:
        """LOCAL: whether the local driver has to hold too. Never for what could harm this machine."""
        return bool(self.constants.get("LOCAL", False))

    @property
    def needs(self) -> str | None:
        """NEEDS: the defence that is still to be built; until then the attack may succeed."""
        return self.constants.get("NEEDS")

    @property
    def expected_words(self) -> str | None:
        """SAYS: a pattern that what the learner is told must match."""
        return self.constants.get("SAYS")

    @property
    def seconds(self) -> int | None:
        """SECONDS: how long its notebook may run, where less than the lab's own time shows the same."""
        return self.constants.get("SECONDS")

    @property
    def loot(self) -> str | None:
        """LOOT: a mark before what the code steals; what the learner is told must not hold it."""
        return self.constants.get("LOOT")

    @property
    def keeps(self) -> bool:
        """KEEPS: whether the honest cells must still earn their points."""
        return bool(self.constants.get("KEEPS", False))

    def may_earn(self, lab: Lab) -> frozenset[str]:
        """The tasks whose points honest work has earned. EARNS = "honest" gives them all, for what is odd but no cheating."""
        tasks = frozenset(task.id for task in lab.tasks)
        if self.constants.get("EARNS") == "honest" or self.cell in ("first", "last"):
            return tasks
        return tasks - {self.cell} if self.cell in tasks else frozenset()

    def notebook(self, lab: Lab, host: dict[str, Any]) -> bytes:
        """The notebook that is handed in. `host` is what an attacker may have learned about the machine."""
        made = copy.deepcopy(lab.source.solution())
        if self.submission is not None:
            return self.submission(dumps(made).encode())
        code = f"HOST = {host!r}\n{self.code}" if "HOST[" in self.code else self.code
        cells = {cell["metadata"]["task"]: cell for cell in made["cells"] if "task" in cell["metadata"]}
        first = next(iter(cells))
        if self.cell == "tasks":
            for task, cell in cells.items():
                cell["source"] = code if task == first else IDLE
        elif self.cell in cells:
            cells[self.cell]["source"] = code
        else:
            cell = {"cell_type": "code", "id": "attack", "metadata": {}, "source": code}
            cell |= {"execution_count": None, "outputs": []}
            made["cells"].insert(0 if self.cell == "first" else len(made["cells"]), cell)
        return dumps(made).encode()


def load() -> list[Attack]:
    """The whole corpus, in order of its names. Raises MalformedAttack."""
    return [read(path) for folder in FOLDERS for path in sorted((ROOT / folder).glob("*.py"))]


def read(path: Path) -> Attack:
    """One attack. Raises MalformedAttack."""
    text = path.read_text(encoding="utf-8")
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*\.py", path.name):
        raise MalformedAttack(f"{path}: name the file for what it tries, in small letters and dashes")
    try:
        body = ast.parse(text).body
    except SyntaxError as error:
        raise MalformedAttack(f"{path}:{error.lineno}: {error.msg}") from error
    says = re.fullmatch(r'"""([A-Z`].{15,140}\.)"""', text.split("\n", 1)[0])
    if says is None:
        raise MalformedAttack(f"{path}: the first line must be one sentence in triple quotes")
    constants: dict[str, Any] = {}
    end = 1
    rest = body[1:]
    while rest and isinstance(rest[0], ast.Assign) and _name(rest[0]) in _CONSTANTS:
        name = _name(rest[0])
        constants[name] = _literal(path, rest[0])
        end = rest[0].end_lineno or end
        rest = rest[1:]
    if not rest:
        raise MalformedAttack(f"{path}: there is no code")
    unknown = [_name(node) for node in rest if isinstance(node, ast.Assign) and _name(node) in _CONSTANTS]
    if unknown:
        raise MalformedAttack(f"{path}: {unknown[0]} must stand before the code")
    defined = {node.name for node in rest if isinstance(node, ast.FunctionDef)}
    made: dict[str, Any] = {}
    if defined & {"submission", "hand_in"}:
        exec(compile(text, str(path), "exec"), made)
    return Attack(
        path=path,
        says=says[1],
        code="" if made else "\n".join(text.split("\n")[end:]).strip("\n") + "\n",
        submission=made.get("submission"),
        hand_in=made.get("hand_in"),
        constants=constants,
    )


def _name(node: ast.stmt) -> str:
    match node:
        case ast.Assign(targets=[ast.Name(id=name)]):
            return name
    return ""


def _literal(path: Path, node: ast.Assign) -> Any:
    name = _name(node)
    try:
        value = ast.literal_eval(node.value)
    except ValueError as error:
        raise MalformedAttack(f"{path}: {name} must be a plain value") from error
    if type(value) is not _CONSTANTS[name]:
        raise MalformedAttack(f"{path}: {name} must be a {_CONSTANTS[name].__name__}")
    if name == "EARNS" and value != "honest":
        raise MalformedAttack(f'{path}: EARNS can only be "honest"')
    return value
