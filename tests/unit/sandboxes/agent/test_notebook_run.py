from __future__ import annotations

from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from sandboxes.agent.notebook_run import _merge_streams, _note_error, cell_errors


def test_neighbouring_pieces_of_a_stream_become_one() -> None:
    cell = new_code_cell("")
    cell.outputs = [
        new_output("stream", name="stdout", text="a"),
        new_output("stream", name="stdout", text="b"),
        new_output("stream", name="stderr", text="c"),
        new_output("display_data", data={"text/plain": "d"}),
        new_output("stream", name="stdout", text="e"),
        new_output("stream", name="stdout", text="f"),
    ]
    _merge_streams(cell)
    assert [output.get("text") for output in cell.outputs] == ["ab", "c", None, "ef"]


def test_a_flood_of_backspaces_is_merged_as_it_is() -> None:
    cell = new_code_cell("")
    text = "a" * 20 + "\b" * 20
    cell.outputs = [new_output("stream", name="stdout", text=text) for _ in range(5_000)]
    _merge_streams(cell)
    assert [output.text for output in cell.outputs] == [text * 5_000], "backspaces are not played out"


def test_errors_name_their_cell_and_are_capped() -> None:
    notebook: nbformat.NotebookNode = new_notebook(cells=[new_code_cell("1"), new_code_cell("2", id="second")])
    notebook.cells[1].outputs = [new_output("error", ename="E" * 500, evalue="v" * 5_000, traceback=[])]
    [error] = cell_errors(notebook)
    assert (error["cell_id"], error["index"], len(error["name"]), len(error["detail"])) == (
        "second",
        1,
        200,
        2_000,
    )


REPLY = {"content": {"status": "error", "ename": "MemoryError", "evalue": "none left"}}


def test_an_error_whose_output_was_lost_is_known_from_the_reply() -> None:
    cell = new_code_cell("x")
    _note_error(cell, REPLY, cell_index=0)
    assert [(error["name"], error["detail"]) for error in cell_errors(new_notebook(cells=[cell]))] == [
        ("MemoryError", "none left")
    ]


def test_an_error_that_has_its_output_is_told_once() -> None:
    cell = new_code_cell("x", outputs=[new_output("error", ename="KeyError", evalue="'a'", traceback=[])])
    _note_error(cell, REPLY, cell_index=0)
    assert [error["name"] for error in cell_errors(new_notebook(cells=[cell]))] == ["KeyError"]


@pytest.mark.parametrize("reply", [{}, {"content": None}, {"content": {"status": "ok"}}])
def test_a_reply_without_an_error_adds_none(reply: dict[str, Any]) -> None:
    cell = new_code_cell("x")
    _note_error(cell, reply, cell_index=0)
    assert cell.outputs == []
