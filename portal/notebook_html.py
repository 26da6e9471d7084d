"""Notebooks to HTML that is safe to show."""

from __future__ import annotations

import html
import json
import logging
import re
from functools import lru_cache
from typing import Any

from portal.markdown import sanitise

log = logging.getLogger(__name__)

MAX_HTML = 2_000_000
MAX_TEXT = 10_000
"""Characters of one Markdown text that are shown: converters take quadratic time on some texts."""
MAX_CODE = 30_000
"""Characters of one cell's code that are shown."""
ROOM = {"markdown": 200_000, "code": 150_000, "output": 2_000_000}
"""Characters of each sort that are shown of a whole notebook."""
CUT = "\n\n… (the rest is not shown)"
_PICTURES = ("image/png", "image/jpeg")
_KINDS = (*_PICTURES, "text/html", "text/markdown", "text/latex", "text/plain")
"""Of a displayed object, the kinds that can be shown here."""
_BASE64 = re.compile(r"[A-Za-z0-9+/=\s]*")


def render_notebook(notebook: dict[str, Any]) -> str:
    """An nbformat 4 notebook as sanitised HTML of at most 2 MB, with a note where it was cut.

    Never raises for what is in it: outputs are whatever the learner's code sent, so only what has the right shape is shown.
    """
    # Imported here: only the worker and the solution page need nbconvert, which takes half a second to import.
    import nbformat
    from nbconvert import HTMLExporter

    exporter = HTMLExporter(template_name="basic", anchor_link_text="")
    exporter.exclude_input_prompt = True
    exporter.exclude_output_prompt = True
    shown = _Presentable().notebook(notebook)
    try:
        body, _resources = exporter.from_notebook_node(nbformat.from_dict(shown))
    except Exception:
        log.exception("a notebook can't be converted")
        body = "".join(f"<pre>{html.escape(cell['source'])}</pre>" for cell in shown["cells"])
    clean = _lower_headings(sanitise(body))
    if len(clean) <= MAX_HTML:
        return clean
    cut = sanitise(clean[:MAX_HTML].rsplit("<", 1)[0])
    return cut + "<p><strong>The rest was left out: this notebook is larger than 2 MB.</strong></p>"


class _Presentable:
    """Makes a notebook that can be converted out of one that anybody may have written: known shapes, bounded texts, no odd
    characters, and no metadata."""

    def __init__(self) -> None:
        self._room = dict(ROOM)

    def notebook(self, notebook: dict[str, Any]) -> dict[str, Any]:
        cells = [self._cell(cell) for cell in _list(notebook.get("cells")) if isinstance(cell, dict)]
        return {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 4}

    def _cell(self, cell: dict[str, Any]) -> dict[str, Any]:
        source = _text(cell.get("source")) or ""
        if cell.get("cell_type") == "code":
            outputs = [
                self._output(output) for output in _list(cell.get("outputs")) if isinstance(output, dict)
            ]
            return {
                "cell_type": "code",
                "metadata": {},
                "source": self._take("code", source, MAX_CODE),
                "execution_count": None,
                "outputs": [output for output in outputs if output is not None],
            }
        kind = "raw" if cell.get("cell_type") == "raw" else "markdown"
        return {"cell_type": kind, "metadata": {}, "source": self._take("markdown", source, MAX_TEXT)}

    def _output(self, output: dict[str, Any]) -> dict[str, Any] | None:
        kind = output.get("output_type")
        if kind == "stream":
            name = "stderr" if output.get("name") == "stderr" else "stdout"
            text = _text(output.get("text"))
            taken = self._take("output", text or "")
            return {"output_type": "stream", "name": name, "text": taken} if taken else None
        if kind == "error":
            lines = [self._take("output", _text(line) or "") for line in _list(output.get("traceback"))]
            said = {name: self._take("output", _text(output.get(name)) or "") for name in ("ename", "evalue")}
            return {"output_type": "error", **said, "traceback": lines}
        data = output.get("data")
        if kind not in ("display_data", "execute_result") or not isinstance(data, dict):
            return None
        kinds = {name: shown for name in _KINDS if (shown := self._displayed(name, data.get(name))) is not None}
        return {"output_type": "display_data", "metadata": {}, "data": kinds} if kinds else None

    def _displayed(self, kind: str, value: Any) -> str | None:
        text = _text(value)
        if text is None:
            return None
        if kind in _PICTURES:
            fits = len(text) <= self._room["output"] and _BASE64.fullmatch(text)
            return self._take("output", text) if fits else None
        is_markdown = kind in ("text/markdown", "text/latex")
        return self._take("markdown", text, MAX_TEXT) if is_markdown else self._take("output", text)

    def _take(self, sort: str, text: str, most: int = MAX_HTML) -> str:
        """As much of the text as there is room for."""
        limit = min(most, self._room[sort])
        self._room[sort] -= min(len(text), limit)
        return text if len(text) <= limit else text[:limit] + CUT


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: Any) -> str | None:
    """A text, or a list of its pieces, without what a page or a database can't hold; None for anything else."""
    if isinstance(value, list) and all(isinstance(piece, str) for piece in value):
        value = "".join(value)
    return value.encode("utf-8", "replace").decode().replace("\0", "�") if isinstance(value, str) else None


def _lower_headings(html: str) -> str:
    """The notebook stands inside a page that has its own first heading, so its own go one level down."""
    return re.sub(r"(</?h)([1-5])(?=[ >])", lambda found: f"{found[1]}{int(found[2]) + 1}", html)


def notebook_html(notebook: dict[str, Any], content_hash: str) -> str:
    """`render_notebook`, remembered by the hash of the content that the notebook was made from."""
    return _remembered(content_hash, json.dumps(notebook, sort_keys=True))


@lru_cache(maxsize=64)
def _remembered(_content_hash: str, notebook: str) -> str:
    return render_notebook(json.loads(notebook))
