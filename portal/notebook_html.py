"""Notebooks to HTML that is safe to show."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import Any

from portal.markdown import sanitise

MAX_HTML = 2_000_000


def render_notebook(notebook: dict[str, Any]) -> str:
    """An nbformat 4 notebook as sanitised HTML of at most 2 MB, with a note where it was cut."""
    # Imported here: only the worker and the solution page need nbconvert, which takes half a second to import.
    import nbformat
    from nbconvert import HTMLExporter

    exporter = HTMLExporter(template_name="basic", anchor_link_text="")
    exporter.exclude_input_prompt = True
    exporter.exclude_output_prompt = True
    body, _resources = exporter.from_notebook_node(nbformat.from_dict(notebook))
    clean = _lower_headings(sanitise(body))
    if len(clean) <= MAX_HTML:
        return clean
    cut = sanitise(clean[:MAX_HTML].rsplit("<", 1)[0])
    return cut + "<p><strong>The rest was left out: this notebook is larger than 2 MB.</strong></p>"


def _lower_headings(html: str) -> str:
    """The notebook stands inside a page that has its own first heading, so its own go one level down."""
    return re.sub(r"(</?h)([1-5])(?=[ >])", lambda found: f"{found[1]}{int(found[2]) + 1}", html)


def notebook_html(notebook: dict[str, Any], content_hash: str) -> str:
    """`render_notebook`, remembered by the hash of the content that the notebook was made from."""
    return _remembered(content_hash, json.dumps(notebook, sort_keys=True))


@lru_cache(maxsize=64)
def _remembered(_content_hash: str, notebook: str) -> str:
    return render_notebook(json.loads(notebook))
