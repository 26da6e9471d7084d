"""Grading the notebook that is open, on a laptop, with the same grader as everywhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from labkit import checkout
from labkit.report import Report

GRADE_SECONDS = 1_800.0
REMEMBERED_CELLS = 500


class CheckingError(Exception):
    """The notebook could not be graded; the message says why and what to do."""


_executed: list[tuple[float, str]] = []
"""When each cell ran, and its text."""


def watch_cells() -> None:
    """Remember which cells run from now on, so that a file that was not saved since is recognised."""
    shell = _shell()
    if shell is not None and not getattr(shell, "_labkit_watches", False):
        shell.events.register("post_run_cell", _remember)
        shell._labkit_watches = True


def check(notebook: str | Path | None, slug: str) -> Report:
    """Grade the notebook file. Raises CheckingError."""
    root = checkout.checkout()
    if root is None:
        raise CheckingError(
            "Checking needs a checkout of the repository: open the notebook in its folder notebooks/."
        )
    path = find_notebook(notebook, slug, root)
    refuse_unsaved(path)
    print(f"Grading {path.name} in a fresh sandbox …", flush=True)
    command = [checkout.python(root), "-m", "labs", "grade", slug, str(path), "--json"]
    try:
        done = subprocess.run(
            command, cwd=root, stdin=subprocess.DEVNULL, capture_output=True, timeout=GRADE_SECONDS
        )
    except subprocess.TimeoutExpired:
        raise CheckingError(
            f"Grading took longer than {GRADE_SECONDS / 60:g} minutes and was given up."
        ) from None
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip()[-4_000:]
        raise CheckingError(f"The notebook could not be graded.\n{said}")
    return Report(json.loads(done.stdout))


def find_notebook(given: str | Path | None, slug: str, root: Path) -> Path:
    """The file of the notebook that is open: what was given, else what Jupyter or VS Code says, else the lab's own here.

    The last is what `jupyter execute` runs, which tells a kernel nothing but the folder. Raises CheckingError.
    """
    if given is not None:
        path = Path(given).expanduser().resolve()
        if not path.is_file():
            raise CheckingError(
                f"There is no file {path}. Give lab.check() the path of the notebook that you have saved."
            )
        return path
    for candidate in _claims(root):
        if candidate.is_file() and candidate.suffix == ".ipynb":
            return candidate.resolve()
    own = Path.cwd() / f"{slug}.ipynb"
    if own.is_file():
        return own.resolve()
    raise CheckingError(
        f'Your editor does not tell which file this notebook is. Say it yourself: lab.check("{slug}.ipynb"), with the path of '
        "the notebook that you have saved."
    )


def _claims(root: Path) -> list[Path]:
    claims = [os.environ.get("LAB_NOTEBOOK"), os.environ.get("JPY_SESSION_NAME")]
    shell = _shell()
    if shell is not None:
        claims.append(shell.user_ns.get("__vsc_ipynb_file__"))
    found = []
    for claim in claims:
        if claim and isinstance(claim, str):
            # Jupyter's session name is absolute, or relative to the folder in which the server was started.
            found += [Path(claim), Path.cwd() / claim, root / "notebooks" / claim, root / claim]
    return found


def refuse_unsaved(path: Path) -> None:
    """Raise CheckingError when a cell has run that the saved file does not hold: the grader would see an older notebook."""
    saved = path.stat().st_mtime
    later = [text for when, text in _executed if when > saved and "lab.check(" not in text]
    if not later:
        return
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        known = {_normal("".join(cell["source"])) for cell in cells}
    except (OSError, ValueError, KeyError, TypeError):
        return  # the grader says better what is wrong with the file
    if any(_normal(text) not in known for text in later):
        ago = max(0, int(time.time() - saved))
        raise CheckingError(
            f"{path.name} was last saved {ago} s ago, and you have run other code since. Save it (Ctrl+S) and check again: "
            "the grader reads the file."
        )


def _remember(result: Any) -> None:
    text = getattr(getattr(result, "info", None), "raw_cell", None)
    if isinstance(text, str) and text.strip():
        _executed.append((time.time(), text))
        del _executed[:-REMEMBERED_CELLS]


def _normal(text: str) -> str:
    return text.strip().replace("\r\n", "\n")


def _shell() -> Any:
    """The running IPython, without importing it where it is not."""
    module = sys.modules.get("IPython")
    return module.get_ipython() if module is not None else None
