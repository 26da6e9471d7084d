"""A small lab on disk and a driver without processes."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from unittest.mock import create_autospec

import pytest

from labs.catalogue import Lab, load_lab
from labs.under_test import LabUnderTest
from labs.verify import Proof, cases, verify_case
from sandboxes.interface import Endpoint, Sandbox
from tests.fixtures.postgres import ScratchServer
from tests.unit.labs.fake_driver import FakeDriver

MANIFEST = """\
id: tiny
title: Tiny lab
summary: Adds and doubles numbers.
minutes: 10
level: foundation
limits: {total_seconds: 60, cell_seconds: 5, check_seconds: 60}
tasks:
  - id: add
    title: Add
    points: 60
    proves: [acid]
    hints: [Think of plus., It is one operator., "return a + b"]
  - id: double
    title: Double
    points: 40
    proves: [acid, isolation-levels]
    hints: [Think of times., It is one operator., "return a * 2"]
"""

TEXT = """\
# Tiny

Some text.

```sql
SELECT 1;
```

```python
given = 1
```

```python task="add"
def add(a, b):
    \"\"\"Their sum.\"\"\"
    ### BEGIN SOLUTION
    total = a + b
    return total
    ### END SOLUTION
```

```python
shown = add(1, 2)
```

```python task="double"
### BEGIN SOLUTION
def double(a):
    return a * 2
### END SOLUTION
```
"""

CHECKS = '''\
from labs.checks import LabUnderTest, check, require


@check("add")
def adds(lab: LabUnderTest) -> None:
    """Adds any two numbers."""
    a, b = lab.random.randint(1, 9), lab.random.randint(10, 99)
    require(lab.call("add", a, b) == a + b, "The sum is wrong.")


@check("double")
def doubles(lab: LabUnderTest) -> None:
    """Doubles any number."""
    numbers = [lab.random.randint(1, 99) for _ in range(4)]
    outcomes = lab.call_many("double", [[number] for number in numbers], workers=4)
    require([one.value for one in outcomes] == [2 * number for number in numbers], "The double is wrong.")
'''

WRONG = {
    "subtracts": ("add", "return a - b"),
    "first-only": ("add", "return a"),
    "adds-two": ("double", "def double(a):\n    return a + 2"),
    "squares": ("double", "def double(a):\n    return a * a"),
}


def write_wrong_answer(folder: Path, name: str, task: str, code: str, loses: str | None = None) -> None:
    text = f'---\nloses: [{loses or task}]\nwhy: It is a mistake that people make.\n---\n\n```python task="{task}"\n{code}\n```\n'
    (folder / "wrong_answers").mkdir(exist_ok=True)
    (folder / "wrong_answers" / f"{name}.md").write_text(text)


def write_other_answer(folder: Path, name: str, task: str, code: str, header: str = "") -> None:
    text = f'---\nwhy: It is right in another way.\n{header}---\n\n```python task="{task}"\n{code}\n```\n'
    (folder / "other_answers").mkdir(exist_ok=True)
    (folder / "other_answers" / f"{name}.md").write_text(text)


def write_lab(root: Path, slug: str = "tiny") -> Path:
    folder = root / slug
    folder.mkdir(parents=True)
    (folder / "lab.yaml").write_text(MANIFEST.replace("id: tiny", f"id: {slug}"))
    (folder / "lab.md").write_text(TEXT)
    (folder / "checks.py").write_text(CHECKS)
    for name, (task, code) in WRONG.items():
        write_wrong_answer(folder, name, task, code)
    return folder


def read_lab(folder: Path) -> Lab:
    lab, faults = load_lab(folder)
    assert lab is not None, [str(fault) for fault in faults]
    return lab


@pytest.fixture
def lab_folder(tmp_path: Path) -> Path:
    """The folder of a sound lab, for a test to spoil."""
    return write_lab(tmp_path / "content")


@pytest.fixture
def lab(lab_folder: Path) -> Lab:
    """A sound lab with two tasks."""
    return read_lab(lab_folder)


@pytest.fixture
def reload(lab_folder: Path) -> Callable[[], Lab]:
    """Read the lab again after changing a file of it."""
    return lambda: read_lab(lab_folder)


@pytest.fixture
def stock(postgres: ScratchServer) -> Iterator[LabUnderTest]:
    """A check's handle on a real database with a table of ten lamps and ten tables."""
    with postgres.database("stock") as connection:
        connection.execute("CREATE TABLE stock (name text PRIMARY KEY, units integer NOT NULL)")
        connection.execute("INSERT INTO stock VALUES ('lamp', 10), ('table', 10)")
        sandbox = create_autospec(Sandbox)
        sandbox.endpoint.return_value = Endpoint(
            "postgres", postgres.socket_dir, {"user": "postgres", "dbname": "stock"}
        )
        yield LabUnderTest(sandbox, task="reserve", seed=1, deadline=time.monotonic() + 120)


@pytest.fixture
def driver() -> FakeDriver:
    """A driver whose sandboxes are namespaces."""
    return FakeDriver()


def proven(lab: Lab, driver: FakeDriver, names: Collection[str] | None = None) -> list[Proof]:
    """What every case of a lab gives, or only those with these names."""
    return [
        verify_case(lab, case, driver, seed=1) for case in cases(lab) if names is None or case.name in names
    ]
