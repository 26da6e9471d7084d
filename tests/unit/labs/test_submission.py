"""What a learner hands in: bytes that claim to be a notebook."""

from __future__ import annotations

import json
from typing import Any

import nbformat
import pytest

from labs.errors import BadNotebook
from labs.submission import MAX_CELLS, MAX_NOTEBOOK_BYTES, read


def notebook(*cells: dict[str, Any], **changes: Any) -> bytes:
    return json.dumps(
        {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": list(cells), **changes}
    ).encode()


def code(source: Any, **changes: Any) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "id": "a",
        "metadata": {},
        "source": source,
        "outputs": [],
        "execution_count": 3,
        **changes,
    }


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "The file is empty"),
        (b"  \n", "The file is empty"),
        (b"hello", "it is not valid JSON"),
        (b"\xff\xfe\x00", "it is not valid JSON"),
        (b"[" * 100_000, "it is not valid JSON"),
        (b"[]", "it does not say `nbformat`"),
        (b'{"nbformat": "4", "cells": []}', "it does not say `nbformat`"),
        (b'{"nbformat": 3, "worksheets": []}', "has format 3; format 4 is needed"),
        (b'{"nbformat": 4}', "it has no list of cells"),
        (notebook({"cell_type": "code"}), "Cell 1 of the notebook is broken: its text is missing"),
        (
            notebook({"cell_type": "shell", "source": ""}),
            "Cell 1 of the notebook is broken: it is not a code or text cell",
        ),
        (b'{"nbformat": 4, "cells": [7]}', "Cell 1 of the notebook is broken"),
        (notebook(code(["a", 1])), "its text is missing"),
        (notebook(*[code("1")] * (MAX_CELLS + 1)), f"has {MAX_CELLS + 1} cells"),
        (b" " * (MAX_NOTEBOOK_BYTES + 1), "larger than 10 MB"),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else None,
)
def test_what_is_not_a_notebook_is_refused_with_words_for_the_learner(data: bytes, message: str) -> None:
    with pytest.raises(BadNotebook) as caught:
        read(data)
    assert message in caught.value.learner


def test_a_notebook_is_reduced_to_what_is_run() -> None:
    data = notebook(
        code(
            ["x = 1\n", "y"],
            metadata={"task": "add", "tags": ["skip"]},
            outputs=[{"output_type": "evil"}],
            extra=1,
        ),
        {"cell_type": "markdown", "source": "text"},
        metadata={"kernelspec": {"name": "bash"}},
    )
    submission = read(data)
    first, second = submission.cells
    assert first == {
        "cell_type": "code",
        "id": "a",
        "metadata": {"task": "add"},
        "source": "x = 1\ny",
        "outputs": [],
        "execution_count": None,
    }
    assert second["id"] == "cell-2"
    assert submission.notebook["metadata"]["kernelspec"]["name"] == "python3"
    nbformat.validate(nbformat.from_dict(submission.notebook))


@pytest.mark.parametrize(
    ("source", "beginning"),
    [
        ("\n  \n  x = `1`\ny", "x = '1'"),
        ("", ""),
        ("a" * 61, "a" * 59 + "…"),
        (["def f():\n", "    return 1"], "def f():"),
    ],
)
def test_a_cell_is_named_by_how_it_begins(source: object, beginning: str) -> None:
    cell = {"cell_type": "code", "id": "one", "metadata": {}, "source": source, "outputs": []}
    assert read(notebook(cell)).beginning(0) == beginning


def test_ids_are_made_unique() -> None:
    submission = read(notebook(code("1"), code("2"), code("3", id="not an id"), code("4", id="cell-3")))
    ids = [cell["id"] for cell in submission.cells]
    assert len(set(ids)) == 4
    assert ids[0] == "a"


def test_a_task_cell_is_known_by_its_metadata_or_else_by_its_id() -> None:
    submission = read(
        notebook(
            code("1", metadata={"task": "add"}),
            code("2", id="task-double"),
            code("3", id="other"),
            {"cell_type": "markdown", "id": "task-triple", "source": "text"},
        )
    )
    assert submission.task_cells("add") == [0]
    assert submission.task_cells("double") == [1]
    assert submission.missing(["add", "double", "triple"]) == ["triple"]


def test_metadata_of_any_shape_is_no_problem() -> None:
    assert read(notebook(code("1", metadata=[1]), code("2", metadata={"task": 7}))).missing(["add"]) == ["add"]


def test_lone_surrogates_do_not_reach_the_kernel() -> None:
    submission = read(b'{"nbformat": 4, "cells": [{"cell_type": "code", "source": "x = \'\\ud800\'"}]}')
    json.dumps(submission.notebook, ensure_ascii=False).encode()
