"""Cells of Go in a lab's notebook, whose kernel is Python.

In `lab.md` a fence `go` that names a file is a cell; one that does not is text::

    ```go file="pool.go" task="bounded-pool"
    package main

    // BEGIN SOLUTION
    import "context"

    func Map(ctx context.Context) error { … }
    // STARTER
    // import "context"
    //
    // func Map(ctx context.Context) error {
    //     panic("not implemented: task bounded-pool")
    // }
    // END SOLUTION
    ```

In the notebook it begins with `%%go pool.go`, a magic of labkit that writes the file and says what gofmt and vet find. What
stands below `// STARTER`, its comment signs taken off, is what a learner starts from: Go compiles no file with an unused import,
so the imports of a solution can't stand outside of it. Without one the starter is a line that panics.
"""

from __future__ import annotations

import re
import textwrap

STARTER = "// STARTER"
MARKERS = ("// BEGIN SOLUTION", "// END SOLUTION")
MAGIC = "%%go "
_FILE = re.compile(r'(?:^|\s)file="(?P<file>[^"]*)"')
_NAME = re.compile(r"(?:[a-z][a-z0-9_]*/){0,3}[a-z][a-z0-9_]*\.go")
_COMMENT = re.compile(r"^[ \t]*// ?", re.MULTILINE)


def names_a_file(info: str) -> bool:
    """Whether what stands behind a fence makes a cell of Go."""
    return info.split()[:1] == ["go"] and _FILE.search(info) is not None


def fault_of_fence(info: str) -> str | None:
    """What is wrong with what stands behind a fence of Go; None when nothing is."""
    if info.split()[:1] != ["go"]:
        return None
    found = _FILE.search(info)
    if found is None:
        return 'a task in Go names the file it is written to: file="…"' if "task=" in info else None
    return None if _NAME.fullmatch(found["file"]) else f"`{found['file']}` is not the name of a Go file"


def without_file(info: str) -> str:
    """What stands behind a fence, without the name of the file."""
    return _FILE.sub("", info, count=1)


def as_cell(info: str, code: str) -> str:
    """What the cell of a block of Go holds in the notebook: the magic that writes the file, and the code."""
    found = _FILE.search(info)
    if found is None:
        raise ValueError("the fence names no file")
    return f"{MAGIC}{found['file']}\n{code}"


def is_go(source: str) -> bool:
    """Whether a cell of the notebook is one of Go."""
    return source.startswith(MAGIC)


def not_implemented(task: str) -> str:
    """The expression by which a Go program says that a task is not begun."""
    return f'panic("not implemented: task {task}")'


def stub(task: str, starter: str | None) -> str:
    """What stands in the learner's notebook where the solution region was."""
    body = not_implemented(task) if starter is None else _COMMENT.sub("", textwrap.dedent(starter)).strip("\n")
    return f"// Your code here: task {task}\n{body}"


def faults_of_source(task: str | None, starter: str | None) -> list[str]:
    """What is wrong with a cell of Go, as far as that is known without a compiler."""
    if task and starter is not None and not_implemented(task) not in starter:
        return [f"what stands below `{STARTER}` must say `{not_implemented(task)}`"]
    return []
