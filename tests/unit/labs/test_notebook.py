"""From lab.md to notebooks."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import pytest

from labs.catalogue import Lab
from labs.notebook import dumps, fill, is_as_built, parse, solution_of
from tests.unit.labs.conftest import TEXT


def cell_of(notebook: dict, task: str) -> dict:
    return next(cell for cell in notebook["cells"] if cell["metadata"].get("task") == task)


def test_the_learner_gets_a_stub_where_the_solution_was(lab: Lab) -> None:
    source = cell_of(lab.source.learner(), "add")["source"]
    assert source == (
        'def add(a, b):\n    """Their sum."""\n    # Your code here: task add\n    raise NotImplementedError("task add")'
    )


def test_the_modules_that_its_cells_import_are_known(tmp_path: Path) -> None:
    text = """\
```python
import os.path, uuid as unique
from labkit import lab
from collections import Counter
from . import nothing
```

Words about `import antigravity`.

```python task="one"
def one():
    ### BEGIN SOLUTION
    from decimal import Decimal
    return Decimal(1)
    ### END SOLUTION
```
"""
    source, faults = parse("tiny", tmp_path / "lab.md", text, ["one"])
    assert source is not None, faults
    assert source.imports() == ("collections", "decimal", "labkit", "labkit.lab", "os.path", "uuid")


def test_no_notebook_of_a_learner_holds_a_solution(lab: Lab) -> None:
    text = dumps(lab.source.learner())
    assert "total = a + b" not in text
    assert "SOLUTION" not in text


def test_the_solution_keeps_its_indentation_and_loses_its_markers(lab: Lab) -> None:
    source = cell_of(lab.source.solution(), "add")["source"]
    assert source == 'def add(a, b):\n    """Their sum."""\n    total = a + b\n    return total'
    assert lab.source.answer("double") == "def double(a):\n    return a * 2"


@pytest.mark.parametrize("code", ["return a - b", "    return a - b", "\n\n  return a - b\n"])
def test_a_wrong_answer_takes_the_place_of_the_region_however_it_is_indented(lab: Lab, code: str) -> None:
    notebook = lab.source.with_answers({"add": code})
    assert cell_of(notebook, "add")["source"] == 'def add(a, b):\n    """Their sum."""\n    return a - b'
    assert cell_of(notebook, "double")["source"] == "def double(a):\n    return a * 2"


def test_backslashes_in_code_stay_as_they_are() -> None:
    source = "### BEGIN SOLUTION\nx = '\\n\\1'\n### END SOLUTION"
    assert fill(source, solution_of(source)) == "x = '\\n\\1'"


def test_an_answer_to_an_unknown_task_is_refused(lab: Lab) -> None:
    with pytest.raises(KeyError, match="no task cell for triple"):
        lab.source.with_answers({"triple": "pass"})


def test_task_cells_carry_their_task_and_can_not_be_deleted(lab: Lab) -> None:
    cell = cell_of(lab.source.learner(), "add")
    assert cell["id"] == "task-add"
    assert cell["metadata"] == {"deletable": False, "task": "add"}


def test_only_python_fences_are_cells(lab: Lab) -> None:
    cells = lab.source.learner()["cells"]
    assert [cell["cell_type"] for cell in cells] == ["markdown", "code", "code", "code", "code"]
    assert "```sql\nSELECT 1;\n```" in cells[0]["source"]
    assert "noeval" not in cells[0]["source"]


def test_a_build_is_the_same_every_time_and_valid(lab: Lab) -> None:
    first, second = dumps(lab.source.learner()), dumps(lab.source.learner())
    assert first == second
    assert first.endswith("}\n")
    nbformat.validate(nbformat.reads(first, as_version=4))


def test_ids_of_cells_stay_when_other_cells_change() -> None:
    def ids(text: str) -> list[str]:
        source, faults = parse("tiny", Path("lab.md"), text, ["add", "double"])
        assert source is not None, faults
        return [cell.id for cell in source.cells]

    before = ids(TEXT)
    after = ids(TEXT.replace("given = 1", "given = 2"))
    assert [a == b for a, b in zip(before, after, strict=True)] == [True, False, True, True, True]


def test_equal_cells_get_different_ids() -> None:
    text = TEXT + "\n```python\nsame = 1\n```\n\n```python\nsame = 1\n```\n"
    source, _ = parse("tiny", Path("lab.md"), text, ["add", "double"])
    assert source is not None
    ids = [cell.id for cell in source.cells]
    assert len(ids) == len(set(ids))


def test_a_notebook_knows_whether_somebody_has_worked_in_it(lab: Lab) -> None:
    notebook = json.loads(dumps(lab.source.learner()))
    assert is_as_built(notebook)
    cell_of(notebook, "add")["source"] = ["return 1"]
    assert not is_as_built(notebook)
    assert not is_as_built({"cells": []})
