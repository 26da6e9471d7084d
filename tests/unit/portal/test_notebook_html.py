"""Notebooks become pages whatever is in them."""

from __future__ import annotations

from typing import Any

import pytest

from portal.notebook_html import MAX_HTML, MAX_TEXT, render_notebook


def notebook(*cells: dict[str, Any]) -> dict[str, Any]:
    return {"cells": list(cells), "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


def code(*outputs: dict[str, Any], source: str = "total = 1") -> dict[str, Any]:
    return {
        "cell_type": "code",
        "metadata": {},
        "execution_count": 1,
        "source": source,
        "outputs": list(outputs),
    }


def text(source: Any) -> dict[str, Any]:
    return {"cell_type": "markdown", "metadata": {}, "source": source}


def shown(**data: Any) -> dict[str, Any]:
    data = {kind.replace("_", "/"): value for kind, value in data.items()}
    return {"output_type": "display_data", "metadata": {}, "data": data}


def test_texts_code_and_outputs_are_shown() -> None:
    page = render_notebook(
        notebook(
            text(["# A title\n", "and *more*"]),
            code(
                {"output_type": "stream", "name": "stdout", "text": ["one\n", "two\n"]},
                {
                    "output_type": "error",
                    "ename": "KeyError",
                    "evalue": "x",
                    "traceback": ["\x1b[31mKeyError\x1b[0m: x"],
                },
                shown(text_html="<table><tr><td>a cell</td></tr></table>", text_plain="not this"),
                shown(image_png="iVBORw0KGgo=\n"),
                source="total = 41 + 1",
            ),
        )
    )
    for part in (
        "<h2",
        "<em>more</em>",
        "41",
        "one\ntwo",
        "KeyError",
        "<td>a cell</td>",
        "data:image/png;base64,iVBORw0KGgo=",
    ):
        assert part in page
    assert "not this" not in page


@pytest.mark.parametrize("value", [5, None, True, {"a": 1}, [1, 2], [["x"]], "\0\ud800"])
@pytest.mark.parametrize(
    "kind", ["text_html", "text_markdown", "text_latex", "text_plain", "image_png", "image_svg+xml"]
)
def test_outputs_of_the_wrong_shape_are_left_out(kind: str, value: Any) -> None:
    page = render_notebook(notebook(code(shown(**{kind: value}), shown(text_plain="still here"))))
    assert "still here" in page
    page.encode()
    assert "\0" not in page


def test_whole_cells_and_outputs_of_the_wrong_shape() -> None:
    odd = [
        {"output_type": "stream", "name": ["x"], "text": 5},
        {"output_type": "error", "ename": None, "evalue": 5, "traceback": "text"},
        {"output_type": "error", "ename": "A", "evalue": "b", "traceback": [5, None]},
        {"output_type": "display_data", "data": 7, "metadata": []},
        {"output_type": "passed"},
        {},
    ]
    page = render_notebook(notebook(code(*odd, source="shown = 1"), text(5), {"cell_type": "spell"}, {}))
    assert "shown" in page


def test_nothing_that_acts_gets_through() -> None:
    hostile = "<script>alert(1)</script><img src=x onerror=alert(1)><a href='javascript:x'>a</a><p style='x' hx-get='/'>b</p>"
    page = render_notebook(
        notebook(text(hostile), code(shown(text_html=hostile), shown(**{"image_svg+xml": "<svg onload=x>"})))
    )
    for part in ("<script", "onerror", "javascript:", "style=", "hx-get", "onload"):
        assert part not in page


def test_texts_on_which_converters_spend_hours_are_cut() -> None:
    page = render_notebook(notebook(*[text("![" * 200_000)] * 3, code(shown(text_markdown="[" * 400_000))))
    assert page.count("the rest is not shown") == 4
    assert len(page) < 10 * MAX_TEXT


def test_a_page_has_a_largest_size() -> None:
    page = render_notebook(notebook(*[code(source="x" * 40_000)] * 30, code(shown(text_html="&<" * 3_000_000))))
    assert len(page) < MAX_HTML + 1_000
